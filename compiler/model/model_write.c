/* Writes a model as JSON. Settings of the first stage with blocks go into the model's `attention`,
 * others into their stage; values that are the default anyway are left out. */
#include "model_write.h"
#include "model_fields.h"
#include <stdlib.h>
#include <string.h>

static void write_field(FILE *file, const char *before, enum field_id id, int value)
{
    char text[FIELD_WRITTEN];
    fprintf(file, "%s\"%s\": %s", before, model_field[id].name, field_written(id, value, text));
}

/* The fields of a kind of object; those with their default value only where they are
 * sizes, and with_sizes. */
static void write_fields(FILE *file, enum model_object kind, const void *object, bool with_sizes)
{
    const char *before = "";
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        if (model_field[id].object != kind || !field_is_int(id))
            continue;
        int value = field_value(id, object);
        int initial = model_field[id].range[0].initial;
        bool size = model_field[id].kind == FIELD_INTEGER;
        if (initial == FIELD_DERIVED)
            initial = field_default(id, object); /* of a stage */
        if (value == initial && !(with_sizes && size))
            continue;
        write_field(file, before, id, value);
        before = ", ";
    }
}

/* Writes `before` and the settings of a stage that it neither inherits nor has by default. It
 * inherits from `base`, the model's attention, where said[]; base NULL: writes the model's
 * attention, and sets said[]. Returns whether there are any. */
static bool write_attention(FILE *file, const char *before, const struct stage *stage,
                            const struct attention *base, bool said[FIELD_COUNT])
{
    bool written = false;
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        if (model_field[id].object != OBJECT_ATTENTION)
            continue;
        int value = field_value(id, &stage->attention);
        if (value == (base && said[id] ? field_value(id, base) : field_default(id, stage)))
            continue;
        if (!written)
            fprintf(file, "%s\"attention\": {", before);
        write_field(file, written ? ", " : "", id, value);
        written = true;
        said[id] = said[id] || !base;
    }
    if (written)
        fprintf(file, "}");
    return written;
}

/* base NULL: without attention. */
static void write_stage(FILE *file, const struct stage *stage, const struct attention *base,
                        bool said[FIELD_COUNT])
{
    fprintf(file, "{");
    write_fields(file, OBJECT_STAGE, stage, false);
    if (base && stage->blocks)
        write_attention(file, ", ", stage, base, said);
    fprintf(file, "}");
}

static void write_numbers(FILE *file, enum field_id id, const struct model *model)
{
    const struct channel_numbers *numbers = field_numbers(id, model);
    char text[FIELD_WRITTEN];
    for (int i = 0; i < numbers->count; i++) {
        double value = numbers->value[i];
        snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) != value)
            snprintf(text, sizeof text, "%.17g", value);
        if (i == 0)
            fprintf(file, ", \"%s\": [", model_field[id].name);
        fprintf(file, "%s%s", i ? ", " : "", text);
    }
    fprintf(file, numbers->count ? "]" : "");
}

static void write_head(FILE *file, const struct model *model)
{
    fprintf(file, "{\"format\": \"san\", \"version\": 1, \"name\": \"%s\",\n \"input\": {",
            model->name);
    write_fields(file, OBJECT_INPUT, model, true);
    write_numbers(file, INPUT_MEAN, model);
    write_numbers(file, INPUT_STD, model);
    fprintf(file, "},\n ");
    write_fields(file, OBJECT_MODEL, model, false);
    fprintf(file, ",\n");
}

void model_write_json(const struct model *model, FILE *file)
{
    bool said[FIELD_COUNT] = {false};
    const struct attention *base = NULL;
    write_head(file, model);
    for (int i = 0; i < model->stages && !base; i++) {
        if (model->family != FAMILY_SAN || !model->stage[i].blocks)
            continue;
        fprintf(file, write_attention(file, " ", &model->stage[i], NULL, said) ? ",\n" : " \n");
        base = &model->stage[i].attention;
    }
    fprintf(file, " \"stages\": [");
    for (int i = 0; i < model->stages; i++) {
        fprintf(file, "%s", i ? ",\n            " : "");
        write_stage(file, &model->stage[i], base, said);
    }
    fprintf(file, "]}\n");
}

/* Compares the fields of the kinds of objects from `first` to `last`, which are in one struct. */
static bool equal_fields(enum model_object first, enum model_object last, const void *a,
                         const void *b)
{
    for (enum field_id id = 0; id < FIELD_COUNT; id++)
        if (model_field[id].object >= first && model_field[id].object <= last && field_is_int(id) &&
            field_value(id, a) != field_value(id, b))
            return false;
    return true;
}

static bool equal_numbers(const struct channel_numbers *a, const struct channel_numbers *b)
{
    return a->count == b->count &&
           memcmp(a->value, b->value, (size_t)a->count * sizeof *a->value) == 0;
}

bool model_equal(const struct model *a, const struct model *b)
{
    if (strcmp(a->name, b->name) || !equal_fields(OBJECT_MODEL, OBJECT_INPUT, a, b) ||
        !equal_numbers(&a->mean, &b->mean) || !equal_numbers(&a->std, &b->std) ||
        a->stages != b->stages)
        return false;
    for (int i = 0; i < a->stages; i++) {
        const struct stage *p = &a->stage[i], *q = &b->stage[i];
        if (!equal_fields(OBJECT_STAGE, OBJECT_STAGE, p, q))
            return false;
        if (a->family == FAMILY_SAN && p->blocks &&
            !equal_fields(OBJECT_ATTENTION, OBJECT_ATTENTION, &p->attention, &q->attention))
            return false;
    }
    return true;
}
