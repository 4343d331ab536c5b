/* Nests whose vectors are pixels of a tile, where a pixel has few channels:
 *
 *   for n in 1, y in 112, x in 112 {
 *     for j in 9, c in 4
 *       hidden[j, c] = sum k in 4 (d[0, y, x, k] * w[k, c]) from b[class{9}[112*y + x], j, c]
 *     ..
 *   schedule "x86-64-v3" {
 *     tile 8
 *     lanes 0 0
 *     nest 0 rows 12 columns 8 vector 8
 * =>
 *   hidden : stack f32[9, 4, 8]
 *   for t in 1568 parallel {
 *     for r in 3 {
 *       for i in 12 unroll, v in 8 vector
 *         acc[i, v] = b_line[class{9}[112*(t div 14)] div 3, 3*r + i div 4, i mod 4, 8*part{3}[t
 *         mod 14] + v]
 *       for k in 4, i2 in 12 unroll, v2 in 8 vector
 *         acc[i2, v2] = fma(d[0, t div 14, 8*(t mod 14) + v2, k], w[k, i2 mod 4], acc[i2, v2])
 *       ..
 *
 * A nest's own variables, flattened, are its rows, the pixels its columns; what it stores gets the
 * pixel as its last dimension. block_nest (build_nest.c) does this where b->pixels_are_columns.
 * This file is about tables by classes of pixels (tabulate_position.c). Each lane would have to
 * look up its own class; instead the table is expanded to lines of pixels, in which lanes are
 * neighbours. A line is short: all tiles far from both borders are alike, so it has only one of
 * them. */
#include "build_lanes.h"

/* The number of tiles of a line that are near one border. */
static int64_t border_tiles(int64_t border, int64_t tile)
{
    return (border + tile - 1) / tile;
}

static union attr integer(int64_t value)
{
    return (union attr){.integer = value};
}

static bool is_classes(const struct inst *inst, const union attr *size)
{
    return inst->op == OP_border_classes &&
           inst->attr[SLOT_border_classes_height].integer == size[0].integer &&
           inst->attr[SLOT_border_classes_width].integer == size[1].integer &&
           inst->attr[SLOT_border_classes_border].integer == size[2].integer;
}

static struct buffer *add_weights(struct module *m, const char *name, struct inst *value)
{
    struct buffer *buffer = buffer_new(m, &m->buffers, name, PLACE_WEIGHTS, value->shape);
    buffer_set_value(buffer, value);
    return buffer;
}

/* (classes, J, c) to (lines, J, c, pixels of a short line), which other kernels may have made. */
static struct buffer *lines_of(struct module *m, const struct buffer *table, const union attr *size,
                               int64_t tile)
{
    struct builder b = {m, table->value, table->value->label};
    for (struct buffer *made = m->buffers; made; made = made->next) {
        const struct inst *map = made->value;
        for (int i = 0; map && i < 2; i++) /* under a reshape and a transpose */
            map = map->op == OP_reshape || map->op == OP_transpose ? map->in[0] : NULL;
        if (map && made->shape.rank == 4 && made->shape.dim[3] == size[1].integer &&
            map->op == OP_by_class && map->in[0] == table->value && is_classes(map->in[1], size))
            return made;
    }
    struct inst *in[] = {table->value, make(&b, OP_border_classes, size, 0, NULL)};
    struct inst *map = make_transpose(&b, make(&b, OP_by_class, size, 2, in), SHAPE(0, 1, 3, 4, 2));
    struct shape shape = {
        4, {map->shape.dim[1], map->shape.dim[2], map->shape.dim[3], map->shape.dim[4]}};
    return add_weights(m, arena_printf(m->arena, "%s_line%lld", table->name, (long long)tile),
                       make_reshape(&b, map, shape));
}

/* A table that maps each tile of a line to its tile of the short line. */
static struct buffer *parts_of(struct module *m, struct inst *after, const union attr *size)
{
    struct builder b = {m, after, after->label};
    for (struct buffer *made = m->buffers; made; made = made->next)
        if (made->value && made->dtype == DTYPE_I32 && is_classes(made->value, size))
            return made;
    struct buffer *parts =
        add_weights(m,
                    arena_printf(m->arena, "parts%lld_%lld", (long long)size[1].integer,
                                 (long long)size[2].integer),
                    make(&b, OP_border_classes, size, 0, NULL));
    parts->dtype = DTYPE_I32;
    return parts;
}

/* The number of the lookup in a table by classes of this kernel's pixels, or NULL. */
static const struct term *class_of(const struct nest_build *b, const struct expr *load,
                                   affine_ref y, affine_ref x)
{
    struct arena *arena = b->k->m->arena;
    struct var *const *pixel = b->k->nests->pixel;
    const struct affine *index = load->index[0];
    if (load->buffer->place != PLACE_WEIGHTS || load->buffer->shape.rank != 3 ||
        !shape_equal(&load->buffer->shape, &load->buffer->value->shape) || index->count != 1 ||
        index->constant || index->term[0].kind != TERM_LOOKUP || index->term[0].factor != 1)
        return NULL;
    const struct term *class = &index->term[0];
    const struct inst *classes = class->table->value;
    int64_t width = pixel[2]->extent;
    affine_ref flat = affine_add(arena, affine_scale(arena, y, width), x);
    bool fits = classes && classes->op == OP_border_classes &&
                classes->attr[SLOT_border_classes_height].integer == pixel[1]->extent &&
                classes->attr[SLOT_border_classes_width].integer == width &&
                affine_equal(class->inner, flat);
    return fits ? class : NULL;
}

const struct expr *lanes_load(struct nest_build *b, const struct expr *load)
{
    const struct kernel_build *k = b->k;
    struct var *const *pixel = k->nests->pixel;
    struct module *m = k->m;
    struct arena *arena = m->arena;
    int64_t height = pixel[1]->extent, width = pixel[2]->extent, tiles = width / k->tile;
    affine_ref y = rewrite_affine(&b->r, affine_var(arena, pixel[1]));
    affine_ref x = rewrite_affine(&b->r, affine_var(arena, pixel[2]));
    const struct term *class = class_of(b, load, y, x);
    if (!class)
        return load;
    int64_t border = class->table->value->attr[SLOT_border_classes_border].integer;
    int64_t near = border_tiles(border, k->tile), parts = border_class_count(tiles, near);
    union attr line[] = {integer(border_class_count(height, border)), integer(parts * k->tile),
                         integer(border)};
    union attr part[] = {integer(1), integer(tiles), integer(near)};
    affine_ref at = affine_div(arena, affine_mod(arena, k->first, width), k->tile);
    if (parts < tiles)
        at = affine_lookup(arena, parts_of(m, class->table->value, part), at, parts);
    affine_ref first =
        affine_lookup(arena, class->table, affine_scale(arena, y, width), class->divisor);
    affine_ref index[] = {affine_div(arena, first, border_class_count(width, border)),
                          load->index[1], load->index[2],
                          affine_add(arena, affine_scale(arena, at, k->tile), b->p)};
    return expr_load(m, lines_of(m, load->buffer, line, k->tile), index);
}
