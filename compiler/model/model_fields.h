/* The fields of a model file in one table: names, ranges, defaults. */
#ifndef COMPILER_MODEL_FIELDS_H
#define COMPILER_MODEL_FIELDS_H
#include <stdbool.h>
#include <stddef.h>

enum model_object { OBJECT_MODEL, OBJECT_INPUT, OBJECT_STAGE, OBJECT_ATTENTION };

enum field_id {
    MODEL_FORMAT,
    MODEL_VERSION,
    MODEL_NAME,
    MODEL_INPUT,
    MODEL_CLASSES,
    MODEL_STEM_CHANNELS,
    MODEL_ATTENTION,
    MODEL_STAGES,
    INPUT_CHANNELS,
    INPUT_HEIGHT,
    INPUT_WIDTH,
    STAGE_BLOCKS,
    STAGE_CHANNELS,
    STAGE_ATTENTION,
    ATTENTION_TYPE,
    ATTENTION_RELATION,
    ATTENTION_MAPPING,
    ATTENTION_POSITION,
    ATTENTION_SOFTMAX,
    ATTENTION_FOOTPRINT,
    ATTENTION_DILATION,
    ATTENTION_PADDING,
    ATTENTION_SHARE,
    ATTENTION_RELATION_CHANNELS,
    ATTENTION_VALUE_CHANNELS,
    ATTENTION_TRANSFORMS,
    FIELD_COUNT
};

enum field_kind {
    FIELD_INTEGER,
    FIELD_ODD,     /* an odd integer */
    FIELD_BOOLEAN, /* 0 or 1 */
    FIELD_CHOICE,  /* one of some strings; its value is the index in `choice` */
    FIELD_NAME,    /* a C identifier of at most `most` characters */
    FIELD_OBJECT,
    FIELD_LIST /* an array of `least` to `most` objects */
};

/* In place of a default. */
enum {
    FIELD_REQUIRED = -1, /* there is none */
    FIELD_DERIVED = -2   /* it follows from other fields, as `derived` says */
};

struct field_range {
    int least, most, initial;
};

struct field {
    enum model_object object;
    const char *name;
    enum field_kind kind;
    struct field_range range[2]; /* where attention is pairwise, patchwise */
    const char *choice[8];       /* up to NULL */
    const char *derived;
};

extern const struct field model_field[FIELD_COUNT];

/* FIELD_COUNT: an object of that kind has no such field. */
enum field_id field_find(enum model_object object, const char *name);

/* What may stand there, as "an integer from 0 to 256", for any type of attention (type -1) or for
 * one (its index). */
enum { FIELD_ALLOWED = 256 };
const char *field_allowed(enum field_id id, int type, char allowed[FIELD_ALLOWED]);

/* The least and the most a field can be whatever the attention's type. */
struct field_range field_hull(enum field_id id);

#endif
