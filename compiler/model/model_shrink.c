/* Ways to make a model smaller or plainer, none of which undoes another. */
#include "model_shrink.h"
#include <string.h>

static int halved(int value)
{
    return value > 1 ? value / 2 : 1;
}

static void drop_stage(struct model *model, int stage)
{
    model->stages--;
    memmove(&model->stage[stage], &model->stage[stage + 1],
            (size_t)(model->stages - stage) * sizeof *model->stage);
    model->height = halved(model->height);
    model->width = halved(model->width);
}

enum {
    MODEL_CHANGES = 15,
    CHANNEL_CHANGES = 8,
    SETTING_CHANGES = 13,
    ATTENTION_CHANGES = CHANNEL_CHANGES + SETTING_CHANGES, /* of a SAN's stage */
    RESIDUAL_CHANGES = 4                                   /* of a residual network's */
};

static void change_size(struct model *model, int change)
{
    bool san = model->family == FAMILY_SAN;
    int *const size[] = {&model->height, &model->width, &model->channels, &model->stem_channels,
                         &model->classes};
    if (change < 5)
        *size[change] = 1 << (change < 2 && san ? model->stages : 0); /* the least */
    else if (change < 10)
        *size[change - 5] = halved(*size[change - 5]);
    else if (change == 10)
        model->height--, model->width--;
    else if (change == 11)
        model->output = OUTPUT_LOGITS;
    else if (change == 12)
        model->input_type = IMAGE_F32;
    else if (change == 13)
        model->layout = LAYOUT_NCHW;
    else
        model->mean.count = model->std.count = 0;
    struct channel_numbers *const numbers[] = {&model->mean, &model->std};
    for (int i = 0; i < 2; i++) /* fewer channels */
        numbers[i]->count = numbers[i]->count ? model->channels : 0;
}

static void change_channels(struct stage *stage, int change)
{
    struct attention *a = &stage->attention;
    int weights = a->value_channels / a->share;
    switch (change) {
    case 0:
        a->relation_channels = 1;
        break;
    case 1:
        a->relation_channels = halved(a->relation_channels);
        break;
    case 2:
        a->share = 1;
        a->value_channels = weights;
        break;
    case 3:
        a->value_channels = a->share;
        break;
    case 4:
        a->value_channels = a->share * halved(weights);
        break;
    case 5:
        a->share = a->value_channels = a->relation_channels = 1;
        break;
    case 6:
        stage->channels = 1;
        break;
    default:
        stage->channels = halved(stage->channels);
    }
}

static int smaller(int value, int to)
{
    return value > to ? to : value;
}

static void change_setting(struct attention *a, int change)
{
    switch (change) {
    case 0:
        a->mapping = smaller(a->mapping, 1);
        break;
    case 1:
        a->mapping = smaller(a->mapping, 0);
        break;
    case 2:
        a->position = POSITION_NONE;
        break;
    case 3:
        if (a->position == POSITION_ABSOLUTE)
            a->position = POSITION_RELATIVE;
        break;
    case 4:
        a->softmax = false;
        break;
    case 5:
        a->footprint = 1;
        break;
    case 6:
        a->footprint = smaller(a->footprint, 3);
        break;
    case 7:
        a->footprint -= a->footprint > 1 ? 2 : 0;
        break;
    case 8:
        a->dilation = 1;
        break;
    case 9:
        a->padding = PADDING_ZERO; /* on any map: reflection needs maps larger than the border */
        break;
    case 10:
        a->transforms = TRANSFORMS_DISTINCT;
        break;
    case 11:
        if (a->transforms == TRANSFORMS_PHI_PSI_BETA)
            a->transforms = TRANSFORMS_PHI_PSI;
        break;
    default:
        a->patchwise = false;
        a->relation = relation_kind_subtraction;
    }
}

static void change_residual(struct stage *stage, int change)
{
    if (change == 0)
        stage->block = BLOCK_BASIC;
    else if (change == 1)
        stage->channels = 1;
    else if (change == 2)
        stage->channels = BOTTLENECK;
    else
        stage->channels = halved(stage->channels);
}

static void change_stage(struct model *model, int at, int change)
{
    struct stage *stage = &model->stage[at];
    if (change == 0)
        drop_stage(model, at);
    else if (change == 1)
        stage->blocks = 0;
    else if (change == 2)
        stage->blocks = smaller(stage->blocks, 1);
    else if (change == 3)
        stage->blocks /= 2;
    else if (model->family == FAMILY_RESNET)
        change_residual(stage, change - 4);
    else if (change < 4 + CHANNEL_CHANGES)
        change_channels(stage, change - 4);
    else
        change_setting(&stage->attention, change - 4 - CHANNEL_CHANGES);
}

static int stage_changes(const struct model *model)
{
    return 4 + (model->family == FAMILY_SAN ? ATTENTION_CHANGES : RESIDUAL_CHANGES);
}

int model_changes(const struct model *model)
{
    return MODEL_CHANGES + model->stages * stage_changes(model);
}

void model_change(struct model *model, int change)
{
    int of_stages = change - MODEL_CHANGES;
    if (of_stages < 0)
        change_size(model, change);
    else
        change_stage(model, of_stages / stage_changes(model), of_stages % stage_changes(model));
}
