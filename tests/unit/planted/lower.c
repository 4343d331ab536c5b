/* Mistakes in lowering: an op becomes loops that compute something else. */
#include "affine.h"
#include "make.h"
#include "planted.h"

static bool is_relu(const struct stmt *store)
{
    return store->value->op == SCALAR_max && store->value->in[1]->op == SCALAR_constant;
}

static bool forget_max(struct module *m)
{
    struct stmt *store = find_store(m, is_relu);
    if (store)
        store->value = store->value->in[0];
    return store;
}

static bool is_difference(const struct expr *expr)
{
    return expr->op == SCALAR_sub;
}

static bool swap_operands(struct module *m)
{
    struct expr *sub = find_expr(m, is_difference);
    if (sub) {
        const struct expr *left = sub->in[0];
        sub->in[0] = sub->in[1];
        sub->in[1] = left;
    }
    return sub;
}

static bool is_mean(const struct expr *expr)
{
    return expr->op == SCALAR_div && expr->in[1]->op == SCALAR_constant;
}

static bool divide_by_one_less(struct module *m)
{
    struct expr *mean = find_expr(m, is_mean);
    if (mean)
        mean->in[1] = expr_constant(m, mean->in[1]->value - 1);
    return mean;
}

static bool is_product_sum(const struct expr *expr)
{
    return expr->op == SCALAR_sum && expr->in[0]->op == SCALAR_mul && expr->var[0]->extent > 4;
}

static bool sum_one_less(struct module *m)
{
    struct expr *sum = find_expr(m, is_product_sum);
    if (sum)
        sum->var[0]->extent--;
    return sum;
}

static int offset_dimension(const struct expr *load)
{
    for (int i = 0; load->op == SCALAR_load && i < load->buffer->shape.rank; i++)
        if (load->index[i]->constant > 0 && load->index[i]->count == 1)
            return i;
    return -1;
}

static bool has_offset(const struct expr *expr)
{
    return offset_dimension(expr) >= 0;
}

static bool forget_offset(struct module *m)
{
    struct expr *load = find_expr(m, has_offset);
    if (load) {
        const struct affine **index = &load->index[offset_dimension(load)];
        *index = affine_offset(m->arena, *index, -(*index)->constant);
    }
    return load;
}

static bool has_window(const struct expr *expr)
{
    return expr->op == SCALAR_load && expr->buffer->shape.rank == 4 && expr->index[2]->count > 1 &&
           expr->index[2]->term[1].kind == TERM_MOD;
}

/* An index without its variables: where in the window it is. */
static const struct affine *place_in_window(struct module *m, const struct affine *index)
{
    const struct affine *place = index;
    for (int i = 0; i < index->count; i++)
        if (index->term[i].kind == TERM_VAR)
            place = affine_add(m->arena, place,
                               affine_scale(m->arena, affine_var(m->arena, index->term[i].var),
                                            -index->term[i].factor));
    return place;
}

static bool turn_windows(struct module *m)
{
    struct expr *load = find_expr(m, has_window);
    if (!load)
        return false;
    const struct affine *place[3];
    for (int i = 1; i <= 2; i++) {
        place[i] = place_in_window(m, load->index[i]);
        load->index[i] = affine_add(m->arena, load->index[i], affine_scale(m->arena, place[i], -1));
    }
    for (int i = 1; i <= 2; i++)
        load->index[i] = affine_add(m->arena, load->index[i], place[3 - i]);
    return true;
}

static bool has_stride(const struct expr *expr)
{
    return has_window(expr) && expr->index[1]->term[0].kind == TERM_VAR &&
           expr->index[1]->term[0].factor == 2;
}

static bool forget_stride(struct module *m)
{
    struct expr *load = find_expr(m, has_stride);
    if (load)
        for (int i = 1; i <= 2; i++)
            load->index[i] = affine_add(
                m->arena, load->index[i],
                affine_scale(m->arena, affine_var(m->arena, load->index[i]->term[0].var), -1));
    return load;
}

const struct plant planted_lower[] = {
    {"lower", "windows lie on their side", IN_WINDOWS, turn_windows},
    {"lower", "windows end one term early", IN_WINDOWS, sum_one_less},
    {"lower", "windows are one pixel apart", IN_WINDOWS, forget_stride},
    {"lower", "relu without its max", IN_PAIRS, forget_max},
    {"lower", "a difference the other way around", IN_PAIRS, swap_operands},
    {"lower", "a mean over one pixel less", IN_PAIRS, divide_by_one_less},
    {"lower", "a sum ends one term early", IN_PAIRS, sum_one_less},
    {"lower", "a slice begins at 0", IN_PAIRS, forget_offset},
    {0},
};
