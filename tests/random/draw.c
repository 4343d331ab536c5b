/* Models drawn from a seed, over all that the format allows but its sizes: those stay small. */
#include "model_graph.h"
#include "random_model.h"
#include <math.h>
#include <string.h>

/* SplitMix64 by Steele, Lea and Flood. */
uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct random random_from(uint64_t seed, uint64_t stream)
{
    struct random r = {seed};
    r.state = random_next(&r) ^ stream * 0xd1342543de82ef95u;
    random_next(&r);
    return r;
}

int random_between(struct random *r, int least, int most)
{
    return least + (int)(random_next(r) % (uint64_t)(most - least + 1));
}

double random_unit(struct random *r)
{
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

double random_normal(struct random *r)
{
    double radius = sqrt(-2 * log(1 - random_unit(r)));
    return radius * cos(2 * 3.14159265358979324 * random_unit(r));
}

bool random_chance(struct random *r, double probability)
{
    return random_unit(r) < probability;
}

#define PICK(r, ...)                                                                               \
    ((const int[]){__VA_ARGS__}[random_next(r) % (sizeof((int[]){__VA_ARGS__}) / sizeof(int))])

/* ---- rules ----------------------------------------------------------------------------------- */

static int attention_width(const struct attention *a)
{
    int position = a->position == POSITION_RELATIVE ? 2 : a->position == POSITION_ABSOLUTE ? 4 : 0;
    return (int)relation_width(attention_relation_kind(a), a->footprint * a->footprint,
                               a->relation_channels) +
           position;
}

static int border(const struct attention *a)
{
    return a->dilation * (a->footprint - 1) / 2;
}

static bool attention_valid(const struct attention *a, bool exact, int height, int width)
{
    bool patch = relation_info[a->relation].traits & PATCHWISE;
    if (a->patchwise ? !patch && a->relation != relation_kind_concatenation : patch)
        return false;
    if (a->patchwise && (a->mapping == 0 || a->position != POSITION_NONE))
        return false;
    if (a->value_channels % a->share || a->value_channels < 1 || a->relation_channels < 1)
        return false;
    if (a->mapping == 0 && attention_width(a) != a->value_channels / a->share)
        return false;
    if (a->transforms == TRANSFORMS_PHI_PSI_BETA && a->relation_channels != a->value_channels)
        return false;
    if (a->padding == PADDING_REFLECT && border(a) >= (height < width ? height : width))
        return false;
    return !exact || (!a->softmax && a->position == POSITION_NONE);
}

/* The size of stage i's map: a residual network halves it before the first stage too, rounding up. */
static int map_side(const struct model *model, int side, int i)
{
    bool residual = model->family == FAMILY_RESNET;
    for (i += 1 + residual; i > 0; i--)
        side = (side + residual) / 2;
    return side;
}

bool random_model_valid(const struct random_model *m)
{
    const struct model *model = &m->model;
    int height = 0, width = 0;
    for (int i = 0; i < model->stages; i++) {
        const struct stage *stage = &model->stage[i];
        height = map_side(model, model->height, i);
        width = map_side(model, model->width, i);
        if (height < 1 || width < 1 || stage->channels < 1)
            return false;
        if (model->family == FAMILY_RESNET) {
            if (stage->blocks < 1 ||
                (stage->block == BLOCK_BOTTLENECK && stage->channels % BOTTLENECK))
                return false;
        } else if (stage->blocks && !attention_valid(&stage->attention, m->exact, height, width))
            return false;
    }
    int pixels = height * width;
    return model->stages >= 1 && (!m->exact || (pixels & (pixels - 1)) == 0);
}

static double attention_work(const struct attention *a, int channels)
{
    double j = a->footprint * a->footprint, c = a->relation_channels, v = a->value_channels;
    double weights = v / a->share, width = attention_width(a), work = channels * (2 * c + 2 * v);
    double places = a->patchwise ? 1 : j;
    work += places * width * (relation_info[a->relation].traits & SUMMED ? c : 1);
    for (int i = 0; i < a->mapping; i++) {
        double out = i == a->mapping - 1 ? weights * (a->patchwise ? j : 1)
                     : a->patchwise      ? weights
                                         : c;
        work += places * width * (out + 4);
        width = out;
    }
    return work + j * (v + 8 * weights * a->softmax);
}

static double residual_work(const struct model *model)
{
    double rows = map_side(model, model->height, -1), columns = map_side(model, model->width, -1);
    double work = rows * columns * model->stem_channels * (49 * model->channels + 9);
    int before = model->stem_channels;
    for (int i = 0; i < model->stages; i++) {
        const struct stage *stage = &model->stage[i];
        bool basic = stage->block == BLOCK_BASIC;
        double pixels = map_side(model, model->height, i) * map_side(model, model->width, i);
        double out = stage->channels, inner = basic ? out : out / BOTTLENECK;
        /* the first block's 1x1 may come before the map is halved */
        work += pixels * before * (out + inner * (basic ? 9 : 4));
        work += pixels * stage->blocks * inner * (9 * inner + (basic ? 9 : 2) * out);
        before = stage->channels;
    }
    return work;
}

double random_model_work(const struct random_model *m)
{
    const struct model *model = &m->model;
    if (model->family == FAMILY_RESNET)
        return m->batch * residual_work(model);
    int height = model->height, width = model->width, channels = model->stem_channels;
    double work = (double)height * width * (model->channels * (8.0 + channels) + 4 * channels);
    for (int i = 0; i < model->stages; i++) {
        const struct stage *stage = &model->stage[i];
        double pixel = (channels + 4.0) * stage->channels;
        height /= 2;
        width /= 2;
        if (stage->blocks)
            pixel += stage->blocks * attention_work(&stage->attention, stage->channels);
        work += height * width * pixel;
        channels = stage->channels;
    }
    return m->batch * (work + (double)channels * model->classes);
}

/* ---- draws ----------------------------------------------------------------------------------- */

static void draw_channels(struct random *r, struct attention *a, int channels)
{
    if (channels >= 32 && channels % 32 == 0 && random_chance(r, 0.3)) { /* the defaults */
        a->share = 8;
        a->relation_channels = channels / 16;
        a->value_channels = channels / 4;
    } else {
        a->share = PICK(r, 1, 1, 2, 2, 3, 4, 5, 8);
        a->relation_channels = PICK(r, 1, 1, 2, 3, 4, 5, 6, 8, 11, 16, 17, 32, 33);
        a->value_channels = a->share * PICK(r, 1, 1, 2, 3, 4, 5, 7, 8, 9, 16);
    }
    if (a->mapping == 0)
        a->value_channels = a->share * attention_width(a);
    if (a->transforms != TRANSFORMS_PHI_PSI_BETA)
        return;
    if (a->mapping > 0 || a->relation == relation_kind_dot)
        a->relation_channels = a->value_channels;
    else if (a->relation_channels != a->value_channels)
        a->transforms = TRANSFORMS_PHI_PSI;
}

static struct attention draw_attention(struct random *r, bool exact, int channels, int height,
                                       int width)
{
    struct attention a = {.patchwise = random_chance(r, 0.4)};
    a.relation = a.patchwise
                     ? random_between(r, relation_kind_concatenation, relation_kind_clique)
                     : random_between(r, relation_kind_subtraction, relation_kind_concatenation);
    a.mapping = a.patchwise ? random_between(r, 1, 3) : PICK(r, 0, 1, 1, 2, 2, 2, 3);
    a.position = a.patchwise || exact ? POSITION_NONE
                                      : PICK(r, POSITION_NONE, POSITION_RELATIVE, POSITION_RELATIVE,
                                             POSITION_ABSOLUTE);
    a.softmax = !exact && random_chance(r, a.patchwise ? 0.3 : 0.7);
    a.transforms = PICK(r, TRANSFORMS_DISTINCT, TRANSFORMS_DISTINCT, TRANSFORMS_DISTINCT,
                        TRANSFORMS_PHI_PSI, TRANSFORMS_PHI_PSI_BETA);
    a.footprint = PICK(r, 1, 3, 3, 3, 5, 5, 7, 7, 9, 11, 13, 15);
    a.dilation = PICK(r, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8);
    int least = height < width ? height : width;
    bool wants_reflect = random_chance(r, 0.65);
    while (wants_reflect && border(&a) >= least && a.footprint > 1 && random_chance(r, 0.6)) {
        if (a.dilation > 1)
            a.dilation--;
        else
            a.footprint -= 2;
    }
    a.padding = wants_reflect && border(&a) < least ? PADDING_REFLECT : PADDING_ZERO;
    draw_channels(r, &a, channels);
    return a;
}

static int draw_channel_count(struct random *r, int stages)
{
    if (stages > 4) /* many pixels */
        return PICK(r, 1, 2, 3, 4, 5, 8, 9);
    return PICK(r, 1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 16, 17, 24, 31, 32, 32, 33, 40, 48, 64);
}

/* A side of the last map. */
static int draw_side(struct random *r, bool exact, int stages)
{
    if (stages > 4)
        return PICK(r, 1, 1, 1, 2);
    if (exact)
        return stages > 2 ? PICK(r, 1, 2, 2, 4) : PICK(r, 1, 2, 4, 4, 8, 8);
    return stages > 2 ? PICK(r, 1, 1, 2, 3, 4, 5) : PICK(r, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14);
}

/* How images come. Drawn apart from the rest, which stays the same for the same seed. Scales that
 * are no powers of two would make whole numbers inexact. */
static void draw_images(struct random *r, struct random_model *m)
{
    struct model *model = &m->model;
    if (random_chance(r, 0.3))
        model->layout = LAYOUT_NHWC;
    if (m->exact)
        return;
    if (random_chance(r, 0.3))
        model->input_type = IMAGE_U8;
    if (random_chance(r, 0.3))
        model->mean.count = model->channels;
    if (random_chance(r, 0.3))
        model->std.count = model->channels;
    bool same = random_chance(r, 0.2);
    for (int i = 0; i < model->channels; i++) {
        model->mean.value[i] = i && same ? model->mean.value[0] : random_unit(r) - 0.25;
        model->std.value[i] = i && same ? model->std.value[0] : 0.2 + random_unit(r);
    }
}

static void draw_once(struct random *r, struct random_model *m)
{
    struct model *model = &m->model;
    model->stages = PICK(r, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 0);
    if (model->stages == 0)
        model->stages = random_between(r, 5, 9);
    int height = draw_side(r, m->exact, model->stages);
    int width = random_chance(r, 0.4) ? height : draw_side(r, m->exact, model->stages);
    int odd = (1 << model->stages) - 1; /* what pooling may drop */
    model->height =
        (height << model->stages) + (random_chance(r, 0.5) ? random_between(r, 0, odd) : 0);
    model->width =
        (width << model->stages) + (random_chance(r, 0.5) ? random_between(r, 0, odd) : 0);
    model->channels = PICK(r, 1, 1, 2, 3, 3, 3, 4, 5, 9);
    model->classes = PICK(r, 1, 2, 3, 7, 10, 16, 17, 33, 100);
    model->stem_channels =
        random_chance(r, 0.1) && model->stages < 5 ? 64 : draw_channel_count(r, model->stages);
    height = model->height;
    width = model->width;
    for (int i = 0; i < model->stages; i++) {
        struct stage *stage = &model->stage[i];
        height /= 2;
        width /= 2;
        stage->blocks = height * width > 1024 ? PICK(r, 0, 0, 0, 0, 0, 0, 0, 1)
                                              : PICK(r, 0, 1, 1, 1, 1, 1, 1, 1, 2, 3);
        stage->channels = draw_channel_count(r, model->stages);
        stage->attention = i > 0 && random_chance(r, 0.2)
                               ? model->stage[i - 1].attention
                               : draw_attention(r, m->exact, stage->channels, height, width);
    }
    m->batch = PICK(r, 1, 1, 1, 2, 2, 3);
    m->threads = PICK(r, 1, 2, 2, 3);
}

static void draw_residual(struct random *r, struct random_model *m)
{
    struct model *model = &m->model;
    model->family = FAMILY_RESNET;
    model->stages = PICK(r, 1, 1, 1, 2, 2, 2, 3, 4);
    int least = 1 << (model->stages + 1); /* what a pixel of the last map stands for */
    int height = draw_side(r, m->exact, model->stages);
    int width = random_chance(r, 0.4) ? height : draw_side(r, m->exact, model->stages);
    model->height = least * height - (random_chance(r, 0.5) ? random_between(r, 0, least - 1) : 0);
    model->width = least * width - (random_chance(r, 0.5) ? random_between(r, 0, least - 1) : 0);
    model->channels = PICK(r, 1, 1, 2, 3, 3, 3, 4, 5, 9);
    model->classes = PICK(r, 1, 2, 3, 7, 10, 16, 17, 33, 100);
    model->stem_channels = draw_channel_count(r, model->stages);
    for (int i = 0; i < model->stages; i++) {
        struct stage *stage = &model->stage[i];
        stage->block = PICK(r, BLOCK_BOTTLENECK, BLOCK_BASIC);
        stage->blocks = PICK(r, 1, 1, 1, 2, 2, 3);
        stage->channels = draw_channel_count(r, model->stages);
        if (stage->block == BLOCK_BOTTLENECK)
            stage->channels *= BOTTLENECK;
        if (random_chance(r, 0.2)) /* so that nothing is added but x */
            stage->channels = i ? model->stage[i - 1].channels : model->stem_channels;
    }
    m->batch = PICK(r, 1, 1, 1, 2, 2, 3);
    m->threads = PICK(r, 1, 2, 2, 3);
}

struct random_model random_model_draw(uint64_t seed, uint64_t number)
{
    static const double MOST_WORK = 6e6;
    struct random r = random_from(seed, number);
    struct random_model m = {.seed = random_next(&r)};
    bool exact = random_chance(&r, 0.3);
    struct random family = random_from(seed, number ^ 1ull << 63); /* apart, as the images */
    bool residual = random_chance(&family, 0.2);
    do {
        memset(&m.model, 0, sizeof m.model);
        m.exact = exact;
        m.doubles = random_chance(&r, 0.2);
        (residual ? draw_residual : draw_once)(&r, &m);
    } while (!random_model_valid(&m) || random_model_work(&m) > MOST_WORK);
    if (!exact && random_chance(&r, 0.15))
        m.model.output = OUTPUT_PROBABILITIES;
    struct random images = random_from(seed, ~number);
    draw_images(&images, &m);
    snprintf(m.model.name, sizeof m.model.name, "random_%llu", (unsigned long long)number);
    return m;
}
