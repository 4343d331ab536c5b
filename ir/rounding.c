#include "rounding.h"
#include "names.h"
#include <string.h>

double round_to(int precision, double value)
{
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    if (precision == precision_kind_tf32)
        bits = (bits + 0x1000) & ~UINT32_C(0x1fff);
    else if (precision == precision_kind_bf16)
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & ~UINT32_C(0xffff);
    if (!isnan(single)) /* its bits might become those of infinity */
        memcpy(&single, &bits, sizeof bits);
    return (double)single;
}

enum scalar_op round_op(int precision)
{
    return precision == precision_kind_tf32   ? SCALAR_tf32
           : precision == precision_kind_bf16 ? SCALAR_bf16
                                              : SCALAR_COUNT;
}

int matrix_depth(int precision)
{
    return precision == precision_kind_tf32 ? 8 : precision == precision_kind_bf16 ? 16 : 0;
}

bool expr_is_bf16(const struct expr *expr)
{
    if (expr->op == SCALAR_constant)
        return round_to(precision_kind_bf16, expr->value) == expr->value;
    if (expr->op == SCALAR_max)
        return expr_is_bf16(expr->in[0]) && expr_is_bf16(expr->in[1]);
    return expr->op == SCALAR_bf16 ||
           (expr->op == SCALAR_load && expr->buffer->dtype == DTYPE_BF16);
}

/* ---- what is rounded ------------------------------------------------------------------------- */

struct rounding {
    int precision;
    struct names unrounded; /* buffers, by the bytes of their address */
};

bool recipe_is_rounded(const struct inst *inst, int precision)
{
    if (inst->op == OP_round)
        return inst->attr[SLOT_round_precision].integer == precision;
    if (inst->op == OP_fill)
        return round_to(precision, inst->attr[SLOT_fill_value].real) ==
               inst->attr[SLOT_fill_value].real;
    if (!has(inst, VIEW) && inst->op != OP_concat)
        return false;
    for (int i = 0; i < inst->inputs; i++)
        if (!recipe_is_rounded(inst->in[i], precision))
            return false;
    return true;
}

static bool buffer_is_rounded(const struct rounding *r, const struct buffer *buffer)
{
    if (buffer->place == PLACE_WEIGHTS)
        return recipe_is_rounded(buffer->value, r->precision);
    return buffer->place != PLACE_INPUT &&
           !names_find(&r->unrounded, (const char *)&buffer, sizeof buffer);
}

bool rounding_has(const struct rounding *r, const struct expr *expr)
{
    if (expr->op == SCALAR_constant)
        return round_to(r->precision, expr->value) == expr->value;
    if (expr->op == SCALAR_load)
        return buffer_is_rounded(r, expr->buffer);
    if (expr->op == SCALAR_max)
        return rounding_has(r, expr->in[0]) && rounding_has(r, expr->in[1]);
    return expr->op == round_op(r->precision);
}

/* Adds the buffers to which these statements store unrounded values. Returns whether any was new.
 */
static bool find_unrounded(struct rounding *r, const struct stmt *stmt)
{
    bool found = false;
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            found |= find_unrounded(r, stmt->body);
        if (stmt->kind != STMT_STORE || !buffer_is_rounded(r, stmt->buffer) ||
            rounding_has(r, stmt->value))
            continue;
        const struct buffer **key = arena_copy(r->unrounded.arena, &stmt->buffer, sizeof *key);
        names_add(&r->unrounded, (const char *)key, sizeof *key, r);
        found = true;
    }
    return found;
}

struct rounding *rounding_new(const struct module *module, struct arena *arena)
{
    struct rounding *r = ARENA_NEW(arena, struct rounding);
    *r = (struct rounding){module->precision, {.arena = arena}};
    bool found = r->precision != precision_kind_f32;
    while (found) { /* kernels are in order, so copies of copies are mostly found in one round */
        found = false;
        for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
            found |= find_unrounded(r, kernel->body);
    }
    return r;
}
