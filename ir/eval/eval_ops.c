/* What the ops on plain tensors compute: constants, linear algebra, elementwise ops, views. */
#include "eval.h"
#include <assert.h>
#include <string.h>

static int64_t elements_of(const struct eval *e)
{
    return shape_elements(&e->inst->shape);
}

static int64_t last_dim(const struct shape *shape)
{
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

static bool copy(const struct eval *e, const double *from)
{
    memcpy(e->out, from, (size_t)elements_of(e) * sizeof *from);
    return true;
}

/* ---- strides --------------------------------------------------------------------------------- */

enum { MAX_WALKED = 3 };

/* A way through all elements of a shape, row by row, in several arrays at their own strides. */
struct walk {
    struct shape shape; /* of rank 1 or more */
    int64_t stride[MAX_WALKED][MAX_RANK];
    int64_t at[MAX_RANK];
    int64_t offset[MAX_WALKED]; /* of the row's first element */
};

static struct walk walk_new(const struct shape *shape)
{
    struct walk walk = {.shape = *shape};
    if (!shape->rank) {
        walk.shape.rank = 1;
        walk.shape.dim[0] = 1;
    }
    return walk;
}

/* Array number `array` has this shape, and broadcasts as NumPy does. */
static void walk_broadcast(struct walk *walk, int array, const struct shape *shape)
{
    int64_t stride = 1;
    for (int i = 1; i <= shape->rank; i++) {
        int64_t dim = shape->dim[shape->rank - i];
        walk->stride[array][walk->shape.rank - i] = dim == 1 ? 0 : stride;
        stride *= dim;
    }
}

static int64_t walk_row(const struct walk *walk)
{
    return walk->shape.dim[walk->shape.rank - 1];
}

static int64_t walk_step(const struct walk *walk, int array)
{
    return walk->stride[array][walk->shape.rank - 1];
}

static bool walk_next(struct walk *walk)
{
    for (int d = walk->shape.rank - 2; d >= 0; d--) {
        bool carry = ++walk->at[d] == walk->shape.dim[d];
        int64_t steps = carry ? 1 - walk->shape.dim[d] : 1;
        for (int i = 0; i < MAX_WALKED; i++)
            walk->offset[i] += steps * walk->stride[i][d];
        if (!carry)
            return true;
        walk->at[d] = 0;
    }
    return false;
}

/* Array 0 from array 1. */
static void walk_copy(struct walk *walk, double *to, const double *from)
{
    int64_t row = walk_row(walk), to_step = walk_step(walk, 0), from_step = walk_step(walk, 1);
    do {
        double *t = to + walk->offset[0];
        const double *f = from + walk->offset[1];
        for (int64_t i = 0; i < row; i++)
            t[i * to_step] = f[i * from_step];
    } while (walk_next(walk));
}

/* ---- sources --------------------------------------------------------------------------------- */

bool input_eval(const struct eval *e)
{
    for (int64_t i = 0; i < elements_of(e); i++)
        e->out[i] = eval_round(e, e->image[i]);
    return true;
}

bool parameter_eval(const struct eval *e)
{
    const double *data = e->parameters->find(
        e->parameters->context, e->inst->attr[SLOT_parameter_name].string, &e->inst->shape);
    return data && copy(e, data);
}

bool fill_eval(const struct eval *e)
{
    for (int64_t i = 0; i < elements_of(e); i++)
        e->out[i] = e->inst->attr[SLOT_fill_value].real;
    return true;
}

/* Counted from the nearer end, so that the points lie symmetrically; a single point is -1. */
static double linspace(int64_t i, int64_t count)
{
    if (count == 1)
        return -1;
    double step = 2.0 / (double)(count - 1);
    return i < count / 2 ? -1 + step * (double)i : 1 - step * (double)(count - 1 - i);
}

bool coordinates_eval(const struct eval *e)
{
    int64_t height = e->inst->attr[SLOT_coordinates_height].integer;
    int64_t width = e->inst->attr[SLOT_coordinates_width].integer;
    double *out = e->out;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            *out++ = linspace(x, width);
            *out++ = linspace(y, height);
        }
    return true;
}

/* ---- elementwise ----------------------------------------------------------------------------- */

static double apply(enum op op, double a, double b)
{
    switch (op) {
    case OP_add:
        return a + b;
    case OP_sub:
        return a - b;
    case OP_mul:
        return a * b;
    default:
        assert(op == OP_div);
        return a / b;
    }
}

static void binary(const struct eval *e, enum op op, const double *a, const struct shape *a_shape,
                   const double *b, const struct shape *b_shape)
{
    struct walk walk = walk_new(&e->inst->shape);
    walk_broadcast(&walk, 0, a_shape);
    walk_broadcast(&walk, 1, b_shape);
    int64_t row = walk_row(&walk), a_step = walk_step(&walk, 0), b_step = walk_step(&walk, 1);
    double *out = e->out;
    do {
        const double *p = a + walk.offset[0], *q = b + walk.offset[1];
        for (int64_t i = 0; i < row; i++)
            *out++ = eval_round(e, apply(op, p[i * a_step], q[i * b_step]));
    } while (walk_next(&walk));
}

static bool binary_eval(const struct eval *e)
{
    const struct inst *inst = e->inst;
    binary(e, inst->op, e->in[0], &inst->in[0]->shape, e->in[1], &inst->in[1]->shape);
    return true;
}

bool add_eval(const struct eval *e)
{
    return binary_eval(e);
}

bool sub_eval(const struct eval *e)
{
    return binary_eval(e);
}

bool mul_eval(const struct eval *e)
{
    return binary_eval(e);
}

bool div_eval(const struct eval *e)
{
    return binary_eval(e);
}

/* As the scalar max(x, 0): the ReLU of NaN is 0. */
bool relu_eval(const struct eval *e)
{
    for (int64_t i = 0; i < elements_of(e); i++)
        e->out[i] = scalar_max(e->in[0][i], 0);
    return true;
}

bool sqrt_eval(const struct eval *e)
{
    for (int64_t i = 0; i < elements_of(e); i++)
        e->out[i] = eval_round(e, sqrt(e->in[0][i]));
    return true;
}

bool round_eval(const struct eval *e)
{
    int precision = (int)e->inst->attr[SLOT_round_precision].integer;
    for (int64_t i = 0; i < elements_of(e); i++)
        e->out[i] = round_to(precision, e->in[0][i]);
    return true;
}

/* ---- linear, batch norm ---------------------------------------------------------------------- */

/* A row x of k numbers by w, (k, n). */
static void linear_row(const struct eval *e, int64_t k, int64_t n, const double *restrict x,
                       const double *restrict w, double *restrict out)
{
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t i = 0; i < k; i++, w += n) {
        double factor = x[i];
        if (e->single)
            for (int64_t j = 0; j < n; j++)
                out[j] = single_of(out[j] + single_of(factor * w[j]));
        else
            for (int64_t j = 0; j < n; j++)
                out[j] += factor * w[j];
    }
}

bool linear_eval(const struct eval *e)
{
    const struct inst *inst = e->inst;
    int64_t k = inst->in[1]->shape.dim[0], n = inst->in[1]->shape.dim[1];
    int64_t rows = elements_of(e) / n;
    for (int64_t row = 0; row < rows; row++)
        linear_row(e, k, n, e->in[0] + row * k, e->in[1], e->out + row * n);
    if (inst->inputs > 2)
        binary(e, OP_add, e->out, &inst->shape, e->in[2], &inst->in[2]->shape);
    return true;
}

/* (x - mean) * (gamma / sqrt(variance + eps)) + beta */
bool batch_norm_eval(const struct eval *e)
{
    double eps = eval_round(e, e->inst->attr[SLOT_batch_norm_eps].real);
    const double *gamma = e->in[1], *beta = e->in[2], *mean = e->in[3], *variance = e->in[4];
    int64_t channels = last_dim(&e->inst->shape), rows = elements_of(e) / channels;
    for (int64_t c = 0; c < channels; c++) {
        double deviation = eval_round(e, sqrt(eval_round(e, variance[c] + eps)));
        double scale = eval_round(e, gamma[c] / deviation);
        for (int64_t i = c; i < rows * channels; i += channels) {
            double scaled = eval_round(e, eval_round(e, e->in[0][i] - mean[c]) * scale);
            e->out[i] = eval_round(e, scaled + beta[c]);
        }
    }
    return true;
}

/* ---- views ----------------------------------------------------------------------------------- */

bool reshape_eval(const struct eval *e)
{
    return copy(e, e->in[0]);
}

bool transpose_eval(const struct eval *e)
{
    const struct shape *order = &e->inst->attr[SLOT_transpose_order].shape;
    const struct shape *x = &e->inst->in[0]->shape;
    struct walk from = walk_new(x), walk = walk_new(&e->inst->shape);
    walk_broadcast(&from, 0, x);
    walk_broadcast(&walk, 0, &e->inst->shape);
    for (int i = 0; i < order->rank; i++)
        walk.stride[1][i] = from.stride[0][order->dim[i]];
    walk_copy(&walk, e->out, e->in[0]);
    return true;
}

bool slice_eval(const struct eval *e)
{
    int axis = (int)e->inst->attr[SLOT_slice_axis].integer;
    int64_t begin = e->inst->attr[SLOT_slice_begin].integer, inner = 1;
    const struct shape *x = &e->inst->in[0]->shape;
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    struct walk walk = walk_new(&e->inst->shape);
    walk_broadcast(&walk, 0, &e->inst->shape);
    walk_broadcast(&walk, 1, x);
    walk_copy(&walk, e->out, e->in[0] + begin * inner);
    return true;
}

bool concat_eval(const struct eval *e)
{
    int axis = (int)e->inst->attr[SLOT_concat_axis].integer;
    const struct shape *result = &e->inst->shape;
    struct walk whole = walk_new(result);
    walk_broadcast(&whole, 0, result);
    int64_t begin = 0, inner = 1;
    for (int i = axis + 1; i < result->rank; i++)
        inner *= result->dim[i];
    for (int i = 0; i < e->inst->inputs; i++) {
        const struct shape *x = &e->inst->in[i]->shape;
        struct walk walk = whole;
        walk.shape.dim[axis] = x->dim[axis];
        walk_broadcast(&walk, 1, x);
        walk_copy(&walk, e->out + begin * inner, e->in[i]);
        begin += x->dim[axis];
    }
    return true;
}

bool output_eval(const struct eval *e)
{
    return copy(e, e->in[0]);
}
