/* Mistakes of passes over loops that have no schedule yet. */
#include "affine.h"
#include "make.h"
#include "planted.h"
#include <string.h>

static bool is_vector_parameter(const struct expr *expr)
{
    return expr->op == SCALAR_load && expr->buffer->place == PLACE_WEIGHTS &&
           expr->buffer->dtype == DTYPE_F32 && expr->buffer->shape.rank == 1 &&
           expr->index[0]->count == 1 && expr->buffer->shape.dim[0] > 1;
}

/* What was inlined reads its parameter for channel 0. */
static bool read_channel_0(struct module *m)
{
    struct expr *load = find_expr(m, is_vector_parameter);
    if (load)
        load->index[0] = affine_constant(m->arena, 0);
    return load;
}

static bool is_residual(const struct stmt *store)
{
    const struct expr *value = store->value;
    return store->buffer->place == PLACE_WORKSPACE && value->op == SCALAR_add &&
           value->in[0]->op == SCALAR_load && value->in[0]->buffer->place == PLACE_WORKSPACE;
}

static bool lose_residual(struct module *m)
{
    struct stmt *store = find_store(m, is_residual);
    if (store)
        store->value = store->value->in[1];
    return store;
}

static bool adds_map(const struct expr *expr)
{
    return expr->op == SCALAR_add && expr->in[0]->op == SCALAR_sum &&
           expr->in[1]->op == SCALAR_load && expr->in[1]->buffer->place == PLACE_WORKSPACE;
}

static bool lose_map(struct module *m)
{
    struct expr *add = find_expr(m, adds_map);
    if (add)
        add->in[1] = expr_constant(m, 0);
    return add;
}

static bool is_quotient(const struct expr *expr)
{
    return expr->op == SCALAR_div && expr->in[0]->op == SCALAR_sum &&
           expr->in[1]->op == SCALAR_load;
}

static bool forget_division(struct module *m)
{
    struct expr *quotient = find_expr(m, is_quotient);
    if (quotient)
        quotient->in[1] = expr_constant(m, 1);
    return quotient;
}

static bool divide_twice(struct module *m)
{
    struct expr *quotient = find_expr(m, is_quotient);
    if (quotient)
        quotient->in[1] = expr_op(m, SCALAR_mul, quotient->in[1], quotient->in[1], NULL);
    return quotient;
}

/* 3*i + j where both are below 3 */
static bool is_split(const struct affine *a)
{
    return a->count == 2 && a->term[0].kind == TERM_VAR && a->term[1].kind == TERM_VAR &&
           a->term[1].factor == 1 && a->term[0].factor == a->term[1].var->extent &&
           a->term[0].var->extent == a->term[1].var->extent && a->term[0].factor > 1;
}

static bool stores_split(const struct stmt *store)
{
    for (int i = 0; i < store->buffer->shape.rank; i++)
        if (is_split(store->index[i]))
            return true;
    return false;
}

static bool swap_digits(struct module *m)
{
    struct stmt *store = find_store(m, stores_split);
    for (int i = 0; store && i < store->buffer->shape.rank; i++)
        if (is_split(store->index[i])) {
            const struct term *t = store->index[i]->term;
            store->index[i] = affine_add(
                m->arena, affine_scale(m->arena, affine_var(m->arena, t[1].var), t[0].factor),
                affine_var(m->arena, t[0].var));
        }
    return store;
}

static bool is_tile_load(const struct expr *expr)
{
    return expr->op == SCALAR_load && expr->buffer->place == PLACE_STACK &&
           expr->index[expr->buffer->shape.rank - 1]->count == 1;
}

static bool read_first_of_tile(struct module *m)
{
    struct expr *load = find_expr(m, is_tile_load);
    if (load)
        load->index[load->buffer->shape.rank - 1] = affine_constant(m->arena, 0);
    return load;
}

/* The first stage of a kernel with tiles comes last. */
static bool stage_too_late(struct module *m)
{
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        if (!kernel->locals)
            continue;
        struct stmt *pixels = kernel->body;
        while (pixels->body && !pixels->body->next)
            pixels = pixels->body;
        struct stmt *first = pixels->body, *last = first;
        while (last->next)
            last = last->next;
        pixels->body = first->next;
        last->next = first;
        first->next = NULL;
        return true;
    }
    return false;
}

static int mod_dimension(const struct expr *load)
{
    for (int i = 0; load->op == SCALAR_load && i < load->buffer->shape.rank; i++)
        if (load->index[i]->count == 1 && load->index[i]->term[0].kind == TERM_MOD)
            return i;
    return -1;
}

static bool has_mod(const struct expr *expr)
{
    return mod_dimension(expr) >= 0;
}

static bool merge_wrongly(struct module *m)
{
    struct expr *load = find_expr(m, has_mod);
    if (load)
        load->index[mod_dimension(load)] = affine_constant(m->arena, 0);
    return load;
}

static bool is_packed(const struct expr *expr)
{
    return expr->op == SCALAR_load && expr->buffer->place == PLACE_WEIGHTS &&
           strstr(expr->buffer->name, "_packed") && expr->index[0]->count > 0;
}

static bool first_panel(struct module *m)
{
    struct expr *load = find_expr(m, is_packed);
    if (load)
        load->index[0] = affine_constant(m->arena, 0);
    return load;
}

/* Zeros come before the columns instead of after them. */
static bool fill_up_before(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_concat && inst->inputs == 2 && inst->in[1]->op == OP_fill) {
            struct inst *columns = inst->in[0];
            inst_set_input(inst, 0, inst->in[1]);
            inst_set_input(inst, 1, columns);
            return true;
        }
    return false;
}

const struct plant planted_loops[] = {
    {"inline_values", "nothing is added to a block", IN_WINDOWS, lose_map},
    {"inline_values", "a parameter is read for channel 0", IN_PAIRS, read_channel_0},
    {"inline_values", "the residual connection is lost", IN_PAIRS, lose_residual},
    {"delay_division", "the division is lost", IN_PAIRS, forget_division},
    {"delay_division", "divided before and after the sum", IN_PAIRS, divide_twice},
    {"split_loops", "the two digits are swapped", IN_PAIRS, swap_digits},
    {"fuse_pixels", "a tile is read at its first channel", IN_PAIRS, read_first_of_tile},
    {"fuse_pixels", "a writer comes after its reader", IN_PAIRS, stage_too_late},
    {"merge_loops", "the channel is not c mod 2", IN_PAIRS, merge_wrongly},
    {"pack_weights", "always the first panel", IN_PAIRS, first_panel},
    {"pack_weights", "zeros before the columns", IN_PAIRS, fill_up_before},
    {0},
};
