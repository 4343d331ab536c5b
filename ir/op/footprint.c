/* What ops that look at the neighbours of pixels share: shapes, values, loops. */
#include "footprint.h"
#include "memory.h"
#include <assert.h>
#include <string.h>

/* Checks the operand of relation and aggregate that is read at neighbours: (n, h, w, channels),
 * with a border of dilation (footprint - 1) / 2 where padding is valid. */
bool want_neighbours(const struct inst *inst, int input, struct shape map, int64_t footprint,
                     int64_t dilation, int64_t padding, struct error *error)
{
    int64_t s = dilation * (footprint - 1) / 2;
    if (footprint % 2 == 0)
        return error_set(error, "footprint is %lld, must be odd", (long long)footprint);
    if (!want_reflectable(&map, padding, s, error))
        return false;
    if (padding == padding_kind_valid) {
        map.dim[1] += 2 * s;
        map.dim[2] += 2 * s;
    }
    return want_shape(inst, input, &map, error);
}

static int64_t reflect(int64_t i, int64_t count)
{
    return i < 0 ? -i : i >= count ? 2 * (count - 1) - i : i;
}

/* The channels of a pixel. */
const double *map_at(const struct map *map, int64_t y, int64_t x)
{
    if (map->padding == padding_kind_reflect) {
        y = reflect(y, map->height);
        x = reflect(x, map->width);
    }
    if (y < 0 || y >= map->height || x < 0 || x >= map->width) {
        assert(map->padding == padding_kind_zero || map->padding == padding_kind_lowest);
        return map->around;
    }
    return map->data + (y * map->width + x) * map->channels;
}

double *zeros_new(int64_t count)
{
    double *zeros = allocate(count, sizeof(double));
    memset(zeros, 0, (size_t)count * sizeof *zeros);
    return zeros;
}

struct map map_of(const struct eval *e, int input, int64_t padding, const double *around)
{
    const struct shape *x = &e->inst->in[input]->shape;
    return (struct map){e->in[input], x->dim[1], x->dim[2], x->dim[3], padding, around};
}

void map_next_image(struct map *map)
{
    map->data += map->height * map->width * map->channels;
}

struct footprint footprint_new(int64_t size, int64_t dilation, int64_t padding)
{
    int64_t border = padding == padding_kind_valid ? dilation * (size - 1) / 2 : 0;
    return (struct footprint){size, dilation, border, 0, 0};
}

int64_t footprint_count(const struct footprint *f)
{
    return f->size * f->size;
}

/* The channels of neighbour j. */
const double *footprint_at(const struct footprint *f, const struct map *map, int64_t j)
{
    int64_t middle = (f->size - 1) / 2;
    return map_at(map, f->y + f->border + (j / f->size - middle) * f->dilation,
                  f->x + f->border + (j % f->size - middle) * f->dilation);
}

static affine_ref near_offset(struct lowering *l, affine_ref pixel, struct var *offset,
                              int64_t dilation)
{
    return affine_add(l->m->arena, pixel, affine_scale(l->m->arena, index_of(l, offset), dilation));
}

void near_at(struct lowering *l, struct near *near, struct var *dy, struct var *dx,
             int64_t dilation)
{
    const affine_ref *index = near->loops.index;
    near->pixel[0] = index[0];
    near->pixel[1] = near_offset(l, index[1], dy, dilation);
    near->pixel[2] = near_offset(l, index[2], dx, dilation);
    near->neighbour = affine_add(
        l->m->arena, affine_scale(l->m->arena, index_of(l, dy), dx->extent), index_of(l, dx));
}

struct near near_loops(struct lowering *l, const struct inst *inst, int64_t k, int64_t dilation)
{
    struct shape pixels =
        shape_of(3, inst->shape.dim[0], inst->shape.dim[1], inst->shape.dim[2], 0, 0);
    struct near near = {.loops = loops_over(l, &pixels)};
    near.loops.var[1]->name = "y";
    struct var *dy = loop_over(l, &near.loops, "dy", k), *dx = loop_over(l, &near.loops, "dx", k);
    near_at(l, &near, dy, dx, dilation);
    return near;
}

const struct expr *load_pixel(struct lowering *l, struct inst *inst, const affine_ref *pixel,
                              affine_ref channel)
{
    affine_ref index[4] = {pixel[0], pixel[1], pixel[2], channel};
    if (inst->shape.dim[0] == 1)
        index[0] = index_zero(l);
    return lowering_load(l, inst, index);
}
