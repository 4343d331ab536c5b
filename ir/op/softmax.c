/* softmax, along one axis. */
#include "lowering.h"
#include "op.h"
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
        double *out = e->out + first, top = -HUGE_VAL, sum = 0;
        for (int64_t j = 0; j < count; j++)
            top = scalar_max(top, in[j * inner]);
        for (int64_t j = 0; j < count; j++) {
            out[j * inner] = eval_round(e, exp(eval_round(e, in[j * inner] - top)));
            sum = eval_round(e, sum + out[j * inner]);
        }
        for (int64_t j = 0; j < count; j++)
            out[j * inner] = eval_round(e, out[j * inner] / sum);
    }
    return true;
}

/* top = max x; e = exp(x - top); e / sum e */
void softmax_lower(struct lowering *l, struct inst *inst)
{
    struct module *m = l->m;
    int axis = (int)inst->attr[SLOT_softmax_axis].integer;
    struct shape reduced = inst->shape;
    reduced.dim[axis] = 1;
    static const char *const part[] = {"top", "exp", "total"};
    struct buffer *buffer[3];
    for (int i = 0; i < 3; i++)
        buffer[i] = lowering_buffer_new(l, arena_printf(m->arena, "v%d_%s", inst->id, part[i]),
                                        PLACE_WORKSPACE, i == 1 ? inst->shape : reduced);
    for (int i = 0; i < 4; i++) {
        bool reduces = i == 0 || i == 2;
        struct kernel *kernel = lowering_kernel(l, inst);
        struct loops loops = loops_over(l, reduces ? &reduced : &inst->shape);
        affine_ref whole[MAX_RANK], one[MAX_RANK];
        memcpy(whole, loops.index, sizeof whole);
        memcpy(one, loops.index, sizeof one);
        one[axis] = index_zero(l);
        struct var *j = reduces ? var_new(m, "k", inst->shape.dim[axis]) : NULL;
        if (reduces)
            whole[axis] = index_of(l, j);
        const struct expr *x =
            i < 2 ? lowering_load(l, inst->in[0], whole) : expr_load(m, buffer[1], whole);
        const struct expr *value =
            i == 0   ? expr_reduce(m, SCALAR_maximum, 1, &j, x, NULL)
            : i == 1 ? expr_op(m, SCALAR_exp,
                               expr_op2(l, SCALAR_sub, x, expr_load(m, buffer[0], one)), NULL, NULL)
            : i == 2 ? expr_reduce(m, SCALAR_sum, 1, &j, x, NULL)
                     : expr_op2(l, SCALAR_div, x, expr_load(m, buffer[2], one));
        finish_nest(l, kernel, &loops, i < 3 ? buffer[i] : lowering_buffer(l, inst), value);
    }
}
