/* max_pool: the largest of each window of pixels. */
#include "lowering.h"
#include "op.h"
#include <string.h>

bool max_pool_shape(struct inst *inst, struct error *error)
{
    char text[SHAPE_TEXT];
    int64_t size = inst->attr[SLOT_max_pool_size].integer;
    if (!want_rank(inst, 0, 4, error))
        return false;
    inst->shape = inst->in[0]->shape;
    inst->shape.dim[1] /= size;
    inst->shape.dim[2] /= size;
    if (inst->shape.dim[1] > 0 && inst->shape.dim[2] > 0)
        return true;
    return error_set(error, "input 0 is %s, must have at least %lld by %lld pixels",
                     shape_text(&inst->in[0]->shape, text), (long long)size, (long long)size);
}

bool max_pool_eval(const struct eval *e)
{
    int64_t size = e->inst->attr[SLOT_max_pool_size].integer;
    const struct shape *x = &e->inst->in[0]->shape, *y = &e->inst->shape;
    int64_t channels = x->dim[3];
    double *out = e->out;
    for (int64_t pixel = 0; pixel < y->dim[0] * y->dim[1] * y->dim[2]; pixel++) {
        int64_t column = pixel % y->dim[2], row = pixel / y->dim[2] % y->dim[1];
        int64_t image = pixel / (y->dim[2] * y->dim[1]);
        int64_t corner = (image * x->dim[1] + row * size) * x->dim[2] + column * size;
        for (int64_t c = 0; c < channels; c++) {
            double top = -HUGE_VAL;
            for (int64_t i = 0; i < size; i++)
                for (int64_t j = 0; j < size; j++)
                    top = scalar_max(top, e->in[0][(corner + i * x->dim[2] + j) * channels + c]);
            *out++ = top;
        }
    }
    return true;
}

void max_pool_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    int64_t size = inst->attr[SLOT_max_pool_size].integer;
    struct var *window[2] = {var_new(l->m, "i", size), var_new(l->m, "k", size)};
    affine_ref x[MAX_RANK];
    memcpy(x, loops.index, sizeof x);
    for (int i = 0; i < 2; i++)
        x[1 + i] = affine_add(l->m->arena, affine_scale(l->m->arena, loops.index[1 + i], size),
                              index_of(l, window[i]));
    finish_nest(
        l, kernel, &loops, lowering_buffer(l, inst),
        expr_reduce(l->m, SCALAR_maximum, 2, window, lowering_load(l, inst->in[0], x), NULL));
}

struct inst_count max_pool_count(const struct inst *inst)
{
    return (struct inst_count){.extras = shape_elements(&inst->in[0]->shape)};
}
