#include "commands.h"
#include "rules_gpu.h"
#include <stddef.h>
#include <string.h>

const struct command_row command_rows[COMMAND_COUNT] = {
#define COMMAND(id, syntax, scope, devices, rule, help)                                            \
    {syntax, SCOPE_##scope, DEVICES_##devices, rule, help},
#include "commands.def"
};

/* ---- operands -------------------------------------------------------------------------------- */

static const struct operand_row operand_rows[] = {
#define NUMBER(id, operand, of, field, what, least, most)                                          \
    {COMMAND_##id, #operand[0], OPERAND_NUMBER, offsetof(struct of, field)},
#define LAST(id, operand, of, field, what, least, most)                                            \
    {COMMAND_##id, #operand[0], OPERAND_LAST, offsetof(struct of, field)},
#define FLAG(id, field) {COMMAND_##id, 0, OPERAND_FLAG, offsetof(struct nest_plan, field)},
#include "commands.def"
};
enum { OPERANDS = sizeof operand_rows / sizeof *operand_rows };

const struct operand_row *operand_find(enum command_id command, char letter)
{
    for (int i = 0; i < OPERANDS; i++)
        if (operand_rows[i].command == command && operand_rows[i].letter == letter)
            return &operand_rows[i];
    return NULL;
}

const struct operand_row *operand_last(enum command_id command)
{
    const struct operand_row *last = NULL;
    for (int i = 0; i < OPERANDS; i++)
        if (operand_rows[i].command == command)
            last = &operand_rows[i];
    return last;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct limits operand_limits(const struct operand_row *row, const struct subject *s,
                             const struct plan *plan, int64_t nest)
{
    enum {
#define NUMBER(id, operand, of, field, what, least, most) ROW_##id##_##operand,
#define FLAG(id, field) ROW_##id,
#include "commands.def"
    };
    switch (row - operand_rows) {
#define NUMBER(id, operand, of, field, what, least, most)                                          \
    case ROW_##id##_##operand:                                                                     \
        return (struct limits){what, least, most};
#include "commands.def"
    }
    return (struct limits){"nothing", 0, 0};
}

struct limits nest_limits(const struct subject *s)
{
    return (struct limits){"the number of a nest of this kernel", 0, s->nests->count - 1};
}

void *operand_field(const struct operand_row *row, struct plan *plan, int64_t nest)
{
    bool of_nest = command_rows[row->command].scope == SCOPE_NEST;
    char *base = of_nest ? (char *)&plan->nest[nest] : (char *)plan;
    return base + row->offset;
}

/* ---- syntax ---------------------------------------------------------------------------------- */

struct syntax_word syntax_word(const char *syntax, int i)
{
    for (; i > 0 && syntax; i--) {
        syntax = strchr(syntax, ' ');
        syntax = syntax ? syntax + 1 : NULL;
    }
    if (!syntax)
        return (struct syntax_word){"", 0, false};
    return (struct syntax_word){syntax, (int)strcspn(syntax, " "),
                                *syntax >= 'a' && *syntax <= 'z'};
}

bool syntax_word_is(struct syntax_word word, const char *text)
{
    return strlen(text) == (size_t)word.length && memcmp(text, word.text, strlen(text)) == 0;
}

bool command_is_for(enum command_id id, const struct target *target)
{
    enum command_devices devices = command_rows[id].devices;
    return devices == DEVICES_ANY || (devices == DEVICES_GPUS) == (target->gpu != NULL);
}

bool command_is_complete(enum command_id id, const struct command *command)
{
    const char *syntax = command_rows[id].syntax;
    int operands = 0;
    while (syntax_word(syntax, operands + 1).length)
        operands++;
    bool open = syntax_word_is(syntax_word(syntax, operands), "...");
    return open ? command->operands >= operands - 1 : command->operands == operands;
}

/* Whether a command has all words that its syntax has in small letters. */
static bool matches(const char *syntax, const struct command *command)
{
    bool same = true;
    for (int i = 0; i < command->operands && same; i++) {
        struct syntax_word word = syntax_word(syntax, i + 1);
        same = !word.literal || syntax_word_is(word, command->operand[i]);
    }
    return same;
}

enum command_id command_identify(const struct target *target, const struct command *command)
{
    enum command_id found = COMMAND_COUNT;
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        const char *syntax = command_rows[id].syntax;
        if (command_is_for(id, target) && syntax_word_is(syntax_word(syntax, 0), command->word) &&
            (found == COMMAND_COUNT || matches(syntax, command)))
            found = id;
    }
    return found;
}

/* ---- help ------------------------------------------------------------------------------------ */

void commands_help(FILE *file)
{
    const char *const devices[] = {"", "processors: ", "GPUs: "};
    fprintf(file,
            "The commands of a schedule, as they stand in a dump after the pass schedule:\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-32s  %s%s\n", command_rows[i].syntax, devices[command_rows[i].devices],
                command_rows[i].help);
    fprintf(file,
            "\nI and J are numbers of a kernel's nests, from 0 on. LOCAL is a buffer on the stack. "
            "LOOP and\nBUFFER are names in the dump after the pass apply_schedules. The section "
            "Schedules of\ncompiler/README.md says more.\n");
}
