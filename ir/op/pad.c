/* pad: a border of mirrored pixels, of zeros, or of what is never the largest. */
#include "footprint.h"
#include <stdlib.h>
#include <string.h>

bool pad_shape(struct inst *inst, struct error *error)
{
    int64_t size = inst->attr[SLOT_pad_size].integer;
    if (!want_rank(inst, 0, 4, error))
        return false;
    inst->shape = inst->in[0]->shape;
    inst->shape.dim[1] += 2 * size;
    inst->shape.dim[2] += 2 * size;
    return want_reflectable(&inst->in[0]->shape, inst->attr[SLOT_pad_padding].integer, size, error);
}

/* What a border holds that is not mirrored. */
static double value_around(const struct inst *inst)
{
    return inst->attr[SLOT_pad_padding].integer == padding_kind_lowest ? -HUGE_VAL : 0;
}

bool pad_eval(const struct eval *e)
{
    int64_t size = e->inst->attr[SLOT_pad_size].integer;
    const struct shape *y = &e->inst->shape;
    double *around = zeros_new(y->dim[3]), *out = e->out;
    struct map map = map_of(e, 0, e->inst->attr[SLOT_pad_padding].integer, around);
    for (int64_t c = 0; c < map.channels; c++)
        around[c] = value_around(e->inst);
    for (int64_t n = 0; n < y->dim[0]; n++, map_next_image(&map))
        for (int64_t i = 0; i < y->dim[1]; i++)
            for (int64_t j = 0; j < y->dim[2]; j++, out += map.channels)
                memcpy(out, map_at(&map, i - size, j - size), (size_t)map.channels * sizeof *out);
    free(around);
    return true;
}

/* One strip of a border: `count` lines along axis 1 (rows) or 2 (columns) from `first`, line i a
 * copy of line mirror - i, or one value. */
static struct stmt *border_strip(struct lowering *l, struct inst *inst, int axis, int64_t first,
                                 int64_t mirror)
{
    struct arena *arena = l->m->arena;
    int64_t size = inst->attr[SLOT_pad_size].integer;
    bool reflect = inst->attr[SLOT_pad_padding].integer == padding_kind_reflect;
    struct shape strip = inst->shape;
    strip.dim[axis] = size;
    if (axis == 2)
        strip.dim[1] -= 2 * size; /* the rows that have an interior; rows then bring the corners */
    struct loops loops = loops_over(l, &strip);
    struct buffer *buffer = lowering_buffer(l, inst);
    affine_ref line = loops.index[axis], from[MAX_RANK];
    if (axis == 2)
        loops.index[1] = affine_offset(arena, loops.index[1], size);
    memcpy(from, loops.index, sizeof from);
    loops.index[axis] = affine_offset(arena, line, first);
    from[axis] = affine_offset(arena, affine_scale(arena, line, -1), mirror - first);
    struct stmt *stmt = stmt_store(l->m, buffer, loops.index,
                                   reflect ? expr_load(l->m, buffer, from)
                                           : expr_constant(l->m, value_around(inst)));
    for (int i = loops.vars - 1; i >= 0; i--)
        stmt = stmt_for(l->m, loops.var[i], LOOP_SERIAL, stmt);
    return stmt;
}

/* The interior, then the columns beside it, then whole rows above and below. */
void pad_lower(struct lowering *l, struct inst *inst)
{
    struct arena *arena = l->m->arena;
    int64_t size = inst->attr[SLOT_pad_size].integer;
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->in[0]->shape);
    const struct expr *value = lowering_load(l, inst->in[0], loops.index);
    loops.index[1] = affine_offset(arena, loops.index[1], size);
    loops.index[2] = affine_offset(arena, loops.index[2], size);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst), value);
    for (int axis = 2; size && axis >= 1; axis--) {
        int64_t extent = inst->shape.dim[axis] - 2 * size, end = size + extent;
        kernel = lowering_kernel(l, inst);
        kernel->body = border_strip(l, inst, axis, 0, 2 * size);
        kernel->body->next = border_strip(l, inst, axis, end, 2 * end - 2);
    }
}
