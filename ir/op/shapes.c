/* The shape of every graph op's result: <op>_shape. */
#include "rules.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- shapes ---------------------------------------------------------------------------------- */

int64_t shape_elements(const struct shape *shape)
{
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++)
        elements *= shape->dim[i];
    return elements;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool shape_valid(const struct shape *shape)
{
    if (shape->rank < 0 || shape->rank > MAX_RANK)
        return false;
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1 || shape->dim[i] > (MOST_ELEMENTS - 1) / elements)
            return false;
        elements *= shape->dim[i];
    }
    return true;
}

const char *shape_text(const struct shape *shape, char text[SHAPE_TEXT])
{
    size_t used = 0;
    text[used++] = '[';
    for (int i = 0; i < shape->rank; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%lld", i ? ", " : "",
                                 (long long)shape->dim[i]);
    snprintf(text + used, SHAPE_TEXT - used, "]");
    return text;
}

static struct shape shape_of(int rank, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e)
{
    return (struct shape){rank, {a, b, c, d, e}};
}

static int64_t last_dim(const struct shape *shape)
{
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static bool want_rank(const struct inst *inst, int input, int rank, struct why *why)
{
    char text[SHAPE_TEXT];
    const struct shape *shape = &inst->in[input]->shape;
    if (shape->rank == rank)
        return true;
    return refuse(why, "input %d is %s, must have %d dimensions", input, shape_text(shape, text),
                  rank);
}

static bool want_shape(const struct inst *inst, int input, const struct shape *shape,
                       struct why *why)
{
    char found[SHAPE_TEXT], allowed[SHAPE_TEXT];
    if (shape_equal(&inst->in[input]->shape, shape))
        return true;
    return refuse(why, "input %d is %s, must be %s", input,
                  shape_text(&inst->in[input]->shape, found), shape_text(shape, allowed));
}

static bool want_axis(const struct inst *inst, int64_t axis, struct why *why)
{
    int rank = inst->in[0]->shape.rank;
    if (axis < rank)
        return true;
    return refuse(why, "axis is %lld, the input has %d dimensions", (long long)axis, rank);
}

/* As NumPy does, into *shape, which starts as the first operand's. Skips `axis` (-1: none). */
static bool broadcast(struct shape *shape, const struct shape *other, int axis)
{
    int rank = shape->rank > other->rank ? shape->rank : other->rank;
    struct shape result = {rank, {0}};
    for (int i = 1; i <= rank; i++) {
        int64_t a = i <= shape->rank ? shape->dim[shape->rank - i] : 1;
        int64_t b = i <= other->rank ? other->dim[other->rank - i] : 1;
        if (a != b && a != 1 && b != 1 && rank - i != axis)
            return false;
        result.dim[rank - i] = a == 1 ? b : a;
    }
    *shape = result;
    return true;
}

/* ---- one function per op --------------------------------------------------------------------- */

static bool input_shape(struct inst *inst, struct why *why)
{
    inst->shape = inst->attr[SLOT_input_shape].shape;
    return inst->shape.rank == 4 || refuse(why,
                                           "shape has %d dimensions, must have 4: batch, "
                                           "channels, height, width",
                                           inst->shape.rank);
}

static bool parameter_shape(struct inst *inst, struct why *why)
{
    (void)why;
    inst->shape = inst->attr[SLOT_parameter_shape].shape;
    return true;
}

static bool fill_shape(struct inst *inst, struct why *why)
{
    (void)why;
    inst->shape = inst->attr[SLOT_fill_shape].shape;
    return true;
}

static bool coordinates_shape(struct inst *inst, struct why *why)
{
    (void)why;
    inst->shape = shape_of(4, 1, inst->attr[SLOT_coordinates_height].integer,
                           inst->attr[SLOT_coordinates_width].integer, 2, 0);
    return true;
}

int64_t border_class(int64_t at, int64_t size, int64_t border)
{
    int64_t classes = border_class_count(size, border);
    return at < border || classes == size ? at : at >= size - border ? at - size + classes : border;
}

int64_t border_class_count(int64_t size, int64_t border)
{
    return size < 2 * border + 1 ? size : 2 * border + 1;
}

static bool border_classes_shape(struct inst *inst, struct why *why)
{
    (void)why;
    inst->shape = shape_of(1,
                           inst->attr[SLOT_border_classes_height].integer *
                               inst->attr[SLOT_border_classes_width].integer,
                           0, 0, 0, 0);
    return true;
}

static bool select_classes_shape(struct inst *inst, struct why *why)
{
    if (!want_rank(inst, 0, 5, why))
        return false;
    const struct shape *x = &inst->in[0]->shape;
    int64_t border = inst->attr[SLOT_select_classes_border].integer;
    if (x->dim[0] != 1)
        return refuse(why, "input 0 is of %lld images, must be of 1", (long long)x->dim[0]);
    inst->shape =
        shape_of(3, border_class_count(x->dim[1], border) * border_class_count(x->dim[2], border),
                 x->dim[3], x->dim[4], 0, 0);
    return true;
}

static bool by_class_shape(struct inst *inst, struct why *why)
{
    int64_t height = inst->attr[SLOT_by_class_height].integer;
    int64_t width = inst->attr[SLOT_by_class_width].integer;
    if (!want_rank(inst, 0, 3, why) || !want_rank(inst, 1, 1, why))
        return false;
    if (inst->in[1]->op != OP_border_classes || inst->in[1]->shape.dim[0] != height * width)
        return refuse(why, "input 1 must be border_classes of height * width = %lld pixels",
                      (long long)(height * width));
    const union attr *a = inst->in[1]->attr;
    int64_t border = a[SLOT_border_classes_border].integer, classes = inst->in[0]->shape.dim[0];
    if (classes != border_class_count(a[SLOT_border_classes_height].integer, border) *
                       border_class_count(a[SLOT_border_classes_width].integer, border))
        return refuse(why, "input 0 has %lld classes, input 1 others", (long long)classes);
    inst->shape =
        shape_of(5, 1, height, width, inst->in[0]->shape.dim[1], inst->in[0]->shape.dim[2]);
    return true;
}

static bool linear_shape(struct inst *inst, struct why *why)
{
    const struct shape *x = &inst->in[0]->shape;
    char text[SHAPE_TEXT];
    if (x->rank < 1)
        return refuse(why, "input 0 is [], must have 1 to 8 dimensions");
    if (!want_rank(inst, 1, 2, why))
        return false;
    const struct shape *w = &inst->in[1]->shape;
    if (last_dim(x) != w->dim[0])
        return refuse(why, "input 1 is %s, must have the %lld rows that input 0 has columns",
                      shape_text(w, text), (long long)last_dim(x));
    inst->shape = *x;
    inst->shape.dim[x->rank - 1] = w->dim[1];
    if (inst->inputs < 3)
        return true;
    struct shape both = inst->shape;
    if (broadcast(&both, &inst->in[2]->shape, -1) && shape_equal(&both, &inst->shape))
        return true;
    char result[SHAPE_TEXT];
    return refuse(why, "input 2 is %s, must broadcast to %s", shape_text(&inst->in[2]->shape, text),
                  shape_text(&inst->shape, result));
}

static bool batch_norm_shape(struct inst *inst, struct why *why)
{
    inst->shape = inst->in[0]->shape;
    struct shape c = shape_of(1, last_dim(&inst->shape), 0, 0, 0, 0);
    for (int i = 1; i < 5; i++)
        if (!want_shape(inst, i, &c, why))
            return false;
    return true;
}

static bool same_shape(struct inst *inst, struct why *why)
{
    (void)why;
    inst->shape = inst->in[0]->shape;
    return true;
}

static bool both_shape(struct inst *inst, struct why *why)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    inst->shape = inst->in[0]->shape;
    if (broadcast(&inst->shape, &inst->in[1]->shape, -1))
        return true;
    return refuse(why,
                  "inputs %s and %s do not broadcast: dimensions, counted from the last, must be "
                  "equal or 1",
                  shape_text(&inst->in[0]->shape, a), shape_text(&inst->in[1]->shape, b));
}

#define relu_shape same_shape
#define sqrt_shape same_shape
#define round_shape same_shape
#define add_shape both_shape
#define sub_shape both_shape
#define mul_shape both_shape
#define div_shape both_shape

static bool max_pool_shape(struct inst *inst, struct why *why)
{
    char text[SHAPE_TEXT];
    int64_t size = inst->attr[SLOT_max_pool_size].integer;
    if (!want_rank(inst, 0, 4, why))
        return false;
    inst->shape = inst->in[0]->shape;
    inst->shape.dim[1] /= size;
    inst->shape.dim[2] /= size;
    if (inst->shape.dim[1] > 0 && inst->shape.dim[2] > 0)
        return true;
    return refuse(why, "input 0 is %s, must have at least %lld by %lld pixels",
                  shape_text(&inst->in[0]->shape, text), (long long)size, (long long)size);
}

static bool mean_shape(struct inst *inst, struct why *why)
{
    const struct shape *x = &inst->in[0]->shape;
    inst->shape = shape_of(2, x->dim[0], x->dim[3], 0, 0, 0);
    return want_rank(inst, 0, 4, why);
}

/* A mirrored border of s pixels needs s + 1 pixels to mirror. */
static bool want_reflectable(const struct shape *x, int64_t padding, int64_t s, struct why *why)
{
    int64_t least = x->dim[1] < x->dim[2] ? x->dim[1] : x->dim[2];
    if (padding != padding_kind_reflect || s < least)
        return true;
    return refuse(why,
                  "a border of %lld pixels cannot be reflected in a map of %lld by %lld, at most "
                  "%lld can",
                  (long long)s, (long long)x->dim[1], (long long)x->dim[2], (long long)(least - 1));
}

static bool pad_shape(struct inst *inst, struct why *why)
{
    int64_t size = inst->attr[SLOT_pad_size].integer;
    if (!want_rank(inst, 0, 4, why))
        return false;
    inst->shape = inst->in[0]->shape;
    inst->shape.dim[1] += 2 * size;
    inst->shape.dim[2] += 2 * size;
    return want_reflectable(&inst->in[0]->shape, inst->attr[SLOT_pad_padding].integer, size, why);
}

/* What relation and aggregate ask of an operand read by neighbours: (n, h, w, channels), with a
 * border of dilation (footprint - 1) / 2 where padding is valid. */
static bool want_neighbours(const struct inst *inst, int input, struct shape map, int64_t footprint,
                            int64_t dilation, int64_t padding, struct why *why)
{
    int64_t s = dilation * (footprint - 1) / 2;
    if (footprint % 2 == 0)
        return refuse(why, "footprint is %lld, must be odd", (long long)footprint);
    if (!want_reflectable(&map, padding, s, why))
        return false;
    if (padding == padding_kind_valid) {
        map.dim[1] += 2 * s;
        map.dim[2] += 2 * s;
    }
    return want_shape(inst, input, &map, why);
}

static int64_t relation_width(int64_t kind, int64_t j, int64_t c)
{
    switch (kind) {
    case relation_kind_dot:
        return 1;
    case relation_kind_concatenation:
        return 2 * c;
    case relation_kind_patch_concatenation:
        return (j + 1) * c;
    case relation_kind_star:
        return j;
    case relation_kind_clique:
        return j * j;
    default:
        return c;
    }
}

/* The pixels are phi's, but for a clique with padding valid, where phi carries the border too. */
static bool relation_shape(struct inst *inst, struct why *why)
{
    int64_t kind = inst->attr[SLOT_relation_kind].integer;
    int64_t footprint = inst->attr[SLOT_relation_footprint].integer;
    int64_t dilation = inst->attr[SLOT_relation_dilation].integer;
    int64_t padding = inst->attr[SLOT_relation_padding].integer;
    if (!want_rank(inst, 0, 4, why))
        return false;
    struct shape map = inst->in[0]->shape;
    if (kind == relation_kind_clique && padding == padding_kind_valid) {
        int64_t s = dilation * (footprint - 1) / 2;
        map.dim[1] -= 2 * s;
        map.dim[2] -= 2 * s;
        if (map.dim[1] < 1 || map.dim[2] < 1)
            return refuse(why, "input 0 has no pixels within its border of %lld", (long long)s);
    }
    if (!want_neighbours(inst, 1, map, footprint, dilation, padding, why))
        return false;
    int64_t j = footprint * footprint, width = relation_width(kind, j, map.dim[3]);
    bool patchwise = kind == relation_kind_patch_concatenation || kind == relation_kind_star ||
                     kind == relation_kind_clique;
    inst->shape = patchwise ? shape_of(4, map.dim[0], map.dim[1], map.dim[2], width, 0)
                            : shape_of(5, map.dim[0], map.dim[1], map.dim[2], j, width);
    return true;
}

static bool softmax_shape(struct inst *inst, struct why *why)
{
    inst->shape = inst->in[0]->shape;
    return want_axis(inst, inst->attr[SLOT_softmax_axis].integer, why);
}

static bool aggregate_shape(struct inst *inst, struct why *why)
{
    int64_t footprint = inst->attr[SLOT_aggregate_footprint].integer;
    if (!want_rank(inst, 0, 5, why) || !want_rank(inst, 1, 4, why))
        return false;
    const struct shape *weight = &inst->in[0]->shape;
    int64_t c = inst->in[1]->shape.dim[3], m = weight->dim[4];
    inst->shape = shape_of(4, weight->dim[0], weight->dim[1], weight->dim[2], c, 0);
    if (weight->dim[3] != footprint * footprint)
        return refuse(why, "input 0 has %lld neighbours, must have footprint * footprint = %lld",
                      (long long)weight->dim[3], (long long)(footprint * footprint));
    if (c % m)
        return refuse(why, "input 1 has %lld channels, must be a multiple of input 0's %lld",
                      (long long)c, (long long)m);
    return want_neighbours(inst, 1, inst->shape, footprint,
                           inst->attr[SLOT_aggregate_dilation].integer,
                           inst->attr[SLOT_aggregate_padding].integer, why);
}

static bool reshape_shape(struct inst *inst, struct why *why)
{
    char text[SHAPE_TEXT], other[SHAPE_TEXT];
    inst->shape = inst->attr[SLOT_reshape_shape].shape;
    if (!shape_valid(&inst->shape) ||
        shape_elements(&inst->shape) != shape_elements(&inst->in[0]->shape))
        return refuse(why, "shape is %s, must have as many elements as the input's %s",
                      shape_text(&inst->shape, text), shape_text(&inst->in[0]->shape, other));
    return true;
}

static bool transpose_shape(struct inst *inst, struct why *why)
{
    char text[SHAPE_TEXT];
    const struct shape *order = &inst->attr[SLOT_transpose_order].shape;
    const struct shape *x = &inst->in[0]->shape;
    unsigned seen = 0;
    inst->shape = *x;
    for (int i = 0; i < order->rank && order->dim[i] < x->rank; i++) {
        seen |= 1u << order->dim[i];
        inst->shape.dim[i] = x->dim[order->dim[i]];
    }
    if (order->rank == x->rank && seen == (1u << x->rank) - 1)
        return true;
    return refuse(why, "order is %s, must name each of the input's %d dimensions once",
                  shape_text(order, text), x->rank);
}

static bool slice_shape(struct inst *inst, struct why *why)
{
    int64_t axis = inst->attr[SLOT_slice_axis].integer;
    int64_t begin = inst->attr[SLOT_slice_begin].integer, end = inst->attr[SLOT_slice_end].integer;
    if (!want_axis(inst, axis, why))
        return false;
    inst->shape = inst->in[0]->shape;
    if (begin >= end || end > inst->shape.dim[axis])
        return refuse(why, "[%lld, %lld) is no part of dimension %lld, [0, %lld)", (long long)begin,
                      (long long)end, (long long)axis, (long long)inst->shape.dim[axis]);
    inst->shape.dim[axis] = end - begin;
    return true;
}

static bool concat_shape(struct inst *inst, struct why *why)
{
    char text[SHAPE_TEXT], other[SHAPE_TEXT];
    int axis = (int)inst->attr[SLOT_concat_axis].integer;
    if (!want_axis(inst, axis, why))
        return false;
    inst->shape = inst->in[0]->shape;
    int64_t along = 0;
    for (int i = 0; i < inst->inputs; i++) {
        const struct shape *x = &inst->in[i]->shape;
        if (x->rank != inst->shape.rank || !broadcast(&inst->shape, x, axis))
            return refuse(why, "input %d is %s, must broadcast with %s along all but dimension %d",
                          i, shape_text(x, text), shape_text(&inst->shape, other), axis);
        along += x->dim[axis];
    }
    inst->shape.dim[axis] = along;
    return true;
}

static bool output_shape(struct inst *inst, struct why *why)
{
    inst->shape = inst->in[0]->shape;
    return want_rank(inst, 0, 2, why);
}

bool inst_finish(struct inst *inst, char *why, size_t why_size)
{
    static bool (*const infer[OP_COUNT])(struct inst * inst, struct why * why) = {
#define OP(name, least, most, traits) [OP_##name] = name##_shape,
#include "ops.def"
    };
    struct why text = {why, why_size};
    char shape[SHAPE_TEXT];
    if (!inst_check_rows(inst, &text) || !infer[inst->op](inst, &text))
        return false;
    inst->constant = inst_infer_constant(inst);
    if (shape_valid(&inst->shape))
        return true;
    return refuse(&text, "the result %s has 2^40 elements or more",
                  shape_text(&inst->shape, shape));
}
