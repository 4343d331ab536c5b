/* The table of options, made from options.def. */
#ifndef COMPILER_OPTION_TABLE_H
#define COMPILER_OPTION_TABLE_H
#include "command.h"
#include <stddef.h>

/* Kinds of options; the fields that they fill are in options.h. */
enum value_kind {
    VALUE_SWITCH,  /* given or not */
    VALUE_FILE,    /* a path */
    VALUE_FILES,   /* paths, one each time it is given */
    VALUE_NAME,    /* of a model */
    VALUE_INTEGER, /* from least to most */
    VALUE_REAL,    /* from least to most */
    VALUE_CHOICE,  /* one of the words of options.def */
    VALUE_PASS,    /* the name of a pass */
    VALUE_PASSES,  /* several with commas */
    VALUE_TARGETS, /* several with commas */
    VALUE_BATCHES, /* integers from least to most, several with commas */
    VALUE_KINDS    /* of output, several with commas */
};

struct option_info {
    const char *name;
    char letter; /* of -o; 0: none */
    enum value_kind kind;
    size_t field;                /* of struct options */
    const char *value;           /* as in the help; NULL of a switch */
    unsigned commands, required; /* by which commands */
    double least, most;
    const char *help;
};
extern const struct option_info option_table[OPTION_COUNT];

struct choice_info {
    enum option option;
    const char *word;
};
extern const struct choice_info choice_table[CHOICE_COUNT];

bool option_is_for(const struct option_info *info, const struct command_info *command);
bool option_is_required(const struct option_info *info, const struct command_info *command);
bool option_repeats(const struct option_info *info); /* may be given several times */
bool option_takes_list(const struct option_info *info);

#endif
