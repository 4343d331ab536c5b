/* batch_norm, as a network is run: with the statistics of its training. */
#include "lowering.h"
#include "op.h"

bool batch_norm_shape(struct inst *inst, struct error *error)
{
    inst->shape = inst->in[0]->shape;
    struct shape c = shape_of(1, shape_last(&inst->shape), 0, 0, 0, 0);
    for (int i = 1; i < 5; i++)
        if (!want_shape(inst, i, &c, error))
            return false;
    return true;
}

/* (x - mean) * (gamma / sqrt(variance + eps)) + beta */
bool batch_norm_eval(const struct eval *e)
{
    double eps = eval_round(e, e->inst->attr[SLOT_batch_norm_eps].real);
    const double *gamma = e->in[1], *beta = e->in[2], *mean = e->in[3], *variance = e->in[4];
    int64_t channels = shape_last(&e->inst->shape), rows = eval_elements(e) / channels;
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

void batch_norm_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct expr *in[5];
    for (int i = 0; i < 5; i++)
        in[i] = load_broadcast(l, inst->in[i], inst->shape.rank, loops.index);
    const struct expr *eps = expr_constant(l->m, inst->attr[SLOT_batch_norm_eps].real);
    const struct expr *deviation =
        expr_op(l->m, SCALAR_sqrt, expr_op2(l, SCALAR_add, in[4], eps), NULL, NULL);
    const struct expr *unit =
        expr_op2(l, SCALAR_div, expr_op2(l, SCALAR_sub, in[0], in[3]), deviation);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_op2(l, SCALAR_add, expr_op2(l, SCALAR_mul, unit, in[1]), in[2]));
}

struct inst_count batch_norm_count(const struct inst *inst)
{
    return (struct inst_count){.extras = 2 * shape_elements(&inst->shape)};
}
