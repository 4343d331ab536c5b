/* Writes a plan down as a schedule, which plan_read.c reads. */
#include "plan_write.h"
#include "commands.h"
#include <assert.h>

struct writing {
    struct module *m;
    struct command **end; /* of the commands */
};

static struct command *add_command(struct writing *w, enum command_id id)
{
    struct command *command = ARENA_NEW(w->m->arena, struct command);
    struct syntax_word word = syntax_word(command_rows[id].syntax, 0);
    command->word = arena_printf(w->m->arena, "%.*s", word.length, word.text);
    *w->end = command;
    w->end = &command->next;
    return command;
}

static void add_operand(struct command *command, const char *operand)
{
    assert(command->operands < MAX_RANK);
    command->operand[command->operands++] = operand;
}

/* Whether a plan asks for a command. */
static bool is_asked_for(enum command_id id, struct plan *plan, int nest)
{
    const struct operand_row *row = operand_last(id);
    const void *field = operand_field(row, plan, nest);
    return row->kind == OPERAND_FLAG ? *(const bool *)field : *(const int64_t *)field != 0;
}

static void write_command(struct writing *w, enum command_id id, struct plan *plan, int nest)
{
    if (!is_asked_for(id, plan, nest))
        return;
    struct command *command = add_command(w, id);
    struct syntax_word word;
    for (int i = 1; (word = syntax_word(command_rows[id].syntax, i)).length; i++) {
        const struct operand_row *row = word.literal ? NULL : operand_find(id, word.text[0]);
        int64_t value = row ? *(int64_t *)operand_field(row, plan, nest) : nest;
        if (row && row->kind == OPERAND_LAST)
            value--;
        add_operand(command, word.literal
                                 ? arena_printf(w->m->arena, "%.*s", word.length, word.text)
                                 : arena_printf(w->m->arena, "%lld", (long long)value));
    }
}

/* place LOCAL workspace */
static void write_places(struct writing *w, const struct kernel *kernel, const struct plan *plan)
{
    int i = 0;
    for (const struct buffer *local = kernel->locals; local; local = local->next, i++) {
        if (!plan->in_workspace[i])
            continue;
        struct command *command = add_command(w, COMMAND_place_workspace);
        add_operand(command, local->name);
        add_operand(command, place_name[PLACE_WORKSPACE]);
    }
}

static void write_scope(struct writing *w, enum command_scope scope, struct plan *plan, int nest)
{
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        if (command_rows[id].scope == scope)
            write_command(w, id, plan, nest);
}

void plan_write(struct module *m, struct kernel *kernel, const char *target,
                const struct plan *plan)
{
    struct schedule **at = &kernel->schedules;
    while (*at)
        at = &(*at)->next;
    *at = ARENA_NEW(m->arena, struct schedule);
    (*at)->target = target;
    struct writing w = {m, &(*at)->commands};
    struct plan fields = *plan;
    write_scope(&w, SCOPE_KERNEL, &fields, 0);
    write_places(&w, kernel, plan);
    for (int i = 0; i < plan->nests; i++)
        write_scope(&w, SCOPE_NEST, &fields, i);
}
