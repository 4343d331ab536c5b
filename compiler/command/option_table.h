/* What the files of the command line share: options.c reads it, option_value.c the values,
 * option_table.c holds the tables and prints the help. */
#ifndef COMPILER_OPTION_TABLE_H
#define COMPILER_OPTION_TABLE_H
#include "options.h"
#include <stddef.h>

enum value {
    VALUE_NONE,    /* bool */
    VALUE_TEXT,    /* const char * */
    VALUE_INTEGER, /* int64_t, least to most */
    VALUE_REAL,    /* double, least to most */
    VALUE_CHOICE,  /* int: which of choices */
    VALUE_PASS,    /* const char *: the name of a pass */
    VALUE_PASSES,  /* struct pass_names: several with commas */
    VALUE_TARGETS, /* struct target_names: several with commas */
    VALUE_EMIT     /* unsigned: several of emit_name with commas */
};

struct option_info {
    const char *name;
    char letter; /* of -o; 0: none */
    enum value kind;
    size_t field;                /* of struct options */
    const char *value;           /* as in the help */
    unsigned commands, required; /* by which commands */
    const char *help;
    double least, most;
    const char *const *choices;
};

extern const struct option_info option_table[];
extern const int option_count;

/* A command's bit in option_info.commands and .required. */
unsigned command_bit(const struct command_info *command);
bool takes_model(const struct command_info *command);

/* Reads the value of an option into its field; errors are printed. Lists point into *room, which is
 * moved on by the length of the value and its end. */
bool option_read_value(const struct option_info *info, const char *value, struct options *options,
                       char **room);
bool option_takes_list(const struct option_info *info);

/* "a, b or c" into text */
void list_choices(char *text, size_t size, const char *const *name, int count);

#endif
