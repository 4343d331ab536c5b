/* mean: over all pixels of a map. */
#include "sums.h"

bool mean_shape(struct inst *inst, struct error *error)
{
    const struct shape *x = &inst->in[0]->shape;
    inst->shape = shape_of(2, x->dim[0], x->dim[3], 0, 0, 0);
    return want_rank(inst, 0, 4, error);
}

bool mean_eval(const struct eval *e)
{
    const struct shape *x = &e->inst->in[0]->shape;
    int64_t channels = x->dim[3], pixels = x->dim[1] * x->dim[2];
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t c = 0; c < channels; c++) {
            const double *in = e->in[0] + n * pixels * channels + c;
            e->out[n * channels + c] =
                eval_round(e, eval_sum(e, pixels, in, channels) / (double)pixels);
        }
    return true;
}

void mean_lower(struct lowering *l, struct inst *inst)
{
    struct sums sums = {.of = inst->in[0], .shape = inst->in[0]->shape};
    double pixels = (double)(sums.shape.dim[1] * sums.shape.dim[2]);
    for (int i = 1; sums.shape.dim[1] * sums.shape.dim[2] > SUM_AT_ONCE; i++)
        sums = sums_add_up(l, inst, &sums, sums.shape.dim[1] > sums.shape.dim[2] ? 1 : 2,
                           arena_printf(l->m->arena, "v%d_sums%d", inst->id, i));
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    struct var *pixel[2] = {var_new(l->m, "y", sums.shape.dim[1]),
                            var_new(l->m, "x", sums.shape.dim[2])};
    affine_ref x[4] = {loops.index[0], index_of(l, pixel[0]), index_of(l, pixel[1]),
                       loops.index[1]};
    const struct expr *sum = expr_reduce(l->m, SCALAR_sum, 2, pixel, sums_load(l, &sums, x), NULL);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_op2(l, SCALAR_div, sum, expr_constant(l->m, pixels)));
}
