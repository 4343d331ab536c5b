/* Reads a schedule, which a person may have written. Where a word asks for something impossible,
 * the error at its place says what is allowed. */
#include "plan_read.h"
#include "commands.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const struct subject *subject;
    const struct schedule *schedule;
    const struct command *command;
    struct plan *plan;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct reading *r, int operand,
                                                       const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    struct location at = r->command->at;
    if (operand != OPERAND_NONE)
        at.column = r->command->operand_column[operand];
    return module_fail(r->subject->m, at, "kernel %s: %s", r->subject->nests->kernel->name, text);
}

static bool read_number(struct reading *r, int operand, struct limits limits, int64_t *value)
{
    char *end;
    const char *text = r->command->operand[operand];
    long long read = strtoll(text, &end, 10);
    *value = read;
    if (!*end && *text >= '0' && *text <= '9' && read >= limits.least && read <= limits.most)
        return true;
    return fail(r, operand, "found '%s', must be %s: an integer from %lld to %lld", text,
                limits.what, (long long)limits.least, (long long)limits.most);
}

static bool read_operand(struct reading *r, enum command_id id, int operand, int64_t nest)
{
    struct syntax_word word = syntax_word(command_rows[id].syntax, operand + 1);
    if (word.literal)
        return syntax_word_is(word, r->command->operand[operand]) ||
               fail(r, operand, "found '%s', must be '%.*s'", r->command->operand[operand],
                    word.length, word.text);
    const struct operand_row *row = operand_find(id, word.text[0]);
    int64_t value;
    if (!read_number(r, operand, operand_limits(row, r->subject, r->plan, nest), &value))
        return false;
    *(int64_t *)operand_field(row, r->plan, nest) = value + (row->kind == OPERAND_LAST);
    return true;
}

/* place LOCAL workspace */
static bool read_local(struct reading *r)
{
    struct arena *arena = r->subject->m->arena;
    const struct buffer *local = r->subject->nests->kernel->locals;
    const char *names = NULL;
    for (int i = 0; local; local = local->next, i++) {
        names = names ? arena_printf(arena, "%s, %s", names, local->name) : local->name;
        if (strcmp(local->name, r->command->operand[0]) != 0)
            continue;
        r->plan->in_workspace[i] = true;
        return true;
    }
    return fail(r, 0, "found '%s', must be one of the buffers %s", r->command->operand[0],
                names ? names : "(there are none)");
}

static enum command_id identify(const struct reading *r, const struct command *command)
{
    return command_identify(r->subject->target, command);
}

/* Whether the command was given before, for the same nest. */
static bool is_second(const struct reading *r, enum command_id id)
{
    bool found = false;
    const struct command *other = r->schedule->commands;
    for (; other != r->command && !found; other = other->next)
        found = identify(r, other) == id &&
                (command_rows[id].scope != SCOPE_NEST ||
                 (other->operands && strtoll(other->operand[0], NULL, 10) ==
                                         strtoll(r->command->operand[0], NULL, 10)));
    return found;
}

static bool read_fields(struct reading *r, enum command_id id)
{
    int64_t nest = 0;
    bool of_nest = command_rows[id].scope == SCOPE_NEST;
    if (of_nest && !read_number(r, 0, nest_limits(r->subject), &nest))
        return false;
    if (is_second(r, id))
        return of_nest ? fail(r, 0, "a second '%s %lld'", r->command->word, (long long)nest)
                       : fail(r, OPERAND_NONE, "a second '%s'", r->command->word);
    for (int i = of_nest; i < r->command->operands; i++)
        if (!read_operand(r, id, i, nest))
            return false;
    const struct operand_row *last = operand_last(id);
    if (last && last->kind == OPERAND_FLAG)
        *(bool *)operand_field(last, r->plan, nest) = true;
    return true;
}

static bool fail_unknown(struct reading *r)
{
    const char *allowed = "";
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        if (command_is_for(id, r->subject->target))
            allowed = arena_printf(r->subject->m->arena, "%s%s'%s'", allowed,
                                   *allowed ? " or " : "", command_rows[id].syntax);
    return fail(r, OPERAND_NONE, "found '%s', must be %s", r->command->word, allowed);
}

/* Reads a command of that scope; skips others. */
static bool read_command(struct reading *r, enum command_scope scope)
{
    enum command_id id = identify(r, r->command);
    if (id == COMMAND_COUNT)
        return fail_unknown(r);
    if (!command_is_complete(id, r->command))
        return fail(r, OPERAND_NONE, "found %d operands, must be '%s'", r->command->operands,
                    command_rows[id].syntax);
    if (command_rows[id].scope != scope)
        return true;
    switch (scope) {
    case SCOPE_KERNEL:
    case SCOPE_NEST:
        return read_fields(r, id);
    case SCOPE_LOCAL:
        return read_local(r);
    case SCOPE_LOOP: /* read after the loops are built */
        break;
    }
    return true;
}

static bool check_command(struct reading *r)
{
    enum command_id id = identify(r, r->command);
    const struct command_row *row = &command_rows[id];
    int nest = row->scope == SCOPE_NEST ? atoi(r->command->operand[0]) : 0;
    struct refusal refusal = row->rule(r->subject, r->plan, nest);
    return !refusal.why || fail(r, refusal.operand, "%s", refusal.why);
}

bool plan_read(const struct subject *subject, const struct schedule *schedule, struct plan *plan)
{
    struct reading r = {.subject = subject, .schedule = schedule, .plan = plan};
    plan_init(plan, subject);
    /* a nest's limits depend on what the kernel's commands say */
    for (enum command_scope scope = SCOPE_KERNEL; scope <= SCOPE_LOCAL; scope++)
        for (r.command = schedule->commands; r.command; r.command = r.command->next)
            if (!read_command(&r, scope))
                return false;
    for (r.command = schedule->commands; r.command; r.command = r.command->next)
        if (!check_command(&r))
            return false;
    return true;
}

const struct command *schedule_first_named(const struct schedule *schedule,
                                           const struct target *target)
{
    const struct command *command = schedule->commands;
    for (; command; command = command->next) {
        enum command_id id = command_identify(target, command);
        if (id < COMMAND_COUNT && command_rows[id].scope >= SCOPE_LOCAL)
            break;
    }
    return command;
}

struct schedule *schedule_find(const struct kernel *kernel, const char *target)
{
    for (struct schedule *s = kernel->schedules; s; s = s->next)
        if (strcmp(s->target, target) == 0)
            return s;
    return NULL;
}
