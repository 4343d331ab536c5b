#include "model_fields.h"
#include "model.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CHANNELS = 65536 };

#define RANGE(least, most, initial)                                                                \
    {                                                                                              \
        least, most, initial                                                                       \
    }
#define BY_TYPE(pairwise, patchwise)                                                               \
    {                                                                                              \
        pairwise, patchwise                                                                        \
    }
#define ALIKE(...) BY_TYPE(RANGE(__VA_ARGS__), RANGE(__VA_ARGS__))
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE NULL
#define NOWHERE (-1)
#define OF_MODEL(field) offsetof(struct model, field)
#define OF_STAGE(field) offsetof(struct stage, field)
#define OF_ATTENTION(field) offsetof(struct attention, field)

static const char *const relation_words[] = {
#define RELATION(name, traits, scalar) #name,
#include "relations.def"
};

const struct field model_field[FIELD_COUNT] = {
#define FIELD(object, id, name, kind, ranges, choices, derived, place, meaning)                    \
    [object##_##                                                                                   \
        id] = {OBJECT_##object, name, FIELD_##kind, ranges, choices, derived, place, meaning},
#include "fields.def"
#undef FIELD
};

bool field_is_numbers(enum field_id id)
{
    return model_field[id].kind == FIELD_NUMBERS || model_field[id].kind == FIELD_POSITIVES;
}

bool field_is_int(enum field_id id)
{
    return model_field[id].place >= 0 && !field_is_numbers(id);
}

const struct channel_numbers *field_numbers(enum field_id id, const struct model *model)
{
    assert(field_is_numbers(id));
    return (const struct channel_numbers *)(const void *)((const char *)model +
                                                          model_field[id].place);
}

int *field_at(enum field_id id, void *object)
{
    assert(field_is_int(id));
    return (int *)(void *)((char *)object + model_field[id].place);
}

int field_value(enum field_id id, const void *object)
{
    assert(field_is_int(id));
    return *(const int *)(const void *)((const char *)object + model_field[id].place);
}

int field_default(enum field_id id, const struct stage *stage)
{
    const struct attention *a = &stage->attention;
    if (id == STAGE_BLOCK)
        return model_field[MODEL_BLOCK].range[0].initial;
    if (id == ATTENTION_VALUE_CHANNELS)
        return stage->channels / 4;
    if (id == ATTENTION_RELATION_CHANNELS)
        return a->transforms == TRANSFORMS_PHI_PSI_BETA ? a->value_channels : stage->channels / 16;
    return model_field[id].range[a->patchwise].initial;
}

const char *field_written(enum field_id id, int value, char text[FIELD_WRITTEN])
{
    if (model_field[id].kind == FIELD_CHOICE)
        snprintf(text, FIELD_WRITTEN, "\"%s\"", model_field[id].choice[value]);
    else if (model_field[id].kind == FIELD_BOOLEAN)
        snprintf(text, FIELD_WRITTEN, "%s", value ? "true" : "false");
    else
        snprintf(text, FIELD_WRITTEN, "%d", value);
    return text;
}

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
        snprintf(allowed, FIELD_ALLOWED, IDENTIFIER_RULE);
        break;
    case FIELD_TEXT:
        snprintf(allowed, FIELD_ALLOWED, "a string");
        break;
    case FIELD_OBJECT:
        snprintf(allowed, FIELD_ALLOWED, "an object");
        break;
    case FIELD_LIST:
        snprintf(allowed, FIELD_ALLOWED, "an array of %d to %d objects", range.least, range.most);
        break;
    case FIELD_NUMBERS:
    case FIELD_POSITIVES:
        snprintf(allowed, FIELD_ALLOWED, "an array of a finite number%s for each channel",
                 field->kind == FIELD_POSITIVES ? " above 0" : "");
        break;
    }
    return allowed;
}
