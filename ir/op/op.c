/* The functions of every op, found by the names in ops.def. */
#include "op.h"
#include <assert.h>
#include <string.h>

static bool (*const infer[OP_COUNT])(struct inst *inst, struct error *error) = {
#define OP(name, least, most, traits) [OP_##name] = name##_shape,
#include "ops.def"
};

static bool (*const evaluate[OP_COUNT])(const struct eval *e) = {
#define OP(name, least, most, traits) [OP_##name] = name##_eval,
#include "ops.def"
};

static void (*const lower[OP_COUNT])(struct lowering *l, struct inst *inst) = {
#define OP(name, least, most, traits) [OP_##name] = name##_lower,
#include "ops.def"
};

/* NULL: counts as nothing. */
static struct inst_count (*const count[OP_COUNT])(const struct inst *inst) = {
    [OP_linear] = linear_count,
    [OP_grouped_linear] = grouped_linear_count,
    [OP_convolution] = convolution_count,
    [OP_batch_norm] = batch_norm_count,
    [OP_relu] = relu_count,
    [OP_max_pool] = max_pool_count,
    [OP_relation] = relation_count,
    [OP_aggregate] = aggregate_count,
};

bool inst_finish(struct inst *inst, struct error *error)
{
    char shape[SHAPE_TEXT];
    if (!inst_check_rows(inst, error) || !infer[inst->op](inst, error))
        return false;
    inst->constant = inst_infer_constant(inst);
    return shape_valid(&inst->shape) || error_set(error, "the result %s has 2^40 elements or more",
                                                  shape_text(&inst->shape, shape));
}

bool inst_eval(const struct eval *e)
{
    return evaluate[e->inst->op](e);
}

void inst_lower(struct lowering *l, struct inst *inst)
{
    lower[inst->op](l, inst);
}

struct inst_count inst_count(const struct inst *inst)
{
    return count[inst->op] ? count[inst->op](inst) : (struct inst_count){0};
}

/* For ops that are always constant: nothing runs. */
void constant_lower(struct lowering *l, struct inst *inst)
{
    (void)l;
    (void)inst;
    assert(!"a constant needs no loops");
}

bool eval_copy(const struct eval *e, const double *from)
{
    memcpy(e->out, from, (size_t)eval_elements(e) * sizeof *from);
    return true;
}
