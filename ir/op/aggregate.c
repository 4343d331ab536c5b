/* aggregate: the values of a footprint, weighted and summed. */
#include "footprint.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool aggregate_shape(struct inst *inst, struct error *error)
{
    int64_t footprint = inst->attr[SLOT_aggregate_footprint].integer;
    if (!want_rank(inst, 0, 5, error) || !want_rank(inst, 1, 4, error))
        return false;
    const struct shape *weight = &inst->in[0]->shape;
    int64_t c = inst->in[1]->shape.dim[3], m = weight->dim[4];
    inst->shape = shape_of(4, weight->dim[0], weight->dim[1], weight->dim[2], c, 0);
    if (weight->dim[3] != footprint * footprint)
        return error_set(error,
                         "input 0 has %lld neighbours, must have footprint * footprint = %lld",
                         (long long)weight->dim[3], (long long)(footprint * footprint));
    if (c % m)
        return error_set(error, "input 1 has %lld channels, must be a multiple of input 0's %lld",
                         (long long)c, (long long)m);
    return want_neighbours(inst, 1, inst->shape, footprint,
                           inst->attr[SLOT_aggregate_dilation].integer,
                           inst->attr[SLOT_aggregate_padding].integer, error);
}

/* out[c] = sum_j weight[j][c mod m] beta_j[c] */
static void aggregate_pixel(const struct eval *e, const struct footprint *f, int64_t m,
                            const double *weight, const struct map *beta, double *out)
{
    memset(out, 0, (size_t)beta->channels * sizeof *out);
    for (int64_t j = 0; j < footprint_count(f); j++, weight += m) {
        const double *near = footprint_at(f, beta, j);
        for (int64_t c = 0; c < beta->channels; c++)
            out[c] = eval_round(e, out[c] + eval_round(e, weight[c % m] * near[c]));
    }
}

bool aggregate_eval(const struct eval *e)
{
    const struct shape *y = &e->inst->shape;
    int64_t padding = e->inst->attr[SLOT_aggregate_padding].integer;
    int64_t m = e->inst->in[0]->shape.dim[4];
    struct footprint f = footprint_new(e->inst->attr[SLOT_aggregate_footprint].integer,
                                       e->inst->attr[SLOT_aggregate_dilation].integer, padding);
    double *zeros = zeros_new(y->dim[3]), *out = e->out;
    const double *weight = e->in[0];
    struct map beta = map_of(e, 1, padding, zeros);
    for (int64_t n = 0; n < y->dim[0]; n++, map_next_image(&beta))
        for (f.y = 0; f.y < y->dim[1]; f.y++)
            for (f.x = 0; f.x < y->dim[2]; f.x++) {
                aggregate_pixel(e, &f, m, weight, &beta, out);
                weight += footprint_count(&f) * m;
                out += y->dim[3];
            }
    free(zeros);
    return true;
}

void aggregate_lower(struct lowering *l, struct inst *inst)
{
    assert(inst->attr[SLOT_aggregate_padding].integer == padding_kind_valid);
    struct kernel *kernel = lowering_kernel(l, inst);
    int64_t k = inst->attr[SLOT_aggregate_footprint].integer;
    struct near near = {.loops = loops_over(l, &inst->shape)};
    struct var *offset[2] = {var_new(l->m, "dy", k), var_new(l->m, "dx", k)};
    near_at(l, &near, offset[0], offset[1], inst->attr[SLOT_aggregate_dilation].integer);
    affine_ref c = near.loops.index[3];
    affine_ref weight[5] = {near.loops.index[0], near.loops.index[1], near.loops.index[2],
                            near.neighbour,
                            affine_mod(l->m->arena, c, shape_last(&inst->in[0]->shape))};
    const struct expr *product = expr_op2(l, SCALAR_mul, lowering_load(l, inst->in[0], weight),
                                          load_pixel(l, inst->in[1], near.pixel, c));
    finish_nest(l, kernel, &near.loops, lowering_buffer(l, inst),
                expr_reduce(l->m, SCALAR_sum, 2, offset, product, NULL));
}

struct inst_count aggregate_count(const struct inst *inst)
{
    int64_t footprint = inst->attr[SLOT_aggregate_footprint].integer;
    return (struct inst_count){.macs = shape_elements(&inst->shape) * footprint * footprint};
}
