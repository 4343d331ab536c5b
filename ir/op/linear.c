/* linear: rows of x by a matrix, and a bias. */
#include "product.h"
#include <string.h>

bool linear_shape(struct inst *inst, struct error *error)
{
    const struct shape *x = &inst->in[0]->shape;
    if (x->rank < 1)
        return error_set(error, "input 0 is [], must have 1 to 8 dimensions");
    inst->shape = *x;
    return product_shape(inst, shape_last(x), error);
}

bool linear_eval(const struct eval *e)
{
    int64_t k = e->inst->in[1]->shape.dim[0], n = e->inst->in[1]->shape.dim[1];
    int64_t rows = eval_elements(e) / n;
    for (int64_t row = 0; row < rows; row++)
        product_row(e, e->in[0] + row * k, e->out + row * n);
    product_bias(e);
    return true;
}

void linear_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    struct var *k = product_terms(l, inst);
    affine_ref x[MAX_RANK];
    memcpy(x, loops.index, sizeof x);
    x[inst->shape.rank - 1] = index_of(l, k);
    product_finish(l, inst, kernel, &loops, k, x);
}

struct inst_count linear_count(const struct inst *inst)
{
    return product_count(inst);
}
