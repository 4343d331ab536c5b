/* mean: over all pixels of a map. A sum of many float32 numbers, one after the other, loses digits:
 * 9e-4 of the result for 2048 x 2048 pixels. So at most AT_ONCE are added up like that; of more,
 * first each BLOCK, then those sums, and so on. */
#include "lowering.h"
#include "op.h"
#include <string.h>

enum { AT_ONCE = 256, BLOCK = 64 };

bool mean_shape(struct inst *inst, struct error *error)
{
    const struct shape *x = &inst->in[0]->shape;
    inst->shape = shape_of(2, x->dim[0], x->dim[3], 0, 0, 0);
    return want_rank(inst, 0, 4, error);
}

/* Of numbers that lie `stride` apart. */
static double sum_of(const struct eval *e, int64_t count, const double *in, int64_t stride)
{
    double sum = 0;
    int64_t block = 1;
    while (count > AT_ONCE && block < (count + BLOCK - 1) / BLOCK)
        block *= BLOCK;
    for (int64_t i = 0; i < count; i += block) {
        int64_t rest = count - i < block ? count - i : block;
        sum = eval_round(
            e, sum + (block == 1 ? in[i * stride] : sum_of(e, rest, in + i * stride, stride)));
    }
    return sum;
}

bool mean_eval(const struct eval *e)
{
    const struct shape *x = &e->inst->in[0]->shape;
    int64_t channels = x->dim[3], pixels = x->dim[1] * x->dim[2];
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t c = 0; c < channels; c++) {
            const double *in = e->in[0] + n * pixels * channels + c;
            e->out[n * channels + c] =
                eval_round(e, sum_of(e, pixels, in, channels) / (double)pixels);
        }
    return true;
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* What is added up: the operand, or sums of it in a buffer of (n, rows, columns, c). */
struct sums {
    struct inst *of;       /* of the operand; else NULL and */
    struct buffer *buffer; /* the sums */
    struct shape shape;
};

static const struct expr *load_sums(struct lowering *l, const struct sums *sums,
                                    const affine_ref index[4])
{
    return sums->of ? lowering_load(l, sums->of, index) : expr_load(l->m, sums->buffer, index);
}

/* to[..., first + i, ...] = sum k in `terms` of from[..., BLOCK (first + i) + k, ...], i in `count`
 */
static void add_blocks(struct lowering *l, struct inst *inst, const struct sums *from,
                       struct buffer *to, int axis, int64_t first, int64_t count, int64_t terms)
{
    struct arena *arena = l->m->arena;
    struct shape blocks = to->shape;
    blocks.dim[axis] = count;
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &blocks);
    struct var *k = var_new(l->m, "k", terms);
    loops.index[axis] = affine_offset(arena, loops.index[axis], first);
    affine_ref index[4];
    memcpy(index, loops.index, sizeof index);
    index[axis] = affine_add(arena, affine_scale(arena, index[axis], BLOCK), index_of(l, k));
    finish_nest(l, kernel, &loops, to,
                expr_reduce(l->m, SCALAR_sum, 1, &k, load_sums(l, from, index), NULL));
}

/* Adds up blocks along the longer side of a map. */
static struct sums add_up(struct lowering *l, struct inst *inst, const struct sums *from,
                          const char *name)
{
    int axis = from->shape.dim[1] > from->shape.dim[2] ? 1 : 2;
    int64_t whole = from->shape.dim[axis] / BLOCK, rest = from->shape.dim[axis] % BLOCK;
    struct shape shape = from->shape;
    shape.dim[axis] = whole + (rest > 0);
    struct buffer *to = lowering_buffer_new(l, name, PLACE_WORKSPACE, shape);
    if (whole)
        add_blocks(l, inst, from, to, axis, 0, whole, BLOCK);
    if (rest)
        add_blocks(l, inst, from, to, axis, whole, 1, rest);
    return (struct sums){.buffer = to, .shape = shape};
}

void mean_lower(struct lowering *l, struct inst *inst)
{
    struct sums sums = {.of = inst->in[0], .shape = inst->in[0]->shape};
    double pixels = (double)(sums.shape.dim[1] * sums.shape.dim[2]);
    for (int i = 1; sums.shape.dim[1] * sums.shape.dim[2] > AT_ONCE; i++)
        sums = add_up(l, inst, &sums, arena_printf(l->m->arena, "v%d_sums%d", inst->id, i));
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    struct var *pixel[2] = {var_new(l->m, "y", sums.shape.dim[1]),
                            var_new(l->m, "x", sums.shape.dim[2])};
    affine_ref x[4] = {loops.index[0], index_of(l, pixel[0]), index_of(l, pixel[1]),
                       loops.index[1]};
    const struct expr *sum = expr_reduce(l->m, SCALAR_sum, 2, pixel, load_sums(l, &sums, x), NULL);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_op2(l, SCALAR_div, sum, expr_constant(l->m, pixels)));
}
