/* The command line: one table of commands, one of options (option_table.c). Parsing, help and
 * error messages are made from them. */
#ifndef COMPILER_OPTIONS_H
#define COMPILER_OPTIONS_H
#include "diag.h"
#include "ir.h"
#include <stdio.h>

enum emit {
    EMIT_OBJECT,
    EMIT_HEADER,
    EMIT_ASSEMBLY,
    EMIT_LLVM,
    EMIT_IR,
    EMIT_REPORT,
    EMIT_PTX,
    EMIT_CUBIN,
    EMIT_LAUNCH,
    EMIT_WEIGHTS, /* what a launch plan comes with */
    EMIT_COUNT
};

enum engine { ENGINE_NATIVE, ENGINE_EVAL, ENGINE_EVAL32 };

enum { MAX_PASS_NAMES = 32 };

struct pass_names {
    int count;
    const char *name[MAX_PASS_NAMES];
};

struct target_names {
    int count;
    const char *name[MAX_TARGETS];
};

struct options {
    const struct command_info *command;
    const char *operand; /* MODEL.json or a .sanir dump; of help: the command; or NULL */
    const char *weights, *output, *input, *dump_dir, *profile, *reduce; /* NULL: not given */
    struct target_names target;                      /* none: the defaults, or what the dump says */
    int64_t batch, threads;                          /* 0: not given */
    double tolerance, seconds;                       /* 0: not given */
    unsigned emit;                                   /* a bit for each enum emit; 0: not given */
    int engine, count;        /* enum engine; enum count of stats.h */
    int precision;            /* from 0: f32, tf32, bf16; -1: not given */
    struct pass_names print_after, print_before;
    const char *stop_after, *after, *before;
    bool time_passes, list_passes, each_pass, json, kernels, verbose, help;
    unsigned long long given; /* a bit for each row of the table of options */
    char *text;               /* what split lists point into */
};

struct command_info {
    const char *name;
    const char *operand; /* as in the usage line; NULL: none */
    const char *summary; /* a line */
    const char *details; /* paragraphs of the help, each line complete */
    enum status (*run)(const struct options *options);
};

extern const struct command_info command_table[];
extern const int command_count;
extern const char *const emit_name[EMIT_COUNT];
extern const char *const emit_extension[EMIT_COUNT]; /* ".o" */

const struct command_info *command_find(const char *name);

/* Reads a command line without the program's name: the command and what follows. On STATUS_USAGE
 * every error is printed, with what is allowed. options_free in any case. */
enum status options_parse(int count, char *const *argument, struct options *options);
void options_free(struct options *options);

/* The help of a command, or with NULL the list of commands. */
void options_help(const struct command_info *command, FILE *file);

#endif
