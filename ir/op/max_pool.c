/* max_pool: the largest of each window of pixels. */
#include "memory.h"
#include "window.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct window window_of(const struct inst *inst)
{
    const union attr *a = inst->attr;
    return (struct window){a[SLOT_max_pool_size].integer, a[SLOT_max_pool_stride].integer,
                           a[SLOT_max_pool_padding].integer};
}

bool max_pool_shape(struct inst *inst, struct error *error)
{
    struct window window = window_of(inst);
    if (window.padding >= window.size) /* a window would have no pixel of the map */
        return error_set(error, "padding is %lld, must be below the size %lld",
                         (long long)window.padding, (long long)window.size);
    return window_shape(inst, &window, error);
}

bool max_pool_eval(const struct eval *e)
{
    struct window window = window_of(e->inst);
    const struct shape *y = &e->inst->shape;
    int64_t channels = y->dim[3], pixels = window.size * window.size;
    const double **pixel = allocate(pixels, sizeof *pixel);
    double *lowest = allocate(channels, sizeof *lowest), *out = e->out;
    for (int64_t c = 0; c < channels; c++)
        lowest[c] = -HUGE_VAL;
    for (int64_t n = 0; n < y->dim[0]; n++)
        for (int64_t i = 0; i < y->dim[1]; i++)
            for (int64_t j = 0; j < y->dim[2]; j++, out += channels) {
                window_pixels(e, &window, n, i, j, lowest, pixel);
                memcpy(out, lowest, (size_t)channels * sizeof *out);
                for (int64_t p = 0; p < pixels; p++)
                    for (int64_t c = 0; c < channels; c++)
                        out[c] = scalar_max(out[c], pixel[p][c]);
            }
    free(pixel);
    free(lowest);
    return true;
}

void max_pool_lower(struct lowering *l, struct inst *inst)
{
    struct window window = window_of(inst);
    assert(!window.padding);
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    struct var *offset[2] = {var_new(l->m, "i", window.size), var_new(l->m, "k", window.size)};
    affine_ref x[MAX_RANK];
    memcpy(x, loops.index, sizeof x);
    for (int i = 0; i < 2; i++)
        x[1 + i] = window_index(l, &window, loops.index[1 + i], index_of(l, offset[i]));
    finish_nest(
        l, kernel, &loops, lowering_buffer(l, inst),
        expr_reduce(l->m, SCALAR_maximum, 2, offset, lowering_load(l, inst->in[0], x), NULL));
}

struct inst_count max_pool_count(const struct inst *inst)
{
    return (struct inst_count){.extras = shape_elements(&inst->in[0]->shape)};
}
