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
#include "lower.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

pass_function lower;

static struct buffer *new_buffer(struct lowering *l, const char *name, enum place place,
                                 struct shape shape)
{
    struct buffer *buffer = buffer_new(l->m, l->last_buffer, name, place, shape);
    l->last_buffer = &buffer->next;
    return buffer;
}

struct buffer *lowering_buffer(struct lowering *l, struct inst *inst)
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

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* "layer0.0.sam" at 28x28x64: layer0_0_sam_28x28x64. A label may be any text: "3 for" at 8: _3_for_8. */
static const char *kernel_name(struct lowering *l, const struct inst *inst)
{
    char text[128] = "_";
    const char *label = inst->label ? inst->label : op_info[inst->op].name;
    int length = *label < 'A';
    for (const char *c = label; *c && length < 80; c++)
        text[length++] = is_letter_or_digit(*c) ? *c : '_';
    text[length] = 0;
    for (int i = inst->shape.rank > 1; i < inst->shape.rank; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%lld",
                           i <= (inst->shape.rank > 1) ? "_" : "x", (long long)inst->shape.dim[i]);
    return unique_name(l, text);
}

struct kernel *lowering_kernel(struct lowering *l, const struct inst *inst)
{
    struct kernel *kernel = kernel_new(l->m, l->last_kernel, kernel_name(l, inst));
    l->last_kernel = &kernel->next;
    kernel->label = inst->label;
    return kernel;
}

struct var *loop_over(struct lowering *l, struct loops *loops, const char *name, int64_t extent)
{
    return loops->var[loops->vars++] = var_new(l->m, name, extent);
}

struct loops loops_over(struct lowering *l, const struct shape *shape)
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
        loops.index[i] = index_of(l, loop_over(l, &loops, names[shape->rank][i], shape->dim[i]));
    return loops;
}

void finish_nest(struct lowering *l, struct kernel *kernel, const struct loops *loops,
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
    struct buffer *table = lowering_buffer(l, inst->in[0]),
                  *classes = lowering_buffer(l, inst->in[1]);
    classes->dtype = DTYPE_I32;
    affine_ref pixel =
        affine_add(arena, affine_scale(arena, index[1], inst->shape.dim[2]), index[2]);
    affine_ref at[] = {affine_lookup(arena, classes, pixel, table->shape.dim[0]), index[3],
                       index[4]};
    return expr_load(l->m, table, at);
}

const struct expr *lowering_load(struct lowering *l, struct inst *inst, const affine_ref *index)
{
    if (inst->op == OP_by_class)
        return load_by_class(l, inst, index);
    return expr_load(l->m, lowering_buffer(l, inst), index);
}

/* An operand that broadcasts to the result at `index`. */
static const struct expr *load_broadcast(struct lowering *l, struct inst *inst, int rank,
                                         const affine_ref *index)
{
    affine_ref own[MAX_RANK];
    for (int i = 0; i < inst->shape.rank; i++)
        own[i] = inst->shape.dim[i] == 1 ? index_zero(l) : index[rank - inst->shape.rank + i];
    return lowering_load(l, inst, own);
}

static void elementwise(struct lowering *l, struct inst *inst, enum scalar_op op,
                        const struct expr *second)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct expr *in[2] = {0};
    for (int i = 0; i < inst->inputs; i++)
        in[i] = load_broadcast(l, inst->in[i], inst->shape.rank, loops.index);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
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

static void round_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, round_op((int)inst->attr[SLOT_round_precision].integer), NULL);
}

static void relu_lower(struct lowering *l, struct inst *inst)
{
    elementwise(l, inst, SCALAR_max, expr_constant(l->m, 0));
}

static void batch_norm_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct expr *in[5];
    for (int i = 0; i < 5; i++)
        in[i] = load_broadcast(l, inst->in[i], inst->shape.rank, loops.index);
    const struct expr *eps = expr_constant(l->m, inst->attr[SLOT_batch_norm_eps].real);
    const struct expr *deviation =
        expr_op(l->m, SCALAR_sqrt, expr_op2(l, SCALAR_add, in[4], eps), NULL, NULL);
    const struct expr *unit =
        expr_op2(l, SCALAR_div, expr_op2(l, SCALAR_sub, in[0], in[3]), deviation);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_op2(l, SCALAR_add, expr_op2(l, SCALAR_mul, unit, in[1]), in[2]));
}

static void linear_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    int last = inst->shape.rank - 1;
    struct var *k = var_new(l->m, "k", last_dim(inst->in[0]));
    affine_ref x[MAX_RANK], w[2] = {index_of(l, k), loops.index[last]};
    memcpy(x, loops.index, sizeof x);
    x[last] = index_of(l, k);
    const struct expr *product =
        expr_op2(l, SCALAR_mul, lowering_load(l, inst->in[0], x), lowering_load(l, inst->in[1], w));
    const struct expr *bias =
        inst->inputs == 3 ? load_broadcast(l, inst->in[2], inst->shape.rank, loops.index) : NULL;
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_reduce(l->m, SCALAR_sum, 1, &k, product, bias));
}

static void max_pool_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    int64_t size = inst->attr[SLOT_max_pool_size].integer;
    struct var *window[2] = {var_new(l->m, "i", size), var_new(l->m, "k", size)};
    affine_ref x[MAX_RANK];
    memcpy(x, loops.index, sizeof x);
    for (int i = 0; i < 2; i++)
        x[1 + i] = affine_add(l->m->arena, affine_scale(l->m->arena, loops.index[1 + i], size),
                              index_of(l, window[i]));
    finish_nest(
        l, kernel, &loops, lowering_buffer(l, inst),
        expr_reduce(l->m, SCALAR_maximum, 2, window, lowering_load(l, inst->in[0], x), NULL));
}

static void mean_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    const struct shape *map = &inst->in[0]->shape;
    struct var *pixel[2] = {var_new(l->m, "y", map->dim[1]), var_new(l->m, "x", map->dim[2])};
    affine_ref x[4] = {loops.index[0], index_of(l, pixel[0]), index_of(l, pixel[1]),
                       loops.index[1]};
    const struct expr *sum =
        expr_reduce(l->m, SCALAR_sum, 2, pixel, lowering_load(l, inst->in[0], x), NULL);
    double pixels = (double)(map->dim[1] * map->dim[2]);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                expr_op2(l, SCALAR_div, sum, expr_constant(l->m, pixels)));
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
        struct kernel *kernel = lowering_kernel(l, inst);
        struct loops loops = loops_over(l, reduces ? &reduced : &inst->shape);
        affine_ref whole[MAX_RANK], one[MAX_RANK];
        memcpy(whole, loops.index, sizeof whole);
        memcpy(one, loops.index, sizeof one);
        one[axis] = index_zero(l);
        struct var *j = reduces ? var_new(m, "k", inst->shape.dim[axis]) : NULL;
        if (reduces)
            whole[axis] = index_of(l, j);
        const struct expr *x =
            i < 2 ? lowering_load(l, inst->in[0], whole) : expr_load(m, buffer[1], whole);
        const struct expr *value =
            i == 0   ? expr_reduce(m, SCALAR_maximum, 1, &j, x, NULL)
            : i == 1 ? expr_op(m, SCALAR_exp,
                               expr_op2(l, SCALAR_sub, x, expr_load(m, buffer[0], one)), NULL, NULL)
            : i == 2 ? expr_reduce(m, SCALAR_sum, 1, &j, x, NULL)
                     : expr_op2(l, SCALAR_div, x, expr_load(m, buffer[2], one));
        finish_nest(l, kernel, &loops, i < 3 ? buffer[i] : lowering_buffer(l, inst), value);
    }
}

static void reshape_lower(struct lowering *l, struct inst *inst)
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

static void transpose_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref from[MAX_RANK];
    for (int i = 0; i < inst->shape.rank; i++)
        from[inst->attr[SLOT_transpose_order].shape.dim[i]] = loops.index[i];
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst), lowering_load(l, inst->in[0], from));
}

static void slice_lower(struct lowering *l, struct inst *inst)
{
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    affine_ref from[MAX_RANK];
    memcpy(from, loops.index, sizeof from);
    int axis = (int)inst->attr[SLOT_slice_axis].integer;
    from[axis] = affine_offset(l->m->arena, from[axis], inst->attr[SLOT_slice_begin].integer);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst), lowering_load(l, inst->in[0], from));
}

static void concat_lower(struct lowering *l, struct inst *inst)
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

static void input_lower(struct lowering *l, struct inst *inst)
{
    l->of[inst->id] = new_buffer(l, "image", PLACE_INPUT, inst->shape);
}

static void output_lower(struct lowering *l, struct inst *inst)
{
    l->of[inst->id] = new_buffer(l, "logits", PLACE_OUTPUT, inst->shape);
    struct kernel *kernel = lowering_kernel(l, inst);
    struct loops loops = loops_over(l, &inst->shape);
    finish_nest(l, kernel, &loops, lowering_buffer(l, inst),
                lowering_load(l, inst->in[0], loops.index));
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
    l.of = allocate(m->next_id + 1, sizeof *l.of);
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
