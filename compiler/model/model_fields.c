#include "model_fields.h"
#include "model.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CHANNELS = 65536 };

/* For both types of attention alike. */
#define ALIKE(least, most, initial)                                                                \
    {                                                                                              \
        {least, most, initial},                                                                    \
        {                                                                                          \
            least, most, initial                                                                   \
        }                                                                                          \
    }

#define FIELD(object, name, kind, least, most, initial)                                            \
    {                                                                                              \
        OBJECT_##object, name, FIELD_##kind, ALIKE(least, most, initial), {0}, NULL                \
    }

/* clang-format off */
const struct field model_field[FIELD_COUNT] = {
    [MODEL_FORMAT] = {OBJECT_MODEL, "format", FIELD_CHOICE,
        ALIKE(0, 0, FIELD_REQUIRED), {"san"}, NULL},
    [MODEL_VERSION] = FIELD(MODEL, "version", INTEGER, 1, 1, FIELD_REQUIRED),
    [MODEL_NAME] = FIELD(MODEL, "name", NAME, 1, MAX_NAME, FIELD_REQUIRED),
    [MODEL_INPUT] = FIELD(MODEL, "input", OBJECT, 0, 0, 0),
    [MODEL_CLASSES] = FIELD(MODEL, "classes", INTEGER, 1, 1000000, FIELD_REQUIRED),
    [MODEL_STEM_CHANNELS] = FIELD(MODEL, "stem_channels", INTEGER, 1, MAX_CHANNELS, 64),
    [MODEL_ATTENTION] = FIELD(MODEL, "attention", OBJECT, 0, 0, 0),
    [MODEL_STAGES] = FIELD(MODEL, "stages", LIST, 1, MAX_STAGES, FIELD_REQUIRED),

    [INPUT_CHANNELS] = FIELD(INPUT, "channels", INTEGER, 1, 1024, 3),
    [INPUT_HEIGHT] = FIELD(INPUT, "height", INTEGER, 1, 4096, 224),
    [INPUT_WIDTH] = FIELD(INPUT, "width", INTEGER, 1, 4096, 224),

    [STAGE_BLOCKS] = FIELD(STAGE, "blocks", INTEGER, 0, 256, FIELD_REQUIRED),
    [STAGE_CHANNELS] = FIELD(STAGE, "channels", INTEGER, 1, MAX_CHANNELS, FIELD_REQUIRED),
    [STAGE_ATTENTION] = FIELD(STAGE, "attention", OBJECT, 0, 0, 0),

    [ATTENTION_TYPE] = {OBJECT_ATTENTION, "type", FIELD_CHOICE,
        ALIKE(0, 1, 0), {"pairwise", "patchwise"}, NULL},
    [ATTENTION_RELATION] = {OBJECT_ATTENTION, "relation", FIELD_CHOICE,
        {{RELATION_SUBTRACTION, RELATION_CONCATENATION, RELATION_SUBTRACTION},
         {RELATION_CONCATENATION, RELATION_CLIQUE, RELATION_CONCATENATION}},
        {"subtraction", "summation", "hadamard", "dot", "concatenation", "star", "clique"}, NULL},
    [ATTENTION_MAPPING] = {OBJECT_ATTENTION, "mapping", FIELD_INTEGER,
        {{0, 3, 2}, {1, 3, 2}}, {0}, NULL},
    [ATTENTION_POSITION] = {OBJECT_ATTENTION, "position", FIELD_CHOICE,
        {{POSITION_NONE, POSITION_ABSOLUTE, POSITION_RELATIVE},
         {POSITION_NONE, POSITION_NONE, POSITION_NONE}},
        {"none", "relative", "absolute"}, NULL},
    [ATTENTION_SOFTMAX] = {OBJECT_ATTENTION, "softmax", FIELD_BOOLEAN,
        {{0, 1, 1}, {0, 1, 0}}, {0}, NULL},
    [ATTENTION_FOOTPRINT] = FIELD(ATTENTION, "footprint", ODD, 1, 15, 7),
    [ATTENTION_DILATION] = FIELD(ATTENTION, "dilation", INTEGER, 1, 8, 1),
    [ATTENTION_PADDING] = {OBJECT_ATTENTION, "padding", FIELD_CHOICE,
        ALIKE(PADDING_REFLECT, PADDING_ZERO, PADDING_REFLECT), {"reflect", "zero"}, NULL},
    [ATTENTION_SHARE] = FIELD(ATTENTION, "share", INTEGER, 1, MAX_CHANNELS, 8),
    [ATTENTION_RELATION_CHANNELS] = {OBJECT_ATTENTION, "relation_channels", FIELD_INTEGER,
        ALIKE(1, MAX_CHANNELS, FIELD_DERIVED), {0},
        "channels / 16, or value_channels where transforms is \"phi=psi=beta\""},
    [ATTENTION_VALUE_CHANNELS] = {OBJECT_ATTENTION, "value_channels", FIELD_INTEGER,
        ALIKE(1, MAX_CHANNELS, FIELD_DERIVED), {0}, "channels / 4"},
    [ATTENTION_TRANSFORMS] = {OBJECT_ATTENTION, "transforms", FIELD_CHOICE,
        ALIKE(TRANSFORMS_DISTINCT, TRANSFORMS_PHI_PSI_BETA, TRANSFORMS_DISTINCT),
        {"distinct", "phi=psi", "phi=psi=beta"}, NULL}};
/* clang-format on */

enum field_id field_find(enum model_object object, const char *name)
{
    enum field_id id = 0;
    while (id < FIELD_COUNT &&
           (model_field[id].object != object || strcmp(model_field[id].name, name) != 0))
        id++;
    return id;
}

struct field_range field_hull(enum field_id id)
{
    const struct field_range *a = &model_field[id].range[0], *b = &model_field[id].range[1];
    return (struct field_range){a->least < b->least ? a->least : b->least,
                                a->most > b->most ? a->most : b->most, a->initial};
}

/* "a", "b" or "c" */
static void list_choices(const struct field *field, struct field_range range, char *text,
                         size_t size)
{
    size_t used = 0;
    for (int i = range.least; i <= range.most; i++) {
        const char *joint = i == range.least ? "" : i == range.most ? " or " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", joint, field->choice[i]);
        assert(used < size);
    }
}

const char *field_allowed(enum field_id id, int type, char allowed[FIELD_ALLOWED])
{
    const struct field *field = &model_field[id];
    struct field_range range = type < 0 ? field_hull(id) : field->range[type];
    switch (field->kind) {
    case FIELD_INTEGER:
    case FIELD_ODD:
        if (range.least == range.most)
            snprintf(allowed, FIELD_ALLOWED, "%d", range.least);
        else
            snprintf(allowed, FIELD_ALLOWED, "an %sinteger from %d to %d",
                     field->kind == FIELD_ODD ? "odd " : "", range.least, range.most);
        break;
    case FIELD_BOOLEAN:
        snprintf(allowed, FIELD_ALLOWED, "true or false");
        break;
    case FIELD_CHOICE:
        list_choices(field, range, allowed, FIELD_ALLOWED);
        break;
    case FIELD_NAME:
        snprintf(allowed, FIELD_ALLOWED,
                 "a C identifier of at most %d characters, no keyword of C or C++, not san or san_...", range.most);
        break;
    case FIELD_OBJECT:
        snprintf(allowed, FIELD_ALLOWED, "an object");
        break;
    case FIELD_LIST:
        snprintf(allowed, FIELD_ALLOWED, "an array of %d to %d objects", range.least, range.most);
        break;
    }
    return allowed;
}
