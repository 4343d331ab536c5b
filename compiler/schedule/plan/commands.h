/* The table of the commands of a schedule: commands.def. */
#ifndef COMPILER_COMMANDS_H
#define COMPILER_COMMANDS_H
#include "rules.h"
#include <stdio.h>

enum command_id {
#define COMMAND(id, syntax, scope, devices, rule, help) COMMAND_##id,
#include "commands.def"
    COMMAND_COUNT
};

enum command_scope { SCOPE_KERNEL, SCOPE_NEST, SCOPE_LOCAL, SCOPE_LOOP };
enum command_devices { DEVICES_ANY, DEVICES_PROCESSORS, DEVICES_GPUS };

struct command_row {
    const char *syntax;
    enum command_scope scope;
    enum command_devices devices;
    plan_rule *rule;
    const char *help;
};
extern const struct command_row command_rows[COMMAND_COUNT];

/* An operand that is a field of a plan. */
struct operand_row {
    enum command_id command;
    char letter; /* in the command's syntax */
    enum { OPERAND_NUMBER, OPERAND_LAST, OPERAND_FLAG } kind;
    size_t offset; /* of an int64_t or, of a flag, a bool, in struct plan or nest_plan */
};
/* The row with that letter; 0: the first after `from`, which may be NULL. NULL: there is none. */
const struct operand_row *operand_find(enum command_id command, char letter);
const struct operand_row *operand_last(enum command_id command);

/* The values that are allowed for an operand, as far as the plan is read. */
struct limits {
    const char *what; /* "pixels of a tile" */
    int64_t least, most;
};
struct limits operand_limits(const struct operand_row *row, const struct subject *s,
                             const struct plan *plan, int64_t nest);
struct limits nest_limits(const struct subject *s); /* of the number of a nest */

/* The field of an operand. */
void *operand_field(const struct operand_row *row, struct plan *plan, int64_t nest);

/* Word number `i` of a syntax; the command itself is number 0. Length 0: there are fewer words. */
struct syntax_word {
    const char *text;
    int length;
    bool literal; /* written as it is; else an operand */
};
struct syntax_word syntax_word(const char *syntax, int i);
bool syntax_word_is(struct syntax_word word, const char *text);

bool command_is_for(enum command_id id, const struct target *target);
/* The command, among those for a target; COMMAND_COUNT: none of them. */
enum command_id command_identify(const struct target *target, const struct command *command);
/* Whether it has as many operands as its syntax says. */
bool command_is_complete(enum command_id id, const struct command *command);

/* The help of `sanc help schedules`. */
void commands_help(FILE *file);

#endif
