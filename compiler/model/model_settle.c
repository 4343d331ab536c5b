/* A stage's attention: its own settings over the model's over the defaults, valid as a whole. */
#include "model_settle.h"
#include <stdarg.h>
#include <stdio.h>

/* A setting's value and its origin, for an error. */
static void describe_setting(const struct draft *draft, const struct setting *set, enum field_id id,
                             char *text, size_t size)
{
    const struct field *field = &model_field[id];
    char excerpt[JSON_EXCERPT];
    if (set->origin == FROM_FILE)
        snprintf(text, size, "%s",
                 json_excerpt(draft->json, &draft->json->node[set->node], excerpt));
    else if (set->origin == FROM_MODEL)
        snprintf(text, size, "%s from attention.%s",
                 json_excerpt(draft->json, &draft->json->node[set->node], excerpt), field->name);
    else if (field->kind == FIELD_CHOICE)
        snprintf(text, size, "\"%s\" by default", field->choice[set->value]);
    else if (field->derived)
        snprintf(text, size, "%d by default (%s)", set->value, field->derived);
    else
        snprintf(text, size, "%d by default", set->value);
}

/* stages[i].attention.FIELD must ..., found ... */
__attribute__((format(printf, 4, 5))) static void
setting_error(struct draft *draft, int stage, enum field_id id, const char *format, ...)
{
    const struct draft_stage *in = &draft->stage[stage];
    const struct setting *set = &in->set[id];
    char must[512], found[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(must, sizeof must, format, arguments);
    va_end(arguments);
    describe_setting(draft, set, id, found, sizeof found);
    uint32_t node = set->origin == FROM_DEFAULT ? in->node : set->node;
    draft_error(draft, draft->json->node[node].begin, "stages[%d].attention.%s must %s, found %s",
                stage, model_field[id].name, must, found);
}

/* Settings on which the defaults of others depend. */
static const enum field_id settled_first[] = {ATTENTION_TYPE, ATTENTION_TRANSFORMS,
                                              ATTENTION_VALUE_CHANNELS};

/* Each setting is the stage's, or the model's, or its default. */
static void fill_defaults(const struct draft *draft, struct setting *set)
{
    enum { FIRST = sizeof settled_first / sizeof *settled_first };
    struct stage stage = {.channels = set[STAGE_CHANNELS].value};
    for (int i = 0; i < FIRST + FIELD_COUNT; i++) {
        enum field_id id = i < FIRST ? settled_first[i] : (enum field_id)(i - FIRST);
        if (model_field[id].object != OBJECT_ATTENTION)
            continue;
        if (set[id].origin == FROM_NOWHERE && draft->set[id].origin == FROM_FILE) {
            set[id] = draft->set[id];
            set[id].origin = FROM_MODEL;
        }
        if (set[id].origin == FROM_NOWHERE)
            set[id] = (struct setting){FROM_DEFAULT, 0, field_default(id, &stage)};
        *field_at(id, &stage.attention) = set[id].value;
    }
}

/* Checks each setting alone, for the type of the stage. */
static void check_ranges(struct draft *draft, int stage)
{
    const struct setting *set = draft->stage[stage].set;
    int type = set[ATTENTION_TYPE].value;
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        const struct field_range *range = &model_field[id].range[type];
        if (model_field[id].object != OBJECT_ATTENTION ||
            (set[id].value >= range->least && set[id].value <= range->most))
            continue;
        char allowed[FIELD_ALLOWED];
        struct field_range hull = field_hull(id);
        bool by_type = range->least != hull.least || range->most != hull.most;
        setting_error(draft, stage, id, "be %s%s%s%s", field_allowed(id, type, allowed),
                      by_type ? " where type is \"" : "",
                      by_type ? model_field[ATTENTION_TYPE].choice[type] : "", by_type ? "\"" : "");
    }
}

static const int position_width[] = {
    [POSITION_NONE] = 0, [POSITION_RELATIVE] = 2, [POSITION_ABSOLUTE] = 4};

/* The width of the relation before the pairwise mapping, position channels included. */
static int pairwise_width(const struct setting *set)
{
    int64_t width =
        relation_width(set[ATTENTION_RELATION].value, 1, set[ATTENTION_RELATION_CHANNELS].value);
    return (int)width + position_width[set[ATTENTION_POSITION].value];
}

static void check_widths(struct draft *draft, int stage)
{
    const struct setting *set = draft->stage[stage].set;
    int values = set[ATTENTION_VALUE_CHANNELS].value, share = set[ATTENTION_SHARE].value;
    int relation = set[ATTENTION_RELATION_CHANNELS].value;
    if (set[ATTENTION_TRANSFORMS].value == TRANSFORMS_PHI_PSI_BETA && relation != values)
        setting_error(draft, stage, ATTENTION_RELATION_CHANNELS,
                      "equal value_channels (%d) where transforms is \"phi=psi=beta\"", values);
    if (values % share != 0)
        setting_error(draft, stage, ATTENTION_SHARE, "divide value_channels (%d)", values);
    else if (set[ATTENTION_MAPPING].value == 0 && pairwise_width(set) != values / share)
        setting_error(draft, stage, ATTENTION_MAPPING,
                      "be an integer from 1 to 3 where the relation's width with its position (%d) "
                      "is not that of the weights (value_channels / share = %d)",
                      pairwise_width(set), values / share);
}

static void check_padding(struct draft *draft, int stage, int height, int width)
{
    const struct setting *set = draft->stage[stage].set;
    int border = set[ATTENTION_DILATION].value * (set[ATTENTION_FOOTPRINT].value - 1) / 2;
    if (set[ATTENTION_PADDING].value == PADDING_REFLECT &&
        border >= (height < width ? height : width))
        setting_error(draft, stage, ATTENTION_PADDING,
                      "be \"zero\" where dilation * (footprint - 1) / 2 (%d) is not below the "
                      "map's height and width (%d x %d)",
                      border, height, width);
}

void draft_settle(struct draft *draft, int stage, int height, int width)
{
    int errors = draft->errors;
    fill_defaults(draft, draft->stage[stage].set);
    check_ranges(draft, stage);
    if (draft->errors > errors)
        return; /* further rules make no sense for values out of range */
    check_widths(draft, stage);
    check_padding(draft, stage, height, width);
}
