/* The same elements in another order or shape: reshape, transpose, slice; and concat. */
#include "lowering.h"
#include "op.h"
#include "walk.h"
#include <string.h>

bool reshape_shape(struct inst *inst, struct error *error)
{
    char text[SHAPE_TEXT], other[SHAPE_TEXT];
    inst->shape = inst->attr[SLOT_reshape_shape].shape;
    if (!shape_valid(&inst->shape) ||
        shape_elements(&inst->shape) != shape_elements(&inst->in[0]->shape))
        return error_set(error, "shape is %s, must have as many elements as the input's %s",
                         shape_text(&inst->shape, text), shape_text(&inst->in[0]->shape, other));
    return true;
}

bool reshape_eval(const struct eval *e)
{
    return eval_copy(e, e->in[0]);
}

void reshape_lower(struct lowering *l, struct inst *inst)
{
    struct arena *arena = l->m->arena;
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref flat = affine_linearize(arena, &inst->shape, loops.index), from[MAX_RANK];
    const struct shape *shape = &inst->in[0]->shape;
    for (int i = shape->rank - 1; i >= 0; i--) {
        from[i] = affine_mod(arena, flat, shape->dim[i]);
        flat = affine_div(arena, flat, shape->dim[i]);
    }
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst), lowering_load(l, inst->in[0], from));
}

bool transpose_shape(struct inst *inst, struct error *error)
{
    char text[SHAPE_TEXT];
    const struct shape *order = &inst->attr[SLOT_transpose_order].shape;
    const struct shape *x = &inst->in[0]->shape;
    unsigned seen = 0;
    inst->shape = *x;
    for (int i = 0; i < order->rank && order->dim[i] < x->rank; i++) {
        seen |= 1u << order->dim[i];
        inst->shape.dim[i] = x->dim[order->dim[i]];
    }
    if (order->rank == x->rank && seen == (1u << x->rank) - 1)
        return true;
    return error_set(error, "order is %s, must name each of the input's %d dimensions once",
                     shape_text(order, text), x->rank);
}

bool transpose_eval(const struct eval *e)
{
    const struct shape *order = &e->inst->attr[SLOT_transpose_order].shape;
    const struct shape *x = &e->inst->in[0]->shape;
    struct walk from = walk_new(x), walk = walk_new(&e->inst->shape);
    walk_broadcast(&from, 0, x);
    walk_broadcast(&walk, 0, &e->inst->shape);
    for (int i = 0; i < order->rank; i++)
        walk.stride[1][i] = from.stride[0][order->dim[i]];
    walk_copy(&walk, e->out, e->in[0]);
    return true;
}

void transpose_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref from[MAX_RANK];
    for (int i = 0; i < inst->shape.rank; i++)
        from[inst->attr[SLOT_transpose_order].shape.dim[i]] = loops.index[i];
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst), lowering_load(l, inst->in[0], from));
}

bool slice_shape(struct inst *inst, struct error *error)
{
    int64_t axis = inst->attr[SLOT_slice_axis].integer;
    int64_t begin = inst->attr[SLOT_slice_begin].integer, end = inst->attr[SLOT_slice_end].integer;
    if (!want_axis(inst, axis, error))
        return false;
    inst->shape = inst->in[0]->shape;
    if (begin >= end || end > inst->shape.dim[axis])
        return error_set(error, "[%lld, %lld) is no part of dimension %lld, [0, %lld)",
                         (long long)begin, (long long)end, (long long)axis,
                         (long long)inst->shape.dim[axis]);
    inst->shape.dim[axis] = end - begin;
    return true;
}

bool slice_eval(const struct eval *e)
{
    int axis = (int)e->inst->attr[SLOT_slice_axis].integer;
    int64_t begin = e->inst->attr[SLOT_slice_begin].integer, inner = 1;
    const struct shape *x = &e->inst->in[0]->shape;
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    struct walk walk = walk_new(&e->inst->shape);
    walk_broadcast(&walk, 0, &e->inst->shape);
    walk_broadcast(&walk, 1, x);
    walk_copy(&walk, e->out, e->in[0] + begin * inner);
    return true;
}

void slice_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref from[MAX_RANK];
    memcpy(from, loops.index, sizeof from);
    int axis = (int)inst->attr[SLOT_slice_axis].integer;
    from[axis] = affine_offset(l->m->arena, from[axis], inst->attr[SLOT_slice_begin].integer);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst), lowering_load(l, inst->in[0], from));
}

bool concat_shape(struct inst *inst, struct error *error)
{
    char text[SHAPE_TEXT], other[SHAPE_TEXT];
    int axis = (int)inst->attr[SLOT_concat_axis].integer;
    if (!want_axis(inst, axis, error))
        return false;
    inst->shape = inst->in[0]->shape;
    int64_t along = 0;
    for (int i = 0; i < inst->inputs; i++) {
        const struct shape *x = &inst->in[i]->shape;
        if (x->rank != inst->shape.rank || !shape_broadcast(&inst->shape, x, axis))
            return error_set(error,
                             "input %d is %s, must broadcast with %s along all but dimension %d", i,
                             shape_text(x, text), shape_text(&inst->shape, other), axis);
        along += x->dim[axis];
    }
    inst->shape.dim[axis] = along;
    return true;
}

bool concat_eval(const struct eval *e)
{
    int axis = (int)e->inst->attr[SLOT_concat_axis].integer;
    const struct shape *result = &e->inst->shape;
    struct walk whole = walk_new(result);
    walk_broadcast(&whole, 0, result);
    int64_t begin = 0, inner = 1;
    for (int i = axis + 1; i < result->rank; i++)
        inner *= result->dim[i];
    for (int i = 0; i < e->inst->inputs; i++) {
        const struct shape *x = &e->inst->in[i]->shape;
        struct walk walk = whole;
        walk.shape.dim[axis] = x->dim[axis];
        walk_broadcast(&walk, 1, x);
        walk_copy(&walk, e->out + begin * inner, e->in[i]);
        begin += x->dim[axis];
    }
    return true;
}

void concat_lower(struct lowering *l, struct inst *inst)
{
    int axis = (int)inst->attr[SLOT_concat_axis].integer;
    int64_t begin = 0;
    for (int i = 0; i < inst->inputs; i++) {
        struct kernel *kernel = lowering_kernel(l, inst);
        struct shape part = inst->shape;
        part.dim[axis] = inst->in[i]->shape.dim[axis];
        struct loops loops = loops_over(l, &part);
        const struct expr *value = load_broadcast(l, inst->in[i], part.rank, loops.index);
        loops.index[axis] = affine_offset(l->m->arena, loops.index[axis], begin);
        begin += part.dim[axis];
        finish_nest(l, kernel, &loops, lowering_buffer(l, inst), value);
    }
}
