/* Graph form to loop form, op by op: every value becomes a buffer, every op one nest of loops (or a
 * few) in a kernel of its own. Nothing is fused, ordered or placed here.
 *
 *   %3 = linear %1, %2, %b : f32[1, 28, 28, 64]
 *   =>
 *   kernel conv_28x28x64 {
 *     for n in 1, y in 28, x in 28, c in 64
 *       v3[n, y, x, c] = sum k in 32 (v1[n, y, x, k] * w2[k, c]) from w2b[c]
 *   }
 *
 * Requires: footprints with padding valid (pad_borders); borders are then plain offsets. */
#include "affine.h"
#include "loops.h"
#include "names.h"
#include "passes.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef const struct affine *affine_ref;

struct lowering {
    struct module *m;
    struct buffer **of;   /* by instruction id */
    struct names kernels; /* by name: how many were given it, as an int */
    /* where the module's lists end, or before */
    struct buffer **last_buffer;
    struct kernel **last_kernel;
};

/* One nest: loops over an op's result, and the index of the element stored. */
struct loops {
    int vars;
    struct var *var[MAX_RANK + 2];
    affine_ref index[MAX_RANK]; /* of the buffer stored to */
};

static struct buffer *new_buffer(struct lowering *l, const char *name, enum place place,
                                 struct shape shape)
{
    struct buffer *buffer = buffer_new(l->m, l->last_buffer, name, place, shape);
    l->last_buffer = &buffer->next;
    return buffer;
}

static struct buffer *buffer_of(struct lowering *l, struct inst *inst)
{
    struct buffer **of = &l->of[inst->id];
    if (*of)
        return *of;
    bool constant = inst_is_constant(inst);
    const char *name = arena_printf(l->m->arena, "%c%d", constant ? 'w' : 'v', inst->id);
    *of = new_buffer(l, name, constant ? PLACE_WEIGHTS : PLACE_WORKSPACE, inst->shape);
    if (constant)
        buffer_set_value(*of, inst);
    return *of;
}

static bool name_add(struct lowering *l, const char *name)
{
    int *given = ARENA_NEW(l->m->arena, int);
    *given = 1;
    return names_add(&l->kernels, name, strlen(name), given);
}

/* The text itself, or the first of text_2, text_3, ... that no kernel has. */
static const char *unique_name(struct lowering *l, const char *text)
{
    const char *name = arena_printf(l->m->arena, "%s", text);
    if (name_add(l, name))
        return name;
    int *given = names_find(&l->kernels, text, strlen(text))->value;
    do
        name = arena_printf(l->m->arena, "%s_%d", text, ++*given);
    while (!name_add(l, name));
    return name;
}

/* "layer0.0.sam" at 28x28x64: layer0_0_sam_28x28x64 */
static const char *kernel_name(struct lowering *l, const struct inst *inst)
{
    char text[128];
    int length = 0;
    for (const char *c = inst->label ? inst->label : op_info[inst->op].name; *c && length < 80; c++)
        text[length++] = *c == '.' ? '_' : *c;
    text[length] = 0;
    for (int i = 1; i < inst->shape.rank; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%lld",
                           i == 1 ? "_" : "x", (long long)inst->shape.dim[i]);
    return unique_name(l, text);
}

static struct kernel *kernel_for(struct lowering *l, const struct inst *inst)
{
    struct kernel *kernel = kernel_new(l->m, l->last_kernel, kernel_name(l, inst));
    l->last_kernel = &kernel->next;
    kernel->label = inst->label;
    return kernel;
}

static struct var *loop_over(struct lowering *l, struct loops *loops, const char *name,
                             int64_t extent)
{
    return loops->var[loops->vars++] = var_new(l->m, name, extent);
}

static affine_ref at(struct lowering *l, struct var *var)
{
    return affine_var(l->m->arena, var);
}

static affine_ref zero(struct lowering *l)
{
    return affine_constant(l->m->arena, 0);
}

/* Loops over every dimension of a shape, with the index that they make. */
static struct loops loops_over(struct lowering *l, const struct shape *shape)
{
    static const char *const names[MAX_RANK + 1][MAX_RANK] = {
        {0},
        {"c"},
        {"n", "c"},
        {"n", "x", "c"},
        {"n", "y", "x", "c"},
        {"n", "y", "x", "j", "c"},
        {"n", "y", "x", "j", "l", "c"},
        {"n", "y", "x", "j", "l", "q", "c"},
        {"n", "y", "x", "j", "l", "q", "r", "c"},
    };
    struct loops loops = {0};
    for (int i = 0; i < shape->rank; i++)
        loops.index[i] = at(l, loop_over(l, &loops, names[shape->rank][i], shape->dim[i]));
    return loops;
}

static void finish_nest(struct lowering *l, struct kernel *kernel, const struct loops *loops,
                        struct buffer *buffer, const struct expr *value)
{
    struct stmt *stmt = stmt_store(l->m, buffer, loops->index, value);
    for (int i = loops->vars - 1; i >= 0; i--)
        stmt = stmt_for(l->m, loops->var[i], LOOP_SERIAL, stmt);
    struct stmt **end = &kernel->body;
    while (*end)
        end = &(*end)->next;
    *end = stmt;
}

/* The table's entry of a pixel's class. */
static const struct expr *load_by_class(struct lowering *l, struct inst *inst,
                                        const affine_ref *index)
{
    struct arena *arena = l->m->arena;
    struct buffer *table = buffer_of(l, inst->in[0]), *classes = buffer_of(l, inst->in[1]);
    classes->dtype = DTYPE_I32;
    affine_ref pixel =
        affine_add(arena, affine_scale(arena, index[1], inst->shape.dim[2]), index[2]);
    affine_ref at[] = {affine_lookup(arena, classes, pixel, table->shape.dim[0]), index[3],
                       index[4]};
    return expr_load(l->m, table, at);
}

static const struct expr *load(struct lowering *l, struct inst *inst, const affine_ref *index)
{
    if (inst->op == OP_by_class)
        return load_by_class(l, inst, index);
    return expr_load(l->m, buffer_of(l, inst), index);
}

static const struct expr *op2(struct lowering *l, enum scalar_op op, const struct expr *a,
                              const struct expr *b)
{
    return expr_op(l->m, op, a, b, NULL);
}

/* An operand that broadcasts to the result at `index`. */
static const struct expr *load_broadcast(struct lowering *l, struct inst *inst, int rank,
                                         const affine_ref *index)
{
    affine_ref own[MAX_RANK];
    for (int i = 0; i < inst->shape.rank; i++)
        own[i] = inst->shape.dim[i] == 1 ? zero(l) : index[rank - inst->shape.rank + i];
    return load(l, inst, own);
}

static void elementwise(struct lowering *l, struct inst *inst, enum scalar_op op,
                        const struct expr *second)
{
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct expr *in[2] = {0};
    for (int i = 0; i < inst->inputs; i++)
        in[i] = load_broadcast(l, inst->in[i], inst->shape.rank, loops.index);
    finish_nest(l, kernel, &loops, buffer_of(l, inst),
                expr_op(l->m, op, in[0], second ? second : in[1], NULL));
}

static void add_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_add, NULL);
}

static void sub_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_sub, NULL);
}

static void mul_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_mul, NULL);
}

static void div_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_div, NULL);
}

static void sqrt_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_sqrt, NULL);
}

static void relu_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_max, expr_constant(l->m, 0));
}

static void batch_norm_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct expr *in[5];
    for (int i = 0; i < 5; i++)
        in[i] = load_broadcast(l, inst->in[i], inst->shape.rank, loops.index);
    const struct expr *eps = expr_constant(l->m, inst->attr[SLOT_batch_norm_eps].real);
    const struct expr *deviation =
        expr_op(l->m, SCALAR_sqrt, op2(l, SCALAR_add, in[4], eps), NULL, NULL);
    const struct expr *unit = op2(l, SCALAR_div, op2(l, SCALAR_sub, in[0], in[3]), deviation);
    finish_nest(l, kernel, &loops, buffer_of(l, inst),
                op2(l, SCALAR_add, op2(l, SCALAR_mul, unit, in[1]), in[2]));
}

static void linear_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    int last = inst->shape.rank - 1;
    struct var *k = var_new(l->m, "k", last_dim(inst->in[0]));
    affine_ref x[MAX_RANK], w[2] = {at(l, k), loops.index[last]};
    memcpy(x, loops.index, sizeof x);
    x[last] = at(l, k);
    const struct expr *product =
        op2(l, SCALAR_mul, load(l, inst->in[0], x), load(l, inst->in[1], w));
    const struct expr *bias =
        inst->inputs == 3 ? load_broadcast(l, inst->in[2], inst->shape.rank, loops.index) : NULL;
    finish_nest(l, kernel, &loops, buffer_of(l, inst),
                expr_reduce(l->m, SCALAR_sum, 1, &k, product, bias));
}

static void max_pool_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    int64_t size = inst->attr[SLOT_max_pool_size].integer;
    struct var *window[2] = {var_new(l->m, "i", size), var_new(l->m, "k", size)};
    affine_ref x[MAX_RANK];
    memcpy(x, loops.index, sizeof x);
    for (int i = 0; i < 2; i++)
        x[1 + i] = affine_add(l->m->arena, affine_scale(l->m->arena, loops.index[1 + i], size),
                              at(l, window[i]));
    finish_nest(l, kernel, &loops, buffer_of(l, inst),
                expr_reduce(l->m, SCALAR_maximum, 2, window, load(l, inst->in[0], x), NULL));
}

static void mean_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct shape *map = &inst->in[0]->shape;
    struct var *pixel[2] = {var_new(l->m, "y", map->dim[1]), var_new(l->m, "x", map->dim[2])};
    affine_ref x[4] = {loops.index[0], at(l, pixel[0]), at(l, pixel[1]), loops.index[1]};
    const struct expr *sum = expr_reduce(l->m, SCALAR_sum, 2, pixel, load(l, inst->in[0], x), NULL);
    double pixels = (double)(map->dim[1] * map->dim[2]);
    finish_nest(l, kernel, &loops, buffer_of(l, inst),
                op2(l, SCALAR_div, sum, expr_constant(l->m, pixels)));
}

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
    struct buffer *buffer = buffer_of(l, inst);
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
static void pad_lower(struct lowering *l, struct inst *inst)
{
    struct arena *arena = l->m->arena;
    int64_t size = inst->attr[SLOT_pad_size].integer;
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->in[0]->shape);
    const struct expr *value = load(l, inst->in[0], loops.index);
    loops.index[1] = affine_offset(arena, loops.index[1], size);
    loops.index[2] = affine_offset(arena, loops.index[2], size);
    finish_nest(l, kernel, &loops, buffer_of(l, inst), value);
    for (int axis = 2; size && axis >= 1; axis--) {
        int64_t extent = inst->shape.dim[axis] - 2 * size, end = size + extent;
        kernel = kernel_for(l, inst);
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
    return affine_add(l->m->arena, pixel, affine_scale(l->m->arena, at(l, offset), dilation));
}

static void footprint_near(struct lowering *l, struct footprint *f, struct var *dy, struct var *dx,
                           int64_t dilation)
{
    f->near[0] = f->loops.index[0];
    f->near[1] = near_offset(l, f->loops.index[1], dy, dilation);
    f->near[2] = near_offset(l, f->loops.index[2], dx, dilation);
    f->neighbour =
        affine_add(l->m->arena, affine_scale(l->m->arena, at(l, dy), dx->extent), at(l, dx));
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
        index[0] = zero(l);
    return load(l, inst, index);
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
    const struct expr *phi = load_pixel(l, inst->in[0], f.loops.index, at(l, c));
    const struct expr *psi =
        patch && part == 0 ? NULL : load_pixel(l, inst->in[1], f.near, at(l, c));
    if (patch) {
        affine_ref slot = affine_offset(arena, f.neighbour, part);
        f.loops.index[3] = affine_add(arena, affine_scale(arena, slot, channels), at(l, c));
    } else {
        f.loops.index[3] = f.neighbour;
        f.loops.index[4] = affine_offset(arena, at(l, c), part * channels);
    }
    const struct expr *value = kind == relation_kind_subtraction ? op2(l, SCALAR_sub, phi, psi)
                               : kind == relation_kind_summation ? op2(l, SCALAR_add, phi, psi)
                               : kind == relation_kind_hadamard  ? op2(l, SCALAR_mul, phi, psi)
                               : part == 0                       ? phi
                                                                 : psi;
    finish_nest(l, kernel, &f.loops, buffer_of(l, inst), value);
}

/* <phi_i, psi_j>: dot and star; <phi_j, psi_l>: clique. */
static void relation_products(struct lowering *l, struct inst *inst)
{
    struct arena *arena = l->m->arena;
    int kind = (int)inst->attr[SLOT_relation_kind].integer;
    int64_t k = inst->attr[SLOT_relation_footprint].integer;
    int64_t dilation = inst->attr[SLOT_relation_dilation].integer;
    struct kernel *kernel = kernel_for(l, inst);
    struct footprint f = footprint_loops(l, inst, k, dilation);
    struct var *c = var_new(l->m, "c", last_dim(inst->in[0]));
    const affine_ref *left = f.loops.index;
    affine_ref first[3], row = zero(l);
    if (kind == relation_kind_clique) {
        memcpy(first, f.near, sizeof first);
        left = first;
        row = affine_scale(arena, f.neighbour, k * k);
        struct var *ey = loop_over(l, &f.loops, "ey", k), *ex = loop_over(l, &f.loops, "ex", k);
        footprint_near(l, &f, ey, ex, dilation);
    }
    const struct expr *product = op2(l, SCALAR_mul, load_pixel(l, inst->in[0], left, at(l, c)),
                                     load_pixel(l, inst->in[1], f.near, at(l, c)));
    f.loops.index[3] = affine_add(arena, row, f.neighbour);
    f.loops.index[4] = zero(l);
    finish_nest(l, kernel, &f.loops, buffer_of(l, inst),
                expr_reduce(l->m, SCALAR_sum, 1, &c, product, NULL));
}

static void relation_lower(struct lowering *l, struct inst *inst)
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
        relation_nest(l, inst, kernel_for(l, inst), 0);
        relation_nest(l, inst, kernel_for(l, inst), 1);
        break;
    default:
        relation_nest(l, inst, kernel_for(l, inst), 0);
    }
}

/* top = max x; e = exp(x - top); e / sum e */
static void softmax_lower(struct lowering *l, struct inst *inst)
{
    struct module *m = l->m;
    int axis = (int)inst->attr[SLOT_softmax_axis].integer;
    struct shape reduced = inst->shape;
    reduced.dim[axis] = 1;
    static const char *const part[] = {"top", "exp", "total"};
    struct buffer *buffer[3];
    for (int i = 0; i < 3; i++)
        buffer[i] = new_buffer(l, arena_printf(m->arena, "v%d_%s", inst->id, part[i]),
                               PLACE_WORKSPACE, i == 1 ? inst->shape : reduced);
    for (int i = 0; i < 4; i++) {
        bool reduces = i == 0 || i == 2;
        struct kernel *kernel = kernel_for(l, inst);
        struct loops loops = loops_over(l, reduces ? &reduced : &inst->shape);
        affine_ref whole[MAX_RANK], one[MAX_RANK];
        memcpy(whole, loops.index, sizeof whole);
        memcpy(one, loops.index, sizeof one);
        one[axis] = zero(l);
        struct var *j = reduces ? var_new(m, "k", inst->shape.dim[axis]) : NULL;
        if (reduces)
            whole[axis] = at(l, j);
        const struct expr *x = i < 2 ? load(l, inst->in[0], whole) : expr_load(m, buffer[1], whole);
        const struct expr *value =
            i == 0   ? expr_reduce(m, SCALAR_maximum, 1, &j, x, NULL)
            : i == 1 ? expr_op(m, SCALAR_exp, op2(l, SCALAR_sub, x, expr_load(m, buffer[0], one)),
                               NULL, NULL)
            : i == 2 ? expr_reduce(m, SCALAR_sum, 1, &j, x, NULL)
                     : op2(l, SCALAR_div, x, expr_load(m, buffer[2], one));
        finish_nest(l, kernel, &loops, i < 3 ? buffer[i] : buffer_of(l, inst), value);
    }
}

static void aggregate_lower(struct lowering *l, struct inst *inst)
{
    assert(inst->attr[SLOT_aggregate_padding].integer == padding_kind_valid);
    struct kernel *kernel = kernel_for(l, inst);
    int64_t k = inst->attr[SLOT_aggregate_footprint].integer;
    struct footprint f = {.loops = loops_over(l, &inst->shape)};
    struct var *offset[2] = {var_new(l->m, "dy", k), var_new(l->m, "dx", k)};
    footprint_near(l, &f, offset[0], offset[1], inst->attr[SLOT_aggregate_dilation].integer);
    affine_ref c = f.loops.index[3];
    affine_ref weight[5] = {f.loops.index[0], f.loops.index[1], f.loops.index[2], f.neighbour,
                            affine_mod(l->m->arena, c, last_dim(inst->in[0]))};
    const struct expr *product =
        op2(l, SCALAR_mul, load(l, inst->in[0], weight), load_pixel(l, inst->in[1], f.near, c));
    finish_nest(l, kernel, &f.loops, buffer_of(l, inst),
                expr_reduce(l->m, SCALAR_sum, 2, offset, product, NULL));
}

static void reshape_lower(struct lowering *l, struct inst *inst)
{
    struct arena *arena = l->m->arena;
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref flat = affine_linearize(arena, &inst->shape, loops.index), from[MAX_RANK];
    const struct shape *shape = &inst->in[0]->shape;
    for (int i = shape->rank - 1; i >= 0; i--) {
        from[i] = affine_mod(arena, flat, shape->dim[i]);
        flat = affine_div(arena, flat, shape->dim[i]);
    }
    finish_nest(l, kernel, &loops, buffer_of(l, inst), load(l, inst->in[0], from));
}

static void transpose_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref from[MAX_RANK];
    for (int i = 0; i < inst->shape.rank; i++)
        from[inst->attr[SLOT_transpose_order].shape.dim[i]] = loops.index[i];
    finish_nest(l, kernel, &loops, buffer_of(l, inst), load(l, inst->in[0], from));
}

static void slice_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref from[MAX_RANK];
    memcpy(from, loops.index, sizeof from);
    int axis = (int)inst->attr[SLOT_slice_axis].integer;
    from[axis] = affine_offset(l->m->arena, from[axis], inst->attr[SLOT_slice_begin].integer);
    finish_nest(l, kernel, &loops, buffer_of(l, inst), load(l, inst->in[0], from));
}

static void concat_lower(struct lowering *l, struct inst *inst)
{
    int axis = (int)inst->attr[SLOT_concat_axis].integer;
    int64_t begin = 0;
    for (int i = 0; i < inst->inputs; i++) {
        struct kernel *kernel = kernel_for(l, inst);
        struct shape part = inst->shape;
        part.dim[axis] = inst->in[i]->shape.dim[axis];
        struct loops loops = loops_over(l, &part);
        const struct expr *value = load_broadcast(l, inst->in[i], part.rank, loops.index);
        loops.index[axis] = affine_offset(l->m->arena, loops.index[axis], begin);
        begin += part.dim[axis];
        finish_nest(l, kernel, &loops, buffer_of(l, inst), value);
    }
}

static void input_lower(struct lowering *l, struct inst *inst)
{
    l->of[inst->id] = new_buffer(l, "image", PLACE_INPUT, inst->shape);
}

static void output_lower(struct lowering *l, struct inst *inst)
{
    l->of[inst->id] = new_buffer(l, "logits", PLACE_OUTPUT, inst->shape);
    struct kernel *kernel = kernel_for(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    finish_nest(l, kernel, &loops, buffer_of(l, inst), load(l, inst->in[0], loops.index));
}

/* Always constant, so that there is nothing to run. */
#define parameter_lower NULL
#define fill_lower NULL
#define coordinates_lower NULL
#define border_classes_lower NULL
#define select_classes_lower NULL
#define by_class_lower NULL /* read through load_by_class */

int lower(struct module *m)
{
    static void (*const table[OP_COUNT])(struct lowering *, struct inst *) = {
#define OP(name, least, most, traits) [OP_##name] = name##_lower,
#include "ops.def"
    };
    struct lowering l = {.m = m, .last_buffer = &m->buffers, .last_kernel = &m->kernels};
    l.of = calloc((size_t)m->next_id + 1, sizeof *l.of);
    if (!l.of)
        abort();
    l.kernels.arena = m->arena;
    for (const struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        name_add(&l, kernel->name);
    int changes = 0;
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (!inst_is_constant(inst)) {
            table[inst->op](&l, inst);
            changes++;
        }
    free(l.of);
    kernels_name_vars(m);
    return changes;
}
