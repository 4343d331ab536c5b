/* Lowering of borders, and of what looks at a pixel's neighbours. */
#include "lower.h"
#include <assert.h>
#include <string.h>

/* One strip of a border: `count` lines along axis 1 (rows) or 2 (columns) from `first`, line i a
 * copy of line mirror - i, or zero. */
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
    struct stmt *stmt =
        stmt_store(l->m, buffer, loops.index,
                   reflect ? expr_load(l->m, buffer, from) : expr_constant(l->m, 0));
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

/* Loops over (n, y, x, dy, dx), with the index of a neighbour's pixel in a padded map. */
struct footprint {
    struct loops loops; /* index: n, y, x */
    affine_ref neighbour;
    affine_ref near[3];
};

static affine_ref near_offset(struct lowering *l, affine_ref pixel, struct var *offset,
                              int64_t dilation)
{
    return affine_add(l->m->arena, pixel, affine_scale(l->m->arena, index_of(l, offset), dilation));
}

static void footprint_near(struct lowering *l, struct footprint *f, struct var *dy, struct var *dx,
                           int64_t dilation)
{
    f->near[0] = f->loops.index[0];
    f->near[1] = near_offset(l, f->loops.index[1], dy, dilation);
    f->near[2] = near_offset(l, f->loops.index[2], dx, dilation);
    f->neighbour = affine_add(l->m->arena, affine_scale(l->m->arena, index_of(l, dy), dx->extent),
                              index_of(l, dx));
}

static struct footprint footprint_loops(struct lowering *l, const struct inst *inst, int64_t k,
                                        int64_t dilation)
{
    struct footprint f = {
        .loops = loops_over(l, &SHAPE(inst->shape.dim[0], inst->shape.dim[1], inst->shape.dim[2]))};
    f.loops.var[1]->name = "y";
    struct var *dy = loop_over(l, &f.loops, "dy", k), *dx = loop_over(l, &f.loops, "dx", k);
    footprint_near(l, &f, dy, dx, dilation);
    return f;
}

static const struct expr *load_pixel(struct lowering *l, struct inst *inst, const affine_ref *pixel,
                                     affine_ref channel)
{
    affine_ref index[4] = {pixel[0], pixel[1], pixel[2], channel};
    if (inst->shape.dim[0] == 1)
        index[0] = index_zero(l);
    return lowering_load(l, inst, index);
}

/* Subtraction, summation, product, and the two concatenations, whose parts are nests of their own:
 * `part` 0 is phi, 1 is psi. */
static void relation_nest(struct lowering *l, struct inst *inst, struct kernel *kernel, int part)
{
    struct arena *arena = l->m->arena;
    int kind = (int)inst->attr[SLOT_relation_kind].integer;
    int64_t k = inst->attr[SLOT_relation_footprint].integer;
    int64_t dilation = inst->attr[SLOT_relation_dilation].integer;
    bool patch = kind == relation_kind_patch_concatenation;
    struct footprint f = footprint_loops(l, inst, patch && part == 0 ? 1 : k, dilation);
    int64_t channels = last_dim(inst->in[0]);
    struct var *c = loop_over(l, &f.loops, "c", channels);
    const struct expr *phi = load_pixel(l, inst->in[0], f.loops.index, index_of(l, c));
    const struct expr *psi =
        patch && part == 0 ? NULL : load_pixel(l, inst->in[1], f.near, index_of(l, c));
    if (patch) {
        affine_ref slot = affine_offset(arena, f.neighbour, part);
        f.loops.index[3] = affine_add(arena, affine_scale(arena, slot, channels), index_of(l, c));
    } else {
        f.loops.index[3] = f.neighbour;
        f.loops.index[4] = affine_offset(arena, index_of(l, c), part * channels);
    }
    const struct expr *value = kind == relation_kind_subtraction ? expr_op2(l, SCALAR_sub, phi, psi)
                               : kind == relation_kind_summation ? expr_op2(l, SCALAR_add, phi, psi)
                               : kind == relation_kind_hadamard  ? expr_op2(l, SCALAR_mul, phi, psi)
                               : part == 0                       ? phi
                                                                 : psi;
    finish_nest(l, kernel, &f.loops, lowering_buffer(l, inst), value);
}

/* <phi_i, psi_j>: dot and star; <phi_j, psi_l>: clique. */
static void relation_products(struct lowering *l, struct inst *inst)
{
    struct arena *arena = l->m->arena;
    int kind = (int)inst->attr[SLOT_relation_kind].integer;
    int64_t k = inst->attr[SLOT_relation_footprint].integer;
    int64_t dilation = inst->attr[SLOT_relation_dilation].integer;
    struct kernel *kernel = lowering_kernel(l, inst);
    struct footprint f = footprint_loops(l, inst, k, dilation);
    struct var *c = var_new(l->m, "c", last_dim(inst->in[0]));
    const affine_ref *left = f.loops.index;
    affine_ref first[3], row = index_zero(l);
    if (kind == relation_kind_clique) {
        memcpy(first, f.near, sizeof first);
        left = first;
        row = affine_scale(arena, f.neighbour, k * k);
        struct var *ey = loop_over(l, &f.loops, "ey", k), *ex = loop_over(l, &f.loops, "ex", k);
        footprint_near(l, &f, ey, ex, dilation);
    }
    const struct expr *product =
        expr_op2(l, SCALAR_mul, load_pixel(l, inst->in[0], left, index_of(l, c)),
                 load_pixel(l, inst->in[1], f.near, index_of(l, c)));
    f.loops.index[3] = affine_add(arena, row, f.neighbour);
    f.loops.index[4] = index_zero(l);
    finish_nest(l, kernel, &f.loops, lowering_buffer(l, inst),
                expr_reduce(l->m, SCALAR_sum, 1, &c, product, NULL));
}

void relation_lower(struct lowering *l, struct inst *inst)
{
    assert(inst->attr[SLOT_relation_padding].integer == padding_kind_valid);
    switch (inst->attr[SLOT_relation_kind].integer) {
    case relation_kind_dot:
    case relation_kind_star:
    case relation_kind_clique:
        relation_products(l, inst);
        break;
    case relation_kind_concatenation:
    case relation_kind_patch_concatenation:
        relation_nest(l, inst, lowering_kernel(l, inst), 0);
        relation_nest(l, inst, lowering_kernel(l, inst), 1);
        break;
    default:
        relation_nest(l, inst, lowering_kernel(l, inst), 0);
    }
}

void aggregate_lower(struct lowering *l, struct inst *inst)
{
    assert(inst->attr[SLOT_aggregate_padding].integer == padding_kind_valid);
    struct kernel *kernel = lowering_kernel(l, inst);
    int64_t k = inst->attr[SLOT_aggregate_footprint].integer;
    struct footprint f = {.loops = loops_over(l, &inst->shape)};
    struct var *offset[2] = {var_new(l->m, "dy", k), var_new(l->m, "dx", k)};
    footprint_near(l, &f, offset[0], offset[1], inst->attr[SLOT_aggregate_dilation].integer);
    affine_ref c = f.loops.index[3];
    affine_ref weight[5] = {f.loops.index[0], f.loops.index[1], f.loops.index[2], f.neighbour,
                            affine_mod(l->m->arena, c, last_dim(inst->in[0]))};
    const struct expr *product = expr_op2(l, SCALAR_mul, lowering_load(l, inst->in[0], weight),
                                          load_pixel(l, inst->in[1], f.near, c));
    finish_nest(l, kernel, &f.loops, lowering_buffer(l, inst),
                expr_reduce(l->m, SCALAR_sum, 2, offset, product, NULL));
}
