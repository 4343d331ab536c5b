/* linear: rows of x by a matrix, and a bias. */
#include "lowering.h"
#include "op.h"
#include <string.h>

bool linear_shape(struct inst *inst, struct error *error)
{
    const struct shape *x = &inst->in[0]->shape;
    char text[SHAPE_TEXT];
    if (x->rank < 1)
        return error_set(error, "input 0 is [], must have 1 to 8 dimensions");
    if (!want_rank(inst, 1, 2, error))
        return false;
    const struct shape *w = &inst->in[1]->shape;
    if (shape_last(x) != w->dim[0])
        return error_set(error, "input 1 is %s, must have the %lld rows that input 0 has columns",
                         shape_text(w, text), (long long)shape_last(x));
    inst->shape = *x;
    inst->shape.dim[x->rank - 1] = w->dim[1];
    if (inst->inputs < 3)
        return true;
    struct shape both = inst->shape;
    if (shape_broadcast(&both, &inst->in[2]->shape, -1) && shape_equal(&both, &inst->shape))
        return true;
    char result[SHAPE_TEXT];
    return error_set(error, "input 2 is %s, must broadcast to %s",
                     shape_text(&inst->in[2]->shape, text), shape_text(&inst->shape, result));
}

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
    int64_t rows = eval_elements(e) / n;
    for (int64_t row = 0; row < rows; row++)
        linear_row(e, k, n, e->in[0] + row * k, e->in[1], e->out + row * n);
    if (inst->inputs > 2)
        eval_binary(e, SCALAR_add, e->out, &inst->shape, e->in[2], &inst->in[2]->shape);
    return true;
}

void linear_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    int last = inst->shape.rank - 1;
    struct var *k = var_new(l->m, "k", shape_last(&inst->in[0]->shape));
    affine_ref x[MAX_RANK], w[2] = {index_of(l, k), loops.index[last]};
    memcpy(x, loops.index, sizeof x);
    x[last] = index_of(l, k);
    const struct expr *product =
        expr_op2(l, SCALAR_mul, lowering_load(l, inst->in[0], x), lowering_load(l, inst->in[1], w));
    const struct expr *bias =
        inst->inputs == 3 ? load_broadcast(l, inst->in[2], inst->shape.rank, loops.index) : NULL;
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_reduce(l->m, SCALAR_sum, 1, &k, product, bias));
}

struct inst_count linear_count(const struct inst *inst)
{
    int64_t elements = shape_elements(&inst->shape);
    return (struct inst_count){.macs = elements * shape_last(&inst->in[0]->shape),
                               .extras = inst->inputs == 3 ? elements : 0};
}
