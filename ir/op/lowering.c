#include "lowering.h"
#include <string.h>

struct buffer *lowering_buffer_new(struct lowering *l, const char *name, enum place place,
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
    *of = lowering_buffer_new(l, name, constant ? PLACE_WEIGHTS : PLACE_WORKSPACE, inst->shape);
    if (constant)
        buffer_set_value(*of, inst);
    return *of;
}

bool lowering_name_kernel(struct lowering *l, const char *name)
{
    int *given = ARENA_NEW(l->m->arena, int);
    *given = 1;
    return names_add(&l->kernels, name, strlen(name), given);
}

/* The text itself, or the first of text_2, text_3, ... that no kernel has. */
static const char *unique_name(struct lowering *l, const char *text)
{
    const char *name = arena_printf(l->m->arena, "%s", text);
    if (lowering_name_kernel(l, name))
        return name;
    int *given = names_find(&l->kernels, text, strlen(text))->value;
    do
        name = arena_printf(l->m->arena, "%s_%d", text, ++*given);
    while (!lowering_name_kernel(l, name));
    return name;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* "layer0.0.sam" at 28x28x64: layer0_0_sam_28x28x64. A label may be any text: "3 for" at 8:
 * _3_for_8. */
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
const struct expr *load_broadcast(struct lowering *l, struct inst *inst, int rank,
                                  const affine_ref *index)
{
    affine_ref own[MAX_RANK];
    for (int i = 0; i < inst->shape.rank; i++)
        own[i] = inst->shape.dim[i] == 1 ? index_zero(l) : index[rank - inst->shape.rank + i];
    return lowering_load(l, inst, own);
}
