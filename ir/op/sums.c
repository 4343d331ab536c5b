#include "sums.h"
#include <string.h>

double eval_sum(const struct eval *e, int64_t count, const double *in, int64_t stride)
{
    double sum = 0;
    int64_t block = 1;
    while (count > SUM_AT_ONCE && block < (count + SUM_BLOCK - 1) / SUM_BLOCK)
        block *= SUM_BLOCK;
    for (int64_t i = 0; i < count; i += block) {
        int64_t rest = count - i < block ? count - i : block;
        sum = eval_round(
            e, sum + (block == 1 ? in[i * stride] : eval_sum(e, rest, in + i * stride, stride)));
    }
    return sum;
}

const struct expr *sums_load(struct lowering *l, const struct sums *sums, const affine_ref *index)
{
    return sums->of ? lowering_load(l, sums->of, index) : expr_load(l->m, sums->buffer, index);
}

/* to[..., first + i, ...] = sum k in `terms` of from[..., SUM_BLOCK (first + i) + k, ...], i in `count`
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
    affine_ref index[MAX_RANK];
    memcpy(index, loops.index, sizeof index);
    index[axis] = affine_add(arena, affine_scale(arena, index[axis], SUM_BLOCK), index_of(l, k));
    finish_nest(l, kernel, &loops, to,
                expr_reduce(l->m, SCALAR_sum, 1, &k, sums_load(l, from, index), NULL));
}

struct sums sums_add_up(struct lowering *l, struct inst *inst, const struct sums *from, int axis,
                        const char *name)
{
    int64_t whole = from->shape.dim[axis] / SUM_BLOCK, rest = from->shape.dim[axis] % SUM_BLOCK;
    struct shape shape = from->shape;
    shape.dim[axis] = whole + (rest > 0);
    struct buffer *to = lowering_buffer_new(l, name, PLACE_WORKSPACE, shape);
    if (whole)
        add_blocks(l, inst, from, to, axis, 0, whole, SUM_BLOCK);
    if (rest)
        add_blocks(l, inst, from, to, axis, whole, 1, rest);
    return (struct sums){.buffer = to, .shape = shape};
}
