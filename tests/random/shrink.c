/* A smaller model that fails too: one change after the other, kept where it still fails. */
#include "random_model.h"
#include <string.h>
#include <time.h>

static const double MOST_SECONDS = 60;

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

enum { MODEL_CHANGES = 14, STAGE_CHANGES = 26 };

static void change_model(struct random_model *m, int change)
{
    struct model *model = &m->model;
    int *const size[] = {&model->height, &model->width, &model->channels, &model->stem_channels,
                         &model->classes};
    if (change < 5)
        *size[change] = 1 << (change < 2 ? model->stages : 0); /* the least */
    else if (change < 10)
        *size[change - 5] = halved(*size[change - 5]);
    else if (change == 10)
        m->batch = 1;
    else if (change == 11)
        m->threads = 1;
    else if (change == 12)
        m->doubles = false;
    else
        model->height--, model->width--;
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

static void change_setting(struct attention *a, int change)
{
    switch (change) {
    case 0:
        a->mapping = 1;
        break;
    case 1:
        a->mapping--;
        break;
    case 2:
        a->position = POSITION_NONE;
        break;
    case 3:
        a->position = POSITION_RELATIVE;
        break;
    case 4:
        a->softmax = false;
        break;
    case 5:
        a->footprint = 1;
        break;
    case 6:
        a->footprint = 3;
        break;
    case 7:
        a->footprint -= 2;
        break;
    case 8:
        a->dilation = 1;
        break;
    case 9:
        a->padding = PADDING_ZERO;
        break;
    case 10:
        a->padding = PADDING_REFLECT;
        break;
    case 11:
        a->transforms = TRANSFORMS_DISTINCT;
        break;
    case 12:
        a->transforms = TRANSFORMS_PHI_PSI;
        break;
    default:
        a->patchwise = false;
        a->relation = RELATION_SUBTRACTION;
    }
}

static void change_stage(struct model *model, int at, int change)
{
    struct stage *stage = &model->stage[at];
    if (change == 0)
        drop_stage(model, at);
    else if (change == 1)
        stage->blocks = 0;
    else if (change == 2)
        stage->blocks = 1;
    else if (change == 3)
        stage->blocks = halved(stage->blocks);
    else if (change < 12)
        change_channels(stage, change - 4);
    else
        change_setting(&stage->attention, change - 12);
}

/* Smaller or plainer, so that shrinking ends. */
static bool simpler(const struct random_model *a, const struct random_model *b)
{
    struct random_model p = *a, q = *b;
    if (!random_model_valid(&p) || memcmp(&p, &q, sizeof p) == 0)
        return false;
    for (int i = 0; i < p.model.stages; i++)
        if (p.model.stage[i].blocks && p.model.stage[i].attention.footprint < 1)
            return false;
    return random_model_work(&p) <= random_model_work(&q);
}

static double seconds_now(void)
{
    return (double)time(NULL);
}

struct random_model model_shrink(const struct random_model *m, const struct checks *checks,
                                 enum verdict verdict)
{
    struct random_model best = *m;
    double end = seconds_now() + MOST_SECONDS;
    bool changed = true;
    while (changed) {
        changed = false;
        int changes = MODEL_CHANGES + best.model.stages * STAGE_CHANGES;
        for (int i = changes - 1; i >= 0 && seconds_now() < end; i--) {
            struct random_model next = best;
            int stage = (i - MODEL_CHANGES) / STAGE_CHANGES;
            if (i >= MODEL_CHANGES && stage >= best.model.stages)
                continue;
            if (i < MODEL_CHANGES)
                change_model(&next, i);
            else
                change_stage(&next.model, stage, (i - MODEL_CHANGES) % STAGE_CHANGES);
            if (!simpler(&next, &best))
                continue;
            if (model_check_apart(&next, checks, true).verdict == verdict) {
                best = next;
                changed = true;
            }
        }
    }
    return best;
}
