/* What the command line says: a field for each row of options.def. command/ fills it. */
#ifndef COMPILER_OPTIONS_H
#define COMPILER_OPTIONS_H
#include "diag.h"
#include "ir.h"

enum option {
#define OPTION(field, ...) OPTION_##field,
#define CHOICE(field, word)
#include "options.def"
#undef OPTION
#undef CHOICE
    OPTION_COUNT
};

/* The words of options of kind CHOICE. */
enum choice {
    CHOICE_NONE, /* not given */
#define OPTION(field, ...)
#define CHOICE(field, word) CHOICE_##field##_##word,
#include "options.def"
#undef OPTION
#undef CHOICE
    CHOICE_COUNT
};

enum { MAX_PASS_NAMES = 32, MAX_FILES = 4096 };

struct file_names {
    int count;
    const char *name[MAX_FILES];
};

struct pass_names {
    int count;
    const char *name[MAX_PASS_NAMES];
};

struct target_names {
    int count;
    const char *name[MAX_TARGETS];
};

/* The largest first, all different. */
struct batch_sizes {
    int count;
    int64_t size[MAX_BATCHES];
};

/* What the field of an option holds, by its kind. */
#define FIELD_SWITCH bool
#define FIELD_FILE const char * /* a path; NULL: not given */
#define FIELD_FILES struct file_names
#define FIELD_NAME const char * /* of a model; NULL: not given */
#define FIELD_INTEGER int64_t   /* 0: not given */
#define FIELD_REAL double       /* 0: not given */
#define FIELD_CHOICE enum choice
#define FIELD_PASS const char * /* the name of a pass; NULL: not given */
#define FIELD_PASSES struct pass_names
#define FIELD_TARGETS struct target_names
#define FIELD_BATCHES struct batch_sizes
#define FIELD_KINDS unsigned /* a bit for each enum emit of outputs.h; 0: not given */

struct options {
    const struct command_info *command;
    const char *operand; /* MODEL.json or a .sanir dump; of help: the command; or NULL */
#define OPTION(field, kind, ...) FIELD_##kind field;
#define CHOICE(field, word)
#include "options.def"
#undef OPTION
#undef CHOICE
    unsigned long long given; /* a bit for each enum option */
    char *text;               /* what split lists point into */
};

#endif
