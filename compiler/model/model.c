/* file -> strict scan -> cJSON -> fields with types and ranges -> stages as a whole -> model
 *
 * cJSON's items and the scan's nodes have the same order and are walked together: values come from
 * cJSON, places and the digits of integers from the scan. */
#include "model.h"
#include "file.h"
#include "identifier.h"
#include "memory.h"
#include "model_draft.h"
#include "model_family.h"
#include "model_settle.h"
#include "model_write.h"
#include "nearest.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t MOST_BYTES = 16u << 20;
static const struct json_limits model_limits = {
    .depth = 64, .values = 100000, .string_bytes = 4096};

enum { MAX_PATH = 64 };

/* Objects and lists within an object, which read_object leaves to its caller. */
struct inner {
    const cJSON *item;
    uint32_t node;
};

/* ---- errors ---------------------------------------------------------------------------------- */

/* `path` leads to an object: "" to the model, "stages[0]." to a stage. */
static void wrong_value(struct draft *draft, const char *path, enum field_id id,
                        const struct json_node *node)
{
    char allowed[FIELD_ALLOWED], excerpt[JSON_EXCERPT], length[JSON_EXCERPT];
    const char *found = json_excerpt(draft->json, node, excerpt);
    if (node->kind == JSON_ARRAY && (model_field[id].kind == FIELD_LIST || field_is_numbers(id))) {
        snprintf(length, sizeof length, "%u values", node->children);
        found = length;
    }
    draft_error(draft, node->begin, "%s%s must be %s, found %s", path, model_field[id].name,
                field_allowed(id, -1, allowed), found);
}

/* The field that a misspelt name may mean; FIELD_COUNT: none. */
static enum field_id unknown_field(struct draft *draft, const char *what, enum model_object object,
                                   const char *key, const struct json_node *node)
{
    char known[512], excerpt[JSON_EXCERPT], hint[NEAREST_TEXT];
    struct nearest nearest = {.word = key};
    size_t used = 0;
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        if (model_field[id].object != object)
            continue;
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                 model_field[id].name);
        nearest_try(&nearest, model_field[id].name);
    }
    draft_error(draft, node->key_begin, "%s must have no fields but %s, found %s%s", what, known,
                json_key_excerpt(draft->json, node, excerpt), nearest_hint(&nearest, hint));
    return nearest.name ? field_find(object, nearest.name) : FIELD_COUNT;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static bool read_integer(const struct draft *draft, enum field_id id, const struct json_node *node,
                         int *value)
{
    int64_t found;
    struct field_range range = field_hull(id);
    if (!json_integer(draft->json, node, &found) || found < range.least || found > range.most)
        return false;
    *value = (int)found;
    return model_field[id].kind != FIELD_ODD || found % 2 == 1;
}

static bool read_choice(const cJSON *item, enum field_id id, int *value)
{
    struct field_range range = field_hull(id);
    if (!cJSON_IsString(item))
        return false;
    for (*value = range.least; *value <= range.most; ++*value)
        if (strcmp(item->valuestring, model_field[id].choice[*value]) == 0)
            return true;
    return false;
}

static bool read_name(struct draft *draft, const cJSON *item)
{
    if (!cJSON_IsString(item) || !identifier_valid(item->valuestring))
        return false;
    strcpy(draft->name, item->valuestring);
    return true;
}

static bool read_value(struct draft *draft, const cJSON *item, const struct json_node *node,
                       enum field_id id, int *value)
{
    const struct field *field = &model_field[id];
    switch (field->kind) {
    case FIELD_INTEGER:
    case FIELD_ODD:
        return read_integer(draft, id, node, value);
    case FIELD_BOOLEAN:
        *value = cJSON_IsTrue(item);
        return cJSON_IsBool(item);
    case FIELD_CHOICE:
        return read_choice(item, id, value);
    case FIELD_NAME:
        return read_name(draft, item);
    case FIELD_TEXT:
        return cJSON_IsString(item);
    case FIELD_OBJECT:
        return cJSON_IsObject(item);
    case FIELD_NUMBERS: /* each of them: read_numbers */
    case FIELD_POSITIVES:
    case FIELD_LIST:
        return cJSON_IsArray(item) && (int64_t)node->children >= field->range[0].least &&
               (int64_t)node->children <= field->range[0].most;
    }
    return false;
}

/* Fields that the object lacks: an error where one is required, else its default. */
static void fill_in(struct draft *draft, const char *path, enum model_object object,
                    const struct json_node *node, struct setting *set)
{
    char allowed[FIELD_ALLOWED];
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        if (model_field[id].object != object || set[id].origin != FROM_NOWHERE)
            continue;
        int initial = model_field[id].range[0].initial;
        if (initial == FIELD_REQUIRED)
            draft_error(draft, node->begin, "%s%s must be %s, found nothing", path,
                        model_field[id].name, field_allowed(id, -1, allowed));
        else if (object != OBJECT_ATTENTION) /* whose defaults depend on the type */
            set[id] = (struct setting){FROM_DEFAULT, 0, initial};
    }
}

/* Reads the fields of an object. what: its name in errors; path: comes before its fields' names. */
static void read_object(struct draft *draft, const cJSON *object, uint32_t index,
                        enum model_object kind, const char *what, const char *path,
                        struct setting *set, struct inner *inner)
{
    const struct json_node *nodes = draft->json->node;
    uint32_t at = index + 1;
    for (const cJSON *item = object->child; item; item = item->next, at = nodes[at].next) {
        enum field_id id = field_find(kind, item->string);
        if (id == FIELD_COUNT) {
            id = unknown_field(draft, what, kind, item->string, &nodes[at]);
            if (id < FIELD_COUNT && set[id].origin == FROM_NOWHERE)
                set[id] = (struct setting){.origin = FROM_FILE,
                                           .node = at}; /* so that it does not count as missing */
            continue;
        }
        set[id] = (struct setting){.origin = FROM_FILE, .node = at};
        if (!read_value(draft, item, &nodes[at], id, &set[id].value))
            wrong_value(draft, path, id, &nodes[at]);
        else if (inner)
            inner[id] = (struct inner){item, at};
    }
    fill_in(draft, path, kind, &nodes[index], set);
}

/* The numbers of a field that is an array. */
static void read_numbers(struct draft *draft, enum field_id id, const struct inner *inner,
                         struct channel_numbers *to)
{
    const struct json_node *nodes = draft->json->node;
    bool positive = model_field[id].kind == FIELD_POSITIVES;
    char excerpt[JSON_EXCERPT];
    uint32_t at = inner->node + 1;
    for (const cJSON *item = inner->item->child; item; item = item->next, at = nodes[at].next) {
        double value = item->valuedouble;
        if (!cJSON_IsNumber(item) || !isfinite(value) || (positive && value <= 0))
            draft_error(draft, nodes[at].begin, "input.%s[%d] must be a finite number%s, found %s",
                        model_field[id].name, to->count, positive ? " above 0" : "",
                        json_excerpt(draft->json, &nodes[at], excerpt));
        to->value[to->count++] = value;
    }
    int channels = draft->set[INPUT_CHANNELS].value;
    if (channels && to->count != channels)
        draft_error(draft, nodes[inner->node].begin,
                    "input.%s must have a number for each of the %d channels, found %d values",
                    model_field[id].name, channels, to->count);
}

static void read_input(struct draft *draft, const struct inner *input)
{
    static const cJSON empty; /* an object that is left out */
    struct inner inner[FIELD_COUNT] = {0};
    read_object(draft, input->item ? input->item : &empty, input->node, OBJECT_INPUT, "input",
                "input.", draft->set, inner);
    if (inner[INPUT_MEAN].item)
        read_numbers(draft, INPUT_MEAN, &inner[INPUT_MEAN], &draft->mean);
    if (inner[INPUT_STD].item)
        read_numbers(draft, INPUT_STD, &inner[INPUT_STD], &draft->std);
}

static void read_stage(struct draft *draft, const cJSON *item, uint32_t node, int stage)
{
    char what[MAX_PATH], path[MAX_PATH];
    struct draft_stage *to = &draft->stage[stage];
    struct inner inner[FIELD_COUNT] = {0};
    snprintf(what, sizeof what, "stages[%d]", stage);
    to->node = node;
    if (!cJSON_IsObject(item)) {
        char excerpt[JSON_EXCERPT];
        const struct json_node *found = &draft->json->node[node];
        draft_error(draft, found->begin, "%s must be an object, found %s", what,
                    json_excerpt(draft->json, found, excerpt));
        return;
    }
    snprintf(path, sizeof path, "stages[%d].", stage);
    read_object(draft, item, node, OBJECT_STAGE, what, path, to->set, inner);
    if (!inner[STAGE_ATTENTION].item)
        return;
    snprintf(what, sizeof what, "stages[%d].attention", stage);
    snprintf(path, sizeof path, "stages[%d].attention.", stage);
    read_object(draft, inner[STAGE_ATTENTION].item, inner[STAGE_ATTENTION].node, OBJECT_ATTENTION,
                what, path, to->set, NULL);
}

static void read_fields(struct draft *draft, const cJSON *root)
{
    const struct json_node *nodes = draft->json->node;
    struct inner inner[FIELD_COUNT] = {0};
    if (!cJSON_IsObject(root)) {
        char excerpt[JSON_EXCERPT];
        draft_error(draft, nodes->begin, "the model must be an object, found %s",
                    json_excerpt(draft->json, nodes, excerpt));
        return;
    }
    read_object(draft, root, 0, OBJECT_MODEL, "the model", "", draft->set, inner);
    const cJSON *attention = inner[MODEL_ATTENTION].item;
    read_input(draft, &inner[MODEL_INPUT]);
    if (attention)
        read_object(draft, attention, inner[MODEL_ATTENTION].node, OBJECT_ATTENTION, "attention",
                    "attention.", draft->set, NULL);
    if (!inner[MODEL_STAGES].item)
        return;
    uint32_t at = inner[MODEL_STAGES].node + 1;
    for (const cJSON *item = inner[MODEL_STAGES].item->child; item; item = item->next) {
        read_stage(draft, item, at, draft->stages++);
        at = nodes[at].next;
    }
}

/* ---- the whole file -------------------------------------------------------------------------- */

/* Halves the map for each stage, and settles those that have blocks. */
static void settle_attention(struct draft *draft)
{
    int height = draft->set[INPUT_HEIGHT].value, width = draft->set[INPUT_WIDTH].value;
    for (int i = 0; i < draft->stages; i++) {
        const struct draft_stage *stage = &draft->stage[i];
        if (height < 2 || width < 2) {
            draft_error(
                draft, draft->json->node[stage->node].begin,
                "stages[%d] must have a map of at least 2 x 2 pixels to pool, found %d x %d "
                "(height x width, of the input's %d x %d)",
                i, height, width, draft->set[INPUT_HEIGHT].value, draft->set[INPUT_WIDTH].value);
            return;
        }
        height /= 2;
        width /= 2;
        if (stage->set[STAGE_BLOCKS].value > 0)
            draft_settle(draft, i, height, width);
    }
}

static void settle_stages(struct draft *draft)
{
    draft_check_family(draft);
    if (draft->set[MODEL_FAMILY].value == FAMILY_RESNET) /* whose maps, rounded up, never vanish */
        for (int i = 0; i < draft->stages; i++)
            draft_check_resnet(draft, i);
    else if (!draft->errors) /* where `family` is missing, attention would be, too */
        settle_attention(draft);
}

/* Copies the fields of the kinds of objects from `first` to `last` into their struct. */
static void take_fields(const struct setting *set, enum model_object first, enum model_object last,
                        void *object)
{
    for (enum field_id id = 0; id < FIELD_COUNT; id++)
        if (model_field[id].object >= first && model_field[id].object <= last && field_is_int(id))
            *field_at(id, object) = set[id].value;
}

static void finish_model(const struct draft *draft, struct model *model)
{
    *model = (struct model){.stages = draft->stages};
    strcpy(model->name, draft->name);
    take_fields(draft->set, OBJECT_MODEL, OBJECT_INPUT, model);
    model->mean = draft->mean;
    model->std = draft->std;
    for (int i = 0; i < draft->stages; i++) {
        const struct setting *set = draft->stage[i].set;
        struct stage *stage = &model->stage[i];
        take_fields(set, OBJECT_STAGE, OBJECT_STAGE, stage);
        if (model->family == FAMILY_SAN && stage->blocks > 0)
            take_fields(set, OBJECT_ATTENTION, OBJECT_ATTENTION, &stage->attention);
    }
}

static enum status read_json(const char *path, const struct json *json, struct model *model)
{
    struct draft draft = {.path = path, .json = json};
    const struct json_node *root = json->node;
    cJSON *items = cJSON_ParseWithLength(json->text + root->begin, root->end - root->begin);
    if (!items)
        memory_fail();
    read_fields(&draft, items);
    cJSON_Delete(items);
    if (!draft.errors)
        settle_stages(&draft);
    if (draft.errors)
        return STATUS_INPUT;
    finish_model(&draft, model);
    return STATUS_DONE;
}

enum status model_read(const char *path, struct model *model)
{
    char *text;
    size_t size;
    enum status status = file_read(path, MOST_BYTES, &text, &size);
    if (status == STATUS_DONE) {
        status = model_parse(path, text, size, model);
        free(text);
    }
    return status;
}

enum status model_parse(const char *path, const char *text, size_t size, struct model *model)
{
    enum status status = STATUS_INPUT;
    struct json json;
    struct error error = {.file = path};
    if (json_scan(&json, text, size, &model_limits, &error)) {
        status = read_json(path, &json, model);
        json_free(&json);
    } else {
        diag_report(&error);
    }
    return status;
}

bool model_valid(const struct model *model)
{
    char *text = NULL;
    size_t size;
    struct json json;
    struct error error;
    struct model read;
    FILE *stream = memory_stream(&text, &size);
    model_write_json(model, stream);
    memory_stream_end(stream);
    bool valid = false;
    if (json_scan(&json, text, size, &model_limits, &error)) {
        valid = read_json(NULL, &json, &read) == STATUS_DONE;
        json_free(&json);
    }
    free(text);
    return valid;
}
