/* Writes a plan down as a schedule, which read_schedule.c reads. */
#include "schedule.h"
#include <assert.h>

static const char *number(struct module *m, int64_t value)
{
    return arena_printf(m->arena, "%lld", (long long)value);
}

static struct command *add_command(struct module *m, struct command ***end, const char *word)
{
    struct command *command = ARENA_NEW(m->arena, struct command);
    command->word = word;
    **end = command;
    *end = &command->next;
    return command;
}

static void add_operand(struct command *command, const char *operand)
{
    assert(command->operands < MAX_RANK);
    command->operand[command->operands++] = operand;
}

/* place LOCAL workspace */
static void add_places(struct module *m, struct command ***end, const struct kernel *kernel,
                       const struct plan *plan)
{
    int i = 0;
    for (const struct buffer *local = kernel->locals; local; local = local->next, i++) {
        if (!plan->memory[i])
            continue;
        struct command *command = add_command(m, end, "place");
        add_operand(command, local->name);
        add_operand(command, place_name[PLACE_WORKSPACE]);
    }
}

void schedule_write(struct module *m, struct kernel *kernel, const char *target,
                    const struct plan *plan)
{
    struct schedule **at = &kernel->schedules;
    while (*at)
        at = &(*at)->next;
    *at = ARENA_NEW(m->arena, struct schedule);
    (*at)->target = target;
    struct command **end = &(*at)->commands;
    if (plan->threads)
        add_operand(add_command(m, &end, "threads"), number(m, plan->threads));
    add_operand(add_command(m, &end, "tile"), number(m, plan->tile));
    if (plan->split)
        add_operand(add_command(m, &end, "split"), number(m, plan->split));
    if (plan->blocks)
        add_operand(add_command(m, &end, "blocks"), number(m, plan->blocks));
    add_places(m, &end, kernel, plan);
    if (plan->together[1] > plan->together[0]) {
        struct command *together = add_command(m, &end, "together");
        add_operand(together, number(m, plan->together[0]));
        add_operand(together, number(m, plan->together[1]));
    }
    if (plan->lanes[1]) {
        struct command *lanes = add_command(m, &end, "lanes");
        add_operand(lanes, number(m, plan->lanes[0]));
        add_operand(lanes, number(m, plan->lanes[1] - 1));
    }
    for (int i = 0; i < plan->nests; i++) {
        const struct nest_plan *nest = &plan->nest[i];
        struct command *command = add_command(m, &end, "nest");
        add_operand(command, number(m, i));
        add_operand(command, "rows");
        add_operand(command, number(m, nest->rows));
        add_operand(command, "columns");
        add_operand(command, number(m, nest->columns));
        add_operand(command, "vector");
        add_operand(command, number(m, nest->lanes));
        if (plan->matrix[i].rows) {
            command = add_command(m, &end, "matrix");
            add_operand(command, number(m, i));
            add_operand(command, "rows");
            add_operand(command, number(m, plan->matrix[i].rows));
            add_operand(command, "columns");
            add_operand(command, number(m, plan->matrix[i].columns));
        }
        if (plan->matrix[i].pad)
            add_operand(add_command(m, &end, "pad"), number(m, i));
        if (plan->staged[i])
            add_operand(add_command(m, &end, "stage"), number(m, i));
        if (nest->depth) {
            command = add_command(m, &end, "depth");
            add_operand(command, number(m, i));
            add_operand(command, number(m, nest->depth));
        }
        if (nest->ahead)
            add_operand(add_command(m, &end, "ahead"), number(m, i));
        if (nest->halves)
            add_operand(add_command(m, &end, "halves"), number(m, i));
    }
}
