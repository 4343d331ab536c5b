#include "product.h"
#include <string.h>

bool product_shape(struct inst *inst, int64_t terms, struct error *error)
{
    char text[SHAPE_TEXT], result[SHAPE_TEXT];
    if (!want_rank(inst, 1, 2, error))
        return false;
    const struct shape *w = &inst->in[1]->shape;
    if (terms != w->dim[0])
        return error_set(error, "input 1 is %s, must have the %lld rows that input 0 has %s",
                         shape_text(w, text), (long long)terms,
                         inst->op == OP_linear ? "columns" : "numbers in a window");
    inst->shape.dim[inst->shape.rank - 1] = w->dim[1];
    if (inst->inputs < 3)
        return true;
    struct shape both = inst->shape;
    if (shape_broadcast(&both, &inst->in[2]->shape, -1) && shape_equal(&both, &inst->shape))
        return true;
    return error_set(error, "input 2 is %s, must broadcast to %s",
                     shape_text(&inst->in[2]->shape, text), shape_text(&inst->shape, result));
}

void product_of(const struct eval *e, int64_t terms, const double *restrict x,
                const double *restrict w, double *restrict out)
{
    int64_t n = e->inst->in[1]->shape.dim[1];
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t i = 0; i < terms; i++, w += n) {
        double factor = x[i];
        if (e->single)
            for (int64_t j = 0; j < n; j++)
                out[j] = single_of(out[j] + single_of(factor * w[j]));
        else
            for (int64_t j = 0; j < n; j++)
                out[j] += factor * w[j];
    }
}

void product_row(const struct eval *e, const double *restrict x, double *restrict out)
{
    product_of(e, e->inst->in[1]->shape.dim[0], x, e->in[1], out);
}

void product_bias(const struct eval *e)
{
    const struct inst *inst = e->inst;
    if (inst->inputs > 2)
        eval_binary(e, SCALAR_add, e->out, &inst->shape, e->in[2], &inst->in[2]->shape);
}

struct var *product_terms(struct lowering *l, const struct inst *inst)
{
    return var_new(l->m, "k", inst->in[1]->shape.dim[0]);
}

void product_finish(struct lowering *l, struct inst *inst, struct kernel *kernel,
                    const struct loops *loops, struct var *k, const affine_ref *x)
{
    affine_ref w[2] = {index_of(l, k), loops->index[inst->shape.rank - 1]};
    const struct expr *product =
        expr_op2(l, SCALAR_mul, lowering_load(l, inst->in[0], x), lowering_load(l, inst->in[1], w));
    const struct expr *bias =
        inst->inputs == 3 ? load_broadcast(l, inst->in[2], inst->shape.rank, loops->index) : NULL;
    finish_nest(l, kernel, loops, lowering_buffer(l, inst),
                expr_reduce(l->m, SCALAR_sum, 1, &k, product, bias));
}

struct inst_count product_count(const struct inst *inst)
{
    int64_t elements = shape_elements(&inst->shape);
    return (struct inst_count){.macs = elements * inst->in[1]->shape.dim[0],
                               .extras = inst->inputs == 3 ? elements : 0};
}
