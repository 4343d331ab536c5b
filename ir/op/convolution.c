/* convolution: windows of a map by a matrix, and a bias; a linear whose rows are windows. */
#include "footprint.h"
#include "memory.h"
#include "product.h"
#include "window.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct window window_of(const struct inst *inst)
{
    const union attr *a = inst->attr;
    return (struct window){a[SLOT_convolution_size].integer, a[SLOT_convolution_stride].integer,
                           a[SLOT_convolution_padding].integer};
}

bool convolution_shape(struct inst *inst, struct error *error)
{
    struct window window = window_of(inst);
    return window_shape(inst, &window, error) &&
           product_shape(inst, window.size * window.size * shape_last(&inst->in[0]->shape), error);
}

bool convolution_eval(const struct eval *e)
{
    struct window window = window_of(e->inst);
    const struct shape *y = &e->inst->shape;
    int64_t channels = shape_last(&e->inst->in[0]->shape), pixels = window.size * window.size;
    double *zeros = zeros_new(channels), *row = allocate(pixels * channels, sizeof *row);
    const double **pixel = allocate(pixels, sizeof *pixel);
    double *out = e->out;
    for (int64_t n = 0; n < y->dim[0]; n++)
        for (int64_t i = 0; i < y->dim[1]; i++)
            for (int64_t j = 0; j < y->dim[2]; j++, out += y->dim[3]) {
                window_pixels(e, &window, n, i, j, zeros, pixel);
                for (int64_t p = 0; p < pixels; p++)
                    memcpy(row + p * channels, pixel[p], (size_t)channels * sizeof *row);
                product_row(e, row, out);
            }
    product_bias(e);
    free(pixel);
    free(row);
    free(zeros);
    return true;
}

/* The terms of a window are one sum, as a linear's, so that whatever schedules those schedules
 * these: term k is channel k mod c of pixel k div c. Where the window is wide, the terms of one of
 * its lines are consecutive in memory. */
void convolution_lower(struct lowering *l, struct inst *inst)
{
    struct window window = window_of(inst);
    assert(!window.padding);
    struct arena *arena = l->m->arena;
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    int64_t channels = shape_last(&inst->in[0]->shape);
    struct var *k = product_terms(l, inst);
    affine_ref term = index_of(l, k), pixel = affine_div(arena, term, channels);
    affine_ref x[MAX_RANK] = {
        loops.index[0],
        window_index(l, &window, loops.index[1], affine_div(arena, pixel, window.size)),
        window_index(l, &window, loops.index[2], affine_mod(arena, pixel, window.size)),
        affine_mod(arena, term, channels)};
    product_finish(l, inst, kernel, &loops, k, x);
}

struct inst_count convolution_count(const struct inst *inst)
{
    return product_count(inst);
}
