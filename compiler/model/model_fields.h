/* The fields of a model file in one table: names, ranges, defaults. */
#ifndef COMPILER_MODEL_FIELDS_H
#define COMPILER_MODEL_FIELDS_H
#include "model.h"
#include <stddef.h>

enum model_object { OBJECT_MODEL, OBJECT_INPUT, OBJECT_STAGE, OBJECT_ATTENTION };

enum field_id {
#define FIELD(object, id, ...) object##_##id,
#include "fields.def"
#undef FIELD
    FIELD_COUNT
};

enum field_kind {
    FIELD_INTEGER,
    FIELD_ODD,     /* an odd integer */
    FIELD_BOOLEAN, /* 0 or 1 */
    FIELD_CHOICE,  /* one of some strings; its value is the index in `choice` */
    FIELD_NAME,    /* a C identifier of at most `most` characters */
    FIELD_TEXT,    /* any string; ignored */
    FIELD_OBJECT,
    FIELD_LIST,     /* an array of `least` to `most` objects */
    FIELD_NUMBERS,  /* an array of as many finite numbers as the image has channels */
    FIELD_POSITIVES /* likewise, each above 0 */
};

/* In place of a default. */
enum {
    FIELD_REQUIRED = -1, /* there is none */
    FIELD_DERIVED = -2,  /* it follows from other fields, as `derived` says */
    FIELD_OPTIONAL = -3  /* it may be left out, and has no default */
};

struct field_range {
    int least, most, initial;
};

struct field {
    enum model_object object;
    const char *name;
    enum field_kind kind;
    struct field_range range[2]; /* where attention is pairwise, patchwise */
    const char *const *choice;   /* by value; NULL: none */
    const char *derived;
    ptrdiff_t place; /* of its int, or struct channel_numbers, in its struct; -1: it has none */
    const char *meaning;
};

extern const struct field model_field[FIELD_COUNT];

/* FIELD_COUNT: an object of that kind has no such field. */
enum field_id field_find(enum model_object object, const char *name);

/* The int of a field in its struct: model (also for the fields of OBJECT_INPUT), stage or
 * attention. */
int *field_at(enum field_id id, void *object);
int field_value(enum field_id id, const void *object);
/* The default of a stage's kind of block, or of a setting of its attention. Type, transforms and
 * value_channels must be known already where the default depends on them. */
int field_default(enum field_id id, const struct stage *stage);
/* Whether it holds an int; the functions above are for those alone. */
bool field_is_int(enum field_id id);
/* The numbers of a field of FIELD_NUMBERS or FIELD_POSITIVES. */
bool field_is_numbers(enum field_id id);
const struct channel_numbers *field_numbers(enum field_id id, const struct model *model);
/* How a value is written in JSON: "\"zero\"", "true", "7". */
enum { FIELD_WRITTEN = 32 };
const char *field_written(enum field_id id, int value, char text[FIELD_WRITTEN]);

/* The allowed values, such as "an integer from 0 to 256", for any type of attention (type -1) or
 * for one (its index). */
enum { FIELD_ALLOWED = 256 };
const char *field_allowed(enum field_id id, int type, char allowed[FIELD_ALLOWED]);

/* The least and the most a field can be whatever the attention's type. */
struct field_range field_hull(enum field_id id);

#endif
