/* The graph of a network, as README.md describes it: parameters unfolded, nothing decided yet. */
#include "model_graph.h"
#include "graph_parts.h"
#include "memory.h"
#include "model_resnet.h"
#include <stdlib.h>
#include <string.h>

/* A checkpoint's 1x1 convolution. */
static struct inst *linear(struct builder *b, struct inst *x, const char *prefix, int64_t out,
                           bool bias)
{
    b->label = prefix;
    struct inst *w = graph_matrix(b, prefix, last_dim(x), out, 1);
    return make_linear(b, x, w, bias ? graph_parameter(b, prefix, "bias", SHAPE(out)) : NULL);
}

/* Channels of a patchwise concatenation, from the checkpoint's order (phi, then for each channel
 * of psi its neighbours) to neighbour-major (phi, then for each neighbour its channels), along the
 * last dimension of a vector or a matrix. */
static struct inst *neighbour_major(struct builder *b, struct inst *x, int64_t channels,
                                    int64_t neighbours)
{
    int axis = x->shape.rank - 1;
    struct inst *phi = make_slice(b, x, axis, 0, channels);
    struct inst *psi = make_slice(b, x, axis, channels, last_dim(x));
    struct shape flat = psi->shape;
    if (axis == 0) {
        psi = make_reshape(b, psi, SHAPE(channels, neighbours));
        psi = make_transpose(b, psi, SHAPE(1, 0));
    } else {
        psi = make_reshape(b, psi, SHAPE(flat.dim[0], channels, neighbours));
        psi = make_transpose(b, psi, SHAPE(0, 2, 1));
    }
    psi = make_reshape(b, psi, flat);
    return make_concat(b, axis, 2, (struct inst *[]){phi, psi});
}

/* Output channels of the last linear of a patchwise mapping, along the first dimension, from
 * weight-channel-major (w J + j) to neighbour-major (j M + w). */
static struct inst *weights_by_neighbour(struct builder *b, struct inst *x, int64_t weight_channels,
                                         int64_t neighbours)
{
    struct shape flat = x->shape;
    bool matrix = flat.rank == 2;
    x = make_reshape(b, x,
                     matrix ? SHAPE(weight_channels, neighbours, flat.dim[1])
                            : SHAPE(weight_channels, neighbours));
    x = make_transpose(b, x, matrix ? SHAPE(1, 0, 2) : SHAPE(1, 0));
    return make_reshape(b, x, flat);
}

/* The parts of a self-attention. */
struct sam {
    struct builder *b;
    const struct attention *a;
    const char *prefix; /* "layer0.0.sam" */
    int64_t neighbours, weight_channels;
    int padding;
};

static struct inst *relation(const struct sam *s, int kind, struct inst *phi, struct inst *psi)
{
    return make_footprint(s->b, OP_relation, kind, s->a->footprint, s->a->dilation, s->padding, phi,
                          psi);
}

int attention_relation_kind(const struct attention *a)
{
    bool patch = a->patchwise && a->relation == relation_kind_concatenation;
    return patch ? relation_kind_patch_concatenation : a->relation;
}

/* delta(phi_i, psi_j) with the position after it: (n, h, w, J, c), or (n, h, w, c) patchwise. */
static struct inst *related(const struct sam *s, struct inst *phi, struct inst *psi)
{
    struct builder *b = s->b;
    b->label = s->prefix;
    struct inst *delta = relation(s, attention_relation_kind(s->a), phi, psi);
    if (s->a->position == POSITION_NONE)
        return delta;
    union attr size[] = {{.integer = phi->shape.dim[1]}, {.integer = phi->shape.dim[2]}};
    struct inst *p = make(b, OP_coordinates, size, 0, NULL);
    p = linear(b, p, arena_printf(b->module->arena, "%s.conv_p", s->prefix), 2, true);
    struct inst *q = relation(s,
                              s->a->position == POSITION_RELATIVE ? relation_kind_subtraction
                                                                  : relation_kind_concatenation,
                              p, p);
    return make_concat(b, 4, 2, (struct inst *[]){delta, q});
}

/* One (batch norm, ReLU, linear) of the mapping; `number` counts the modules of conv_w. */
static struct inst *mapping_layer(const struct sam *s, struct inst *x, int number, bool last)
{
    struct builder *b = s->b;
    struct arena *arena = b->module->arena;
    bool permuted =
        attention_relation_kind(s->a) == relation_kind_patch_concatenation && number == 0;
    int64_t width = last_dim(x);
    b->label = arena_printf(arena, "%s.conv_w.%d", s->prefix, number);
    struct inst *in[5] = {x};
    for (int i = 0; i < 4; i++) {
        in[i + 1] = graph_parameter(b, b->label, graph_norm_parameters[i], SHAPE(width));
        if (permuted)
            in[i + 1] = neighbour_major(b, in[i + 1], s->a->relation_channels, s->neighbours);
    }
    x = make_1(b, OP_relu, make(b, OP_batch_norm, NULL, 5, in));

    int64_t out = last              ? s->weight_channels * (s->a->patchwise ? s->neighbours : 1)
                  : s->a->patchwise ? s->weight_channels
                                    : s->a->relation_channels;
    b->label = arena_printf(arena, "%s.conv_w.%d", s->prefix, number + 2);
    struct inst *w = graph_rows(b, b->label, width, out);
    struct inst *bias = last ? graph_parameter(b, b->label, "bias", SHAPE(out)) : NULL;
    if (permuted)
        w = neighbour_major(b, w, s->a->relation_channels, s->neighbours);
    if (s->a->patchwise && last) {
        w = weights_by_neighbour(b, w, s->weight_channels, s->neighbours);
        bias = weights_by_neighbour(b, bias, s->weight_channels, s->neighbours);
    }
    return make_linear(b, x, graph_transposed(b, w), bias);
}

static struct inst *self_attention(struct builder *b, const struct attention *a, struct inst *x,
                                   const char *prefix)
{
    struct arena *arena = b->module->arena;
    struct sam s = {b,
                    a,
                    prefix,
                    a->footprint * a->footprint,
                    a->value_channels / a->share,
                    a->padding == PADDING_ZERO ? padding_kind_zero : padding_kind_reflect};
    const char *conv[3];
    for (int i = 0; i < 3; i++)
        conv[i] = arena_printf(arena, "%s.conv%d", prefix, i + 1);

    struct inst *phi = linear(b, x, conv[0], a->relation_channels, true);
    struct inst *psi = a->transforms != TRANSFORMS_DISTINCT
                           ? phi
                           : linear(b, x, conv[1], a->relation_channels, true);
    struct inst *beta = a->transforms == TRANSFORMS_PHI_PSI_BETA
                            ? phi
                            : linear(b, x, conv[2], a->value_channels, true);
    struct inst *weight = related(&s, phi, psi);
    for (int i = 0; i < a->mapping; i++)
        weight = mapping_layer(&s, weight, 3 * i, i == a->mapping - 1);

    b->label = prefix;
    const int64_t *map = x->shape.dim;
    weight =
        make_reshape(b, weight, SHAPE(map[0], map[1], map[2], s.neighbours, s.weight_channels));
    if (a->softmax) {
        union attr axis = {.integer = 3};
        weight = make(b, OP_softmax, &axis, 1, &weight);
    }
    return make_footprint(b, OP_aggregate, 0, a->footprint, a->dilation, s.padding, weight, beta);
}

/* x + conv(ReLU(bn2(sam(ReLU(bn1(x)))))) */
static struct inst *block(struct builder *b, const struct attention *a, struct inst *x,
                          const char *prefix)
{
    struct arena *arena = b->module->arena;
    struct inst *y = graph_norm(b, x, arena_printf(arena, "%s.bn1", prefix));
    y = make_1(b, OP_relu, y);
    y = self_attention(b, a, y, arena_printf(arena, "%s.sam", prefix));
    y = graph_norm(b, y, arena_printf(arena, "%s.bn2", prefix));
    y = make_1(b, OP_relu, y);
    y = linear(b, y, arena_printf(arena, "%s.conv", prefix), last_dim(x), true);
    return make_2(b, OP_add, x, y);
}

/* The mean of each channel, or of a map (n, h, w, c) its rows (n, c h w), as the module says. */
static struct inst *features(struct builder *b, const struct model *model, struct inst *x)
{
    struct module *m = b->module;
    const int64_t *map = x->shape.dim;
    m->classes = last_dim(x);
    if (model->features == FEATURES_POOLED)
        return make_1(b, OP_mean, x);
    memcpy(m->map, (int64_t[]){map[3], map[1], map[2]}, sizeof m->map);
    m->classes *= map[1] * map[2];
    x = make_transpose(b, x, SHAPE(0, 3, 1, 2));
    return make_reshape(b, x, SHAPE(map[0], m->classes));
}

/* A constant of numbers along the channels. An op has few inputs, so long ones are concatenated
 * part by part. */
static struct inst *vector(struct builder *b, const double *value, int64_t count)
{
    int64_t same = 1, part = 1;
    while (same < count && value[same] == value[0])
        same++;
    if (same == count)
        return make_fill(b, value[0], SHAPE(count));
    while (part * MAX_INPUTS < count)
        part *= MAX_INPUTS;
    struct inst *in[MAX_INPUTS];
    int parts = 0;
    for (int64_t at = 0; at < count; at += part)
        in[parts++] = vector(b, value + at, count - at < part ? count - at : part);
    return make_concat(b, 0, parts, in);
}

/* The images as the network sees them, (n, h, w, c): (value - mean) / std, bytes as byte / 255. */
static struct inst *images(struct builder *b, const struct model *model)
{
    int64_t channels = model->channels;
    union attr shape = {.shape = module_input_shape(b->module)};
    struct inst *x = make(b, OP_input, &shape, 0, NULL);
    if (model->layout == LAYOUT_NCHW)
        x = make_transpose(b, x, SHAPE(0, 2, 3, 1));
    if (model->input_type == IMAGE_U8)
        x = make_2(b, OP_div, x, make_fill(b, 255, SHAPE(channels)));
    if (model->mean.count)
        x = make_2(b, OP_sub, x, vector(b, model->mean.value, channels));
    if (model->std.count)
        x = make_2(b, OP_div, x, vector(b, model->std.value, channels));
    return x;
}

static struct inst *san_stages(struct builder *b, const struct model *model, struct inst *x)
{
    struct arena *arena = b->module->arena;
    x = linear(b, x, "conv_in", model->stem_channels, false);
    x = make_1(b, OP_relu, graph_norm(b, x, "bn_in"));
    for (int i = 0; i < model->stages; i++) {
        const struct stage *stage = &model->stage[i];
        b->label = arena_printf(arena, "conv%d", i);
        x = make_1(b, OP_max_pool, x);
        x = linear(b, x, b->label, stage->channels, false);
        for (int j = 0; j < stage->blocks; j++)
            x = block(b, &stage->attention, x, arena_printf(arena, "layer%d.%d", i, j));
        x = make_1(b, OP_relu, graph_norm(b, x, arena_printf(arena, "bn%d", i)));
        if (model->features == FEATURES_STAGE + i)
            break;
    }
    return x;
}

static struct inst *network(struct builder *b, const struct model *model)
{
    struct inst *x = images(b, model);
    x = model->family == FAMILY_SAN ? san_stages(b, model, x) : resnet_stages(b, model, x);
    if (model->features)
        return make_1(b, OP_output, features(b, model, x));
    b->label = "fc";
    x = make_1(b, OP_mean, x);
    struct inst *w = graph_parameter(b, "fc", "weight", SHAPE(model->classes, last_dim(x)));
    w = graph_transposed(b, w); /* before the bias: C does not define the order of arguments */
    x = make_linear(b, x, w, graph_parameter(b, "fc", "bias", SHAPE(model->classes)));
    if (model->output == OUTPUT_PROBABILITIES) {
        union attr axis = {.integer = 1};
        x = make(b, OP_softmax, &axis, 1, &x);
    }
    return make_1(b, OP_output, x);
}

struct module *graph_from_model(const struct model *model, int64_t batch, int64_t threads,
                                int targets, const char *const *target)
{
    struct module *m = module_new();
    m->name = arena_printf(m->arena, "%s", model->name);
    m->batch = batch;
    m->threads = threads;
    m->channels = model->channels;
    m->height = model->height;
    m->width = model->width;
    m->input_type = model->input_type == IMAGE_U8 ? DTYPE_U8 : DTYPE_F32;
    m->layout = (enum layout)model->layout;
    m->classes = model->classes;
    m->targets = targets;
    for (int i = 0; i < targets; i++)
        m->target[i] = arena_printf(m->arena, "%s", target[i]);
    struct builder b = {.module = m};
    network(&b, model);
    return m;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool has_parameter(const struct module *module, const char *name)
{
    const struct inst *inst = module->first;
    while (inst &&
           (inst->op != OP_parameter || strcmp(inst->attr[SLOT_parameter_name].string, name)))
        inst = inst->next;
    return inst;
}

struct tensor_need *graph_parameters(const struct model *model, struct arena *arena, size_t *count)
{
    struct module *used = graph_from_model(model, 1, 1, 0, NULL);
    struct model whole = *model;
    whole.features = FEATURES_NONE;
    struct module *m = graph_from_model(&whole, 1, 1, 0, NULL);
    *count = 0;
    for (struct inst *inst = m->first; inst; inst = inst->next)
        *count += inst->op == OP_parameter;
    struct tensor_need *needs = allocate((int64_t)*count, sizeof *needs), *need = needs;
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        if (inst->op != OP_parameter)
            continue;
        const char *name = inst->attr[SLOT_parameter_name].string;
        need->name = arena_printf(arena, "%s", name);
        need->rank = inst->shape.rank;
        memcpy(need->dim, inst->shape.dim, sizeof need->dim);
        need->nonnegative = ends_with(name, ".running_var");
        need->spare = !has_parameter(used, name);
        need++;
    }
    module_free(m);
    module_free(used);
    return needs;
}
