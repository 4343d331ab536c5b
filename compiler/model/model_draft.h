/* A model file while it is read: every field with its value and its place in the text. */
#ifndef COMPILER_MODEL_DRAFT_H
#define COMPILER_MODEL_DRAFT_H
#include "json.h"
#include "model.h"
#include "model_fields.h"

enum origin {
    FROM_NOWHERE, /* the file does not have it */
    FROM_FILE,
    FROM_MODEL, /* a stage's setting, from the model's attention object */
    FROM_DEFAULT
};

struct setting {
    enum origin origin;
    uint32_t node; /* its place, if it is in the file */
    int value;     /* see model_fields.h; unused for names, objects and lists */
};

struct draft_stage {
    uint32_t node;
    struct setting set[FIELD_COUNT]; /* of the stage and its attention object */
};

struct draft {
    const char *path; /* NULL: errors are counted, not printed */
    const struct json *json;
    int errors;
    char name[MAX_NAME + 1];
    struct setting set[FIELD_COUNT]; /* of the model, its input and its attention object */
    struct channel_numbers mean, std;
    int stages;
    struct draft_stage stage[MAX_STAGES];
};

/* Prints an error at a byte of the file, unless there have been too many. */
void draft_error(struct draft *draft, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
