/* Values that are the same for all pixels with the same distances to the borders, once for each
 * such class of pixels: border_classes, select_classes, by_class. */
#include "lowering.h"
#include "op.h"
#include <string.h>

int64_t border_class(int64_t at, int64_t size, int64_t border)
{
    int64_t classes = border_class_count(size, border);
    return at < border || classes == size ? at : at >= size - border ? at - size + classes : border;
}

int64_t border_class_count(int64_t size, int64_t border)
{
    return size < 2 * border + 1 ? size : 2 * border + 1;
}

static int64_t class_of(int64_t y, int64_t x, int64_t height, int64_t width, int64_t border)
{
    return border_class(y, height, border) * border_class_count(width, border) +
           border_class(x, width, border);
}

bool border_classes_shape(struct inst *inst, struct error *error)
{
    (void)error;
    inst->shape = shape_of(1,
                           inst->attr[SLOT_border_classes_height].integer *
                               inst->attr[SLOT_border_classes_width].integer,
                           0, 0, 0, 0);
    return true;
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

bool select_classes_shape(struct inst *inst, struct error *error)
{
    if (!want_rank(inst, 0, 5, error))
        return false;
    const struct shape *x = &inst->in[0]->shape;
    int64_t border = inst->attr[SLOT_select_classes_border].integer;
    if (x->dim[0] != 1)
        return error_set(error, "input 0 is of %lld images, must be of 1", (long long)x->dim[0]);
    inst->shape =
        shape_of(3, border_class_count(x->dim[1], border) * border_class_count(x->dim[2], border),
                 x->dim[3], x->dim[4], 0, 0);
    return true;
}

bool select_classes_eval(const struct eval *e)
{
    const struct shape *map = &e->inst->in[0]->shape;
    int64_t border = e->inst->attr[SLOT_select_classes_border].integer;
    int64_t row = map->dim[3] * map->dim[4];
    /* backwards, so that the first pixel of a class is kept */
    for (int64_t i = map->dim[1] * map->dim[2] - 1; i >= 0; i--) {
        int64_t class =
            class_of(i / map->dim[2], i % map->dim[2], map->dim[1], map->dim[2], border);
        memcpy(e->out + class * row, e->in[0] + i * row, (size_t)row * sizeof *e->out);
    }
    return true;
}

bool by_class_shape(struct inst *inst, struct error *error)
{
    int64_t height = inst->attr[SLOT_by_class_height].integer;
    int64_t width = inst->attr[SLOT_by_class_width].integer;
    if (!want_rank(inst, 0, 3, error) || !want_rank(inst, 1, 1, error))
        return false;
    if (inst->in[1]->op != OP_border_classes || inst->in[1]->shape.dim[0] != height * width)
        return error_set(error, "input 1 must be border_classes of height * width = %lld pixels",
                         (long long)(height * width));
    const union attr *a = inst->in[1]->attr;
    int64_t border = a[SLOT_border_classes_border].integer, classes = inst->in[0]->shape.dim[0];
    if (classes != border_class_count(a[SLOT_border_classes_height].integer, border) *
                       border_class_count(a[SLOT_border_classes_width].integer, border))
        return error_set(error, "input 0 has %lld classes, input 1 a different number",
                         (long long)classes);
    inst->shape =
        shape_of(5, 1, height, width, inst->in[0]->shape.dim[1], inst->in[0]->shape.dim[2]);
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
