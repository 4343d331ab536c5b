#include "window.h"

bool window_shape(struct inst *inst, const struct window *window, struct error *error)
{
    char text[SHAPE_TEXT];
    int64_t least = window->size - 2 * window->padding;
    if (!want_rank(inst, 0, 4, error))
        return false;
    inst->shape = inst->in[0]->shape;
    for (int i = 1; i <= 2; i++) {
        int64_t room = inst->shape.dim[i] - least;
        if (room < 0)
            return error_set(error, "input 0 is %s, must have at least %lld by %lld pixels",
                             shape_text(&inst->in[0]->shape, text), (long long)least,
                             (long long)least);
        inst->shape.dim[i] = room / window->stride + 1;
    }
    return true;
}

void window_pixels(const struct eval *e, const struct window *window, int64_t n, int64_t y,
                   int64_t x, const double *beyond, const double **pixel)
{
    const struct shape *map = &e->inst->in[0]->shape;
    int64_t top = y * window->stride - window->padding, left = x * window->stride - window->padding;
    for (int64_t i = top; i < top + window->size; i++)
        for (int64_t j = left; j < left + window->size; j++) {
            bool inside = i >= 0 && i < map->dim[1] && j >= 0 && j < map->dim[2];
            int64_t at = (n * map->dim[1] + i) * map->dim[2] + j;
            *pixel++ = inside ? e->in[0] + at * map->dim[3] : beyond;
        }
}

affine_ref window_index(struct lowering *l, const struct window *window, affine_ref at,
                        affine_ref offset)
{
    return affine_add(l->m->arena, affine_scale(l->m->arena, at, window->stride), offset);
}
