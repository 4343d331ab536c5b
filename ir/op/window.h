/* What ops that take windows of pixels share: convolution and max_pool. */
#ifndef IR_WINDOW_H
#define IR_WINDOW_H
#include "lowering.h"
#include "op.h"

/* size x size pixels, `stride` apart, on a map with `padding` pixels around it. */
struct window {
    int64_t size, stride, padding;
};

/* Checks operand 0, a map (n, h, w, c), and sets the shape of the result to as many windows as fit,
 * with the operand's channels. */
bool window_shape(struct inst *inst, const struct window *window, struct error *error);

/* The channels of each pixel of window (y, x) of image n of operand 0, size x size in order;
 * `beyond` those of a pixel around the map. */
void window_pixels(const struct eval *e, const struct window *window, int64_t n, int64_t y,
                   int64_t x, const double *beyond, const double **pixel);

/* The index of a pixel of a map that carries its border: the first of a window, in the dimension of
 * `at`, and `offset` further. */
affine_ref window_index(struct lowering *l, const struct window *window, affine_ref at,
                        affine_ref offset);

#endif
