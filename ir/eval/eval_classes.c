/* The evaluator's part on classes of pixels: what is the same for pixels as far from the borders.
 */
#include "eval.h"
#include <string.h>

static int64_t class_of(int64_t y, int64_t x, int64_t height, int64_t width, int64_t border)
{
    return border_class(y, height, border) * border_class_count(width, border) +
           border_class(x, width, border);
}

bool border_classes_eval(const struct eval *e)
{
    const union attr *a = e->inst->attr;
    int64_t height = a[SLOT_border_classes_height].integer;
    int64_t width = a[SLOT_border_classes_width].integer;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            e->out[y * width + x] =
                (double)class_of(y, x, height, width, a[SLOT_border_classes_border].integer);
    return true;
}

bool select_classes_eval(const struct eval *e)
{
    const struct shape *map = &e->inst->in[0]->shape;
    int64_t border = e->inst->attr[SLOT_select_classes_border].integer;
    int64_t row = map->dim[3] * map->dim[4];
    /* backwards, so that the first pixel of a class has the last word */
    for (int64_t i = map->dim[1] * map->dim[2] - 1; i >= 0; i--) {
        int64_t class =
            class_of(i / map->dim[2], i % map->dim[2], map->dim[1], map->dim[2], border);
        memcpy(e->out + class * row, e->in[0] + i * row, (size_t)row * sizeof *e->out);
    }
    return true;
}

bool by_class_eval(const struct eval *e)
{
    const struct shape *table = &e->inst->in[0]->shape;
    int64_t pixels = e->inst->in[1]->shape.dim[0], row = table->dim[1] * table->dim[2];
    for (int64_t i = 0; i < pixels; i++)
        memcpy(e->out + i * row, e->in[0] + (int64_t)e->in[1][i] * row,
               (size_t)row * sizeof *e->out);
    return true;
}
