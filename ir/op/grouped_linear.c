/* grouped_linear: groups of channels, each by a matrix of its own. */
#include "product.h"
#include <string.h>

static int64_t groups_of(const struct inst *inst)
{
    return inst->attr[SLOT_grouped_linear_groups].integer;
}

bool grouped_linear_shape(struct inst *inst, struct error *error)
{
    char text[SHAPE_TEXT];
    const struct shape *x = &inst->in[0]->shape, *w = &inst->in[1]->shape;
    int64_t groups = groups_of(inst);
    if (x->rank < 1 || x->rank == MAX_RANK)
        return error_set(error, "input 0 is %s, must have 1 to %d dimensions", shape_text(x, text),
                         MAX_RANK - 1);
    if (!want_rank(inst, 1, 2, error))
        return false;
    if (shape_last(x) != w->dim[0])
        return error_set(error, "input 1 is %s, must have the %lld rows that input 0 has columns",
                         shape_text(w, text), (long long)shape_last(x));
    if (w->dim[0] % groups)
        return error_set(error, "input 1 is %s, its rows must be a multiple of the %lld groups",
                         shape_text(w, text), (long long)groups);
    inst->shape = *x;
    inst->shape.dim[x->rank - 1] = groups * w->dim[1];
    return true;
}

/* A row of all groups is as many rows of one group after the other. */
bool grouped_linear_eval(const struct eval *e)
{
    int64_t groups = groups_of(e->inst), n = e->inst->in[1]->shape.dim[1];
    int64_t k = e->inst->in[1]->shape.dim[0] / groups, rows = eval_elements(e) / n;
    for (int64_t row = 0; row < rows; row++)
        product_of(e, k, e->in[0] + row * k, e->in[1] + row % groups * k * n, e->out + row * n);
    return true;
}

void grouped_linear_lower(struct lowering *l, struct inst *inst)
{
    struct arena *arena = l->m->arena;
    struct kernel *kernel = lowering_kernel(l, inst);
    int last = inst->shape.rank - 1;
    int64_t groups = groups_of(inst), n = inst->in[1]->shape.dim[1];
    int64_t terms = inst->in[1]->shape.dim[0] / groups;
    struct shape apart = inst->shape;
    apart.dim[last] = groups;
    apart.dim[apart.rank++] = n;
    struct loops loops = loops_over(l, &apart);
    struct var *k = var_new(l->m, "k", terms);
    affine_ref group = loops.index[last], column = loops.index[last + 1], x[MAX_RANK];
    affine_ref term = affine_add(arena, affine_scale(arena, group, terms), index_of(l, k));
    loops.index[last] = affine_add(arena, affine_scale(arena, group, n), column);
    memcpy(x, loops.index, sizeof x);
    x[last] = term;
    affine_ref w[2] = {term, column};
    const struct expr *product =
        expr_op2(l, SCALAR_mul, lowering_load(l, inst->in[0], x), lowering_load(l, inst->in[1], w));
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_reduce(l->m, SCALAR_sum, 1, &k, product, NULL));
}

struct inst_count grouped_linear_count(const struct inst *inst)
{
    int64_t terms = inst->in[1]->shape.dim[0] / groups_of(inst);
    return (struct inst_count){.macs = shape_elements(&inst->shape) * terms};
}
