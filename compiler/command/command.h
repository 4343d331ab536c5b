/* The table of commands, made from commands.def. */
#ifndef COMPILER_COMMAND_H
#define COMPILER_COMMAND_H
#include "options.h"

/* What each command does once its options are read. */
#define COMMAND(name, ...) enum status command_##name(const struct options *options);
#include "commands.def"
#undef COMMAND

struct command_info {
    const char *name, *operand, *summary, *details;
    enum status (*run)(const struct options *options);
};

extern const struct command_info command_table[];
extern const int command_count;

const struct command_info *command_find(const char *name); /* NULL: there is none */
bool takes_model(const struct command_info *command);

#endif
