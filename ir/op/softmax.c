/* softmax, along one axis. */
#include "sums.h"
#include <string.h>

bool softmax_shape(struct inst *inst, struct error *error)
{
    inst->shape = inst->in[0]->shape;
    return want_axis(inst, inst->attr[SLOT_softmax_axis].integer, error);
}

bool softmax_eval(const struct eval *e)
{
    const struct shape *x = &e->inst->shape;
    int axis = (int)e->inst->attr[SLOT_softmax_axis].integer;
    int64_t count = x->dim[axis], inner = 1;
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    for (int64_t i = 0; i < shape_elements(x) / count; i++) {
        int64_t first = i / inner * inner * count + i % inner;
        const double *in = e->in[0] + first;
        double *out = e->out + first, top = -HUGE_VAL;
        for (int64_t j = 0; j < count; j++)
            top = scalar_max(top, in[j * inner]);
        for (int64_t j = 0; j < count; j++)
            out[j * inner] = eval_round(e, exp(eval_round(e, in[j * inner] - top)));
        double sum = eval_sum(e, count, out, inner);
        for (int64_t j = 0; j < count; j++)
            out[j * inner] = eval_round(e, out[j * inner] / sum);
    }
    return true;
}

/* One nest of a softmax: of the result's shape, or, where it reduces, over its axis too. */
struct part {
    struct loops loops;
    affine_ref whole[MAX_RANK]; /* the current element */
    affine_ref one[MAX_RANK];   /* its row's maximum or sum */
    struct var *k;              /* along the axis where it reduces; else NULL */
};

static struct part part_of(struct lowering *l, const struct shape *shape, int axis, int64_t terms)
{
    struct part part = {.loops = loops_over(l, shape)};
    memcpy(part.whole, part.loops.index, sizeof part.whole);
    memcpy(part.one, part.loops.index, sizeof part.one);
    part.one[axis] = index_zero(l);
    if (terms) {
        part.k = var_new(l->m, "k", terms);
        part.whole[axis] = index_of(l, part.k);
    }
    return part;
}

/* top = max x; e = exp(x - top); e / sum e */
void softmax_lower(struct lowering *l, struct inst *inst)
{
    struct module *m = l->m;
    int axis = (int)inst->attr[SLOT_softmax_axis].integer;
    struct shape row = inst->shape;
    row.dim[axis] = 1;
    static const char *const name[] = {"top", "exp", "total"};
    struct buffer *buffer[3];
    for (int i = 0; i < 3; i++)
        buffer[i] = lowering_buffer_new(l, arena_printf(m->arena, "v%d_%s", inst->id, name[i]),
                                        PLACE_WORKSPACE, i == 1 ? inst->shape : row);

    struct kernel *kernel = lowering_kernel(l, inst);
    struct part part = part_of(l, &row, axis, inst->shape.dim[axis]);
    finish_nest(l, kernel, &part.loops, buffer[0],
                expr_reduce(m, SCALAR_maximum, 1, &part.k,
                            lowering_load(l, inst->in[0], part.whole), NULL));

    kernel = lowering_kernel(l, inst);
    part = part_of(l, &inst->shape, axis, 0);
    const struct expr *x = lowering_load(l, inst->in[0], part.whole);
    x = expr_op2(l, SCALAR_sub, x, expr_load(m, buffer[0], part.one));
    finish_nest(l, kernel, &part.loops, buffer[1], expr_op(m, SCALAR_exp, x, NULL, NULL));

    struct sums sums = {.buffer = buffer[1], .shape = inst->shape};
    for (int i = 1; sums.shape.dim[axis] > SUM_AT_ONCE; i++)
        sums = sums_add_up(l, inst, &sums, axis, arena_printf(m->arena, "v%d_sums%d", inst->id, i));
    kernel = lowering_kernel(l, inst);
    part = part_of(l, &row, axis, sums.shape.dim[axis]);
    finish_nest(l, kernel, &part.loops, buffer[2],
                expr_reduce(m, SCALAR_sum, 1, &part.k, sums_load(l, &sums, part.whole), NULL));

    kernel = lowering_kernel(l, inst);
    part = part_of(l, &inst->shape, axis, 0);
    x = expr_load(m, buffer[1], part.whole);
    finish_nest(l, kernel, &part.loops, lowering_buffer(l, inst),
                expr_op2(l, SCALAR_div, x, expr_load(m, buffer[2], part.one)));
}
