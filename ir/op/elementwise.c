/* Element by element: relu, sqrt, round, and add, sub, mul, div of two operands that broadcast. */
#include "lowering.h"
#include "op.h"
#include "rounding.h"
#include "walk.h"
#include <assert.h>

bool same_shape(struct inst *inst, struct error *error)
{
    (void)error;
    inst->shape = inst->in[0]->shape;
    return true;
}

bool both_shape(struct inst *inst, struct error *error)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    inst->shape = inst->in[0]->shape;
    if (shape_broadcast(&inst->shape, &inst->in[1]->shape, -1))
        return true;
    return error_set(
        error,
        "inputs %s and %s do not broadcast: dimensions, counted from the last, must be "
        "equal or 1",
        shape_text(&inst->in[0]->shape, a), shape_text(&inst->in[1]->shape, b));
}

void eval_binary(const struct eval *e, enum scalar_op op, const double *a,
                 const struct shape *a_shape, const double *b, const struct shape *b_shape)
{
    struct walk walk = walk_new(&e->inst->shape);
    walk_broadcast(&walk, 0, a_shape);
    walk_broadcast(&walk, 1, b_shape);
    int64_t row = walk_row(&walk), a_step = walk_step(&walk, 0), b_step = walk_step(&walk, 1);
    double *out = e->out;
    do {
        const double *p = a + walk.offset[0], *q = b + walk.offset[1];
        for (int64_t i = 0; i < row; i++)
            *out++ = eval_round(e, scalar_apply(op, p[i * a_step], q[i * b_step]));
    } while (walk_next(&walk));
}

static enum scalar_op scalar_of(enum op op)
{
    return op == OP_add   ? SCALAR_add
           : op == OP_sub ? SCALAR_sub
           : op == OP_mul ? SCALAR_mul
                          : SCALAR_div;
}

bool binary_eval(const struct eval *e)
{
    const struct inst *inst = e->inst;
    eval_binary(e, scalar_of(inst->op), e->in[0], &inst->in[0]->shape, e->in[1],
                &inst->in[1]->shape);
    return true;
}

/* max(x, 0); NaN stays NaN. */
bool relu_eval(const struct eval *e)
{
    for (int64_t i = 0; i < eval_elements(e); i++)
        e->out[i] = scalar_max(e->in[0][i], 0);
    return true;
}

bool sqrt_eval(const struct eval *e)
{
    for (int64_t i = 0; i < eval_elements(e); i++)
        e->out[i] = eval_round(e, sqrt(e->in[0][i]));
    return true;
}

bool round_eval(const struct eval *e)
{
    int precision = (int)e->inst->attr[SLOT_round_precision].integer;
    for (int64_t i = 0; i < eval_elements(e); i++)
        e->out[i] = round_to(precision, e->in[0][i]);
    return true;
}

static void elementwise(struct lowering *l, struct inst *inst, enum scalar_op op,
                        const struct expr *second)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct expr *in[2] = {0};
    for (int i = 0; i < inst->inputs; i++)
        in[i] = load_broadcast(l, inst->in[i], inst->shape.rank, loops.index);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_op(l->m, op, in[0], second ? second : in[1], NULL));
}

void binary_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, scalar_of(inst->op), NULL);
}

void relu_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_max, expr_constant(l->m, 0));
}

void sqrt_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_sqrt, NULL);
}

void round_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, round_op((int)inst->attr[SLOT_round_precision].integer), NULL);
}

struct inst_count relu_count(const struct inst *inst)
{
    return (struct inst_count){.extras = shape_elements(&inst->shape)};
}
