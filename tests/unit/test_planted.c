/* Planted miscompilations: passes that do their work and then one thing wrong, like a mistake in
 * the pass. `sanc verify --each-pass`, whose observer this uses, has to catch them and to name the
 * pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "affine.h"
#include "make.h"
#include "memory.h"
#include "model_graph.h"
#include "verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const target[] = {"x86-64-v3"};

/* ---- finding a place ------------------------------------------------------------------------- */

static bool is_constant(const struct inst *inst, bool constant)
{
    return inst_is_constant(inst) == constant;
}

static struct inst *find_inst(struct module *m, enum op op, bool constant)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == op && is_constant(inst, constant))
            return inst;
    return NULL;
}

typedef bool store_test(const struct stmt *store);

static struct stmt *find_store_in(struct stmt *stmt, store_test *fits)
{
    for (; stmt; stmt = stmt->next) {
        struct stmt *found = stmt->kind == STMT_FOR ? find_store_in(stmt->body, fits)
                             : stmt->kind == STMT_STORE && fits(stmt) ? stmt
                                                                      : NULL;
        if (found)
            return found;
    }
    return NULL;
}

static struct stmt *find_store(struct module *m, store_test *fits)
{
    struct stmt *found = NULL;
    for (struct kernel *kernel = m->kernels; kernel && !found; kernel = kernel->next)
        found = find_store_in(kernel->body, fits);
    return found;
}

/* The compiler never changes expressions; here they are changed as if a wrong pass had made them.
 */
typedef bool expr_test(const struct expr *expr);

static struct expr *find_in(const struct expr *expr, expr_test *fits)
{
    struct expr *found = fits(expr) ? (struct expr *)(uintptr_t)expr : NULL;
    for (int i = 0; i < 3 && !found; i++)
        if (expr->in[i])
            found = find_in(expr->in[i], fits);
    return found;
}

static struct expr *find_expr_below(struct stmt *stmt, expr_test *fits)
{
    struct expr *found = NULL;
    for (; stmt && !found; stmt = stmt->next)
        found = stmt->kind == STMT_FOR     ? find_expr_below(stmt->body, fits)
                : stmt->kind == STMT_STORE ? find_in(stmt->value, fits)
                                           : NULL;
    return found;
}

static struct expr *find_expr(struct module *m, expr_test *fits)
{
    struct expr *found = NULL;
    for (struct kernel *kernel = m->kernels; kernel && !found; kernel = kernel->next)
        found = find_expr_below(kernel->body, fits);
    return found;
}

/* ---- graph passes ---------------------------------------------------------------------------- */

static bool forget_eps(struct module *m)
{
    struct inst *root = find_inst(m, OP_sqrt, true);
    if (root)
        root->in[0]->in[1]->attr[SLOT_fill_value].real = 0;
    return root;
}

static bool add_mean(struct module *m)
{
    struct inst *shift = find_inst(m, OP_sub, true);
    if (shift)
        shift->op = OP_add;
    return shift;
}

/* A weight is used as if it had not been scaled. */
static bool forget_scale(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (has(inst, PRODUCT) && !inst_is_constant(inst) && inst->in[1]->op == OP_mul &&
            shape_equal(&inst->in[1]->shape, &inst->in[1]->in[0]->shape)) {
            inst_set_input(inst, 1, inst->in[1]->in[0]);
            return true;
        }
    return false;
}

static bool drop_a_bias(struct module *m)
{
    for (struct inst *inst = m->last; inst; inst = inst->prev)
        if (inst->op == OP_linear && !inst_is_constant(inst) && inst->inputs == 3 &&
            strcmp(inst->label, "fc") != 0) {
            inst_drop_inputs(inst, 2);
            return true;
        }
    return false;
}

static bool drop_last_bias(struct module *m)
{
    struct inst *linear = m->last->in[0];
    if (linear->op == OP_linear && linear->inputs == 3) {
        inst_drop_inputs(linear, 2);
        return true;
    }
    return false;
}

/* Drops a relu that belongs to the table's contents. */
static bool forget_relu(struct module *m)
{
    struct inst *relu = find_inst(m, OP_relu, true);
    if (relu)
        inst_replace_uses(m, relu, relu->in[0]);
    return relu;
}

static bool tabulate_sums(struct module *m)
{
    struct inst *relation = find_inst(m, OP_relation, true);
    if (relation)
        relation->attr[SLOT_relation_kind].integer = relation_kind_summation;
    return relation;
}

static struct inst *equal_slice(struct inst *slice)
{
    for (struct inst *other = slice->next; other; other = other->next)
        if (other->op == OP_slice && other->in[0] == slice->in[0] &&
            shape_equal(&other->shape, &slice->shape))
            return other;
    return NULL;
}

static bool swap_slices(struct module *m)
{
    for (struct inst *slice = m->first; slice; slice = slice->next) {
        struct inst *other =
            slice->op == OP_slice && !inst_is_constant(slice) ? equal_slice(slice) : NULL;
        if (!other)
            continue;
        union attr begin = slice->attr[SLOT_slice_begin], end = slice->attr[SLOT_slice_end];
        slice->attr[SLOT_slice_begin] = other->attr[SLOT_slice_begin];
        slice->attr[SLOT_slice_end] = other->attr[SLOT_slice_end];
        other->attr[SLOT_slice_begin] = begin;
        other->attr[SLOT_slice_end] = end;
        return true;
    }
    return false;
}

static bool slice_one_further(struct module *m)
{
    struct inst *slice = find_inst(m, OP_slice, false);
    if (slice) {
        slice->attr[SLOT_slice_begin].integer++;
        slice->attr[SLOT_slice_end].integer++;
    }
    return slice;
}

static bool swap_weights(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_concat && inst_is_constant(inst) && inst->shape.rank == 2 &&
            shape_equal(&inst->in[0]->shape, &inst->in[1]->shape)) {
            struct inst *first = inst->in[0];
            inst_set_input(inst, 0, inst->in[1]);
            inst_set_input(inst, 1, first);
            return true;
        }
    return false;
}

static bool pad_the_other_way(struct module *m)
{
    struct inst *pad = find_inst(m, OP_pad, false);
    if (pad) {
        int64_t *padding = &pad->attr[SLOT_pad_padding].integer;
        *padding = *padding == padding_kind_zero ? padding_kind_reflect : padding_kind_zero;
    }
    return pad;
}

static bool pad_before_relu(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_aggregate) {
            inst->attr[SLOT_aggregate_dilation].integer++;
            return true;
        }
    return false;
}

/* ---- lowering -------------------------------------------------------------------------------- */

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

/* ---- loops before schedules ------------------------------------------------------------------ */

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

/* ---- schedules and memory -------------------------------------------------------------------- */

static bool starts_accumulator(const struct stmt *store)
{
    return store->buffer->place == PLACE_REGISTERS &&
           (store->value->op == SCALAR_constant || store->value->op == SCALAR_load);
}

static bool starts_with_bias(const struct stmt *store)
{
    return starts_accumulator(store) && store->value->op == SCALAR_load;
}

static bool forget_bias(struct module *m)
{
    struct stmt *store = find_store(m, starts_with_bias);
    if (store)
        store->value = expr_constant(m, 0);
    return store;
}

static struct stmt **find_start(struct stmt **at)
{
    for (; *at; at = &(*at)->next) {
        if ((*at)->kind != STMT_FOR)
            continue;
        struct stmt *inner = *at;
        while (inner->kind == STMT_FOR && inner->body && !inner->body->next)
            inner = inner->body;
        if (inner->kind == STMT_STORE && starts_accumulator(inner))
            return at;
        struct stmt **found = find_start(&(*at)->body);
        if (found)
            return found;
    }
    return NULL;
}

static bool forget_start(struct module *m)
{
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        struct stmt **at = find_start(&kernel->body);
        if (at) {
            *at = (*at)->next;
            return true;
        }
    }
    return false;
}

static struct stmt *parallel_loop(struct module *m)
{
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        if (kernel->body->kind == STMT_FOR && kernel->body->loop == LOOP_PARALLEL)
            return kernel->body;
    return NULL;
}

static bool one_tile_less(struct module *m)
{
    struct stmt *loop = parallel_loop(m);
    if (loop)
        loop->var->extent--;
    return loop;
}

/* Every tile begins where the one before it has its last pixel. */
static void move_back(struct module *m, const struct affine **index, int rank, struct var *var)
{
    for (int i = 0; i < rank; i++)
        index[i] = affine_substitute(m->arena, index[i], var, affine_constant(m->arena, 0));
}

static struct stmt *store_below(struct stmt *stmt, enum place place)
{
    for (; stmt; stmt = stmt->next) {
        struct stmt *found = stmt->kind == STMT_FOR         ? store_below(stmt->body, place)
                             : stmt->buffer->place == place ? stmt
                                                            : NULL;
        if (found)
            return found;
    }
    return NULL;
}

static struct stmt *window_loop(struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind != STMT_FOR)
            continue;
        bool window = stmt->loop == LOOP_SERIAL && stmt->body->kind == STMT_FOR &&
                      stmt->body->loop == LOOP_SERIAL && stmt->var->extent == 3 &&
                      store_below(stmt, PLACE_REGISTERS);
        struct stmt *found = window ? stmt : window_loop(stmt->body);
        if (found)
            return found;
    }
    return NULL;
}

static bool one_line_less(struct module *m)
{
    struct stmt *loop = NULL;
    for (struct kernel *kernel = m->kernels; kernel && !loop; kernel = kernel->next)
        loop = window_loop(kernel->body);
    if (loop)
        loop->var->extent--;
    return loop;
}

static bool write_first_tile(struct module *m)
{
    struct stmt *loop = parallel_loop(m);
    struct stmt *store = loop ? store_below(loop->body, PLACE_WORKSPACE) : NULL;
    if (store)
        move_back(m, store->index, store->buffer->shape.rank, loop->var);
    return store;
}

/* A loop that adds up in one accumulator is given to several workers. */
static bool add_up_in_parallel(struct module *m)
{
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        for (struct stmt *stmt = kernel->body; stmt; stmt = stmt->next) {
            struct stmt *store = stmt->kind == STMT_FOR && stmt->loop == LOOP_SERIAL
                                     ? store_below(stmt->body, PLACE_REGISTERS)
                                     : NULL;
            if (!store || starts_accumulator(store))
                continue;
            stmt->loop = LOOP_PARALLEL;
            return true;
        }
    return false;
}

static bool is_step(const struct expr *expr)
{
    return expr->op == SCALAR_fma;
}

static bool add_instead_of_fma(struct module *m)
{
    struct expr *step = find_expr(m, is_step);
    if (step) {
        step->op = SCALAR_mul;
        step->in[2] = NULL;
    }
    return step;
}

/* The last columns of a nest are taken for the first. */
static bool has_column_offset(const struct stmt *store)
{
    const struct affine *last = store->index[store->buffer->shape.rank - 1];
    return store->buffer->place != PLACE_REGISTERS && last->constant >= 8;
}

static bool repeat_columns(struct module *m)
{
    struct stmt *store = find_store(m, has_column_offset);
    if (store) {
        const struct affine **last = &store->index[store->buffer->shape.rank - 1];
        *last = affine_offset(m->arena, *last, -(*last)->constant);
    }
    return store;
}

/* Two maps that a kernel reads and writes get one place. */
static bool share_with_operand(struct module *m)
{
    struct buffer *first = NULL;
    for (struct buffer *b = m->buffers; b; b = b->next)
        if (b->place == PLACE_WORKSPACE && first && b->offset != first->offset) {
            b->offset = first->offset;
            return true;
        } else if (b->place == PLACE_WORKSPACE && !first) {
            first = b;
        }
    return false;
}

/* Sizes rounded down: a buffer begins in the last line of the one before it. */
static bool round_down(struct module *m)
{
    for (struct buffer *b = m->buffers; b; b = b->next)
        if (b->place == PLACE_WORKSPACE && b->offset >= 64) {
            b->offset -= 64;
            return true;
        }
    return false;
}

static bool tiles_in_one_place(struct module *m)
{
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        struct buffer *first = kernel->locals;
        if (first && first->place == PLACE_STACK && first->next &&
            first->next->place == PLACE_STACK) {
            first->next->offset = first->offset;
            return true;
        }
    }
    return false;
}

/* ---- the table ------------------------------------------------------------------------------- */

enum kind { IN_PAIRS, ZERO_PADDING, IN_PATCHES, IN_WINDOWS, KINDS };

static const struct plant {
    const char *pass, *what;
    enum kind model;
    bool (*damage)(struct module *m); /* false: there is nothing to damage */
} plants[] = {
    {"expand_batch_norm", "eps is forgotten", IN_PAIRS, forget_eps},
    {"expand_batch_norm", "the mean is added, not subtracted", IN_PAIRS, add_mean},
    {"fold_affine", "one weight is left unscaled", IN_PAIRS, forget_scale},
    {"fold_affine", "a shift is lost with the bias", IN_PAIRS, drop_a_bias},
    {"tabulate_position", "tables of sums, not of differences", IN_PAIRS, tabulate_sums},
    {"tabulate_position", "a relu is left out of the table", IN_PAIRS, forget_relu},
    {"drop_softmax_bias", "a bias without a softmax goes too", IN_PATCHES, drop_a_bias},
    {"drop_softmax_bias", "the classifier's bias goes too", IN_PAIRS, drop_last_bias},
    {"merge_linears", "phi and psi change places", IN_PAIRS, swap_slices},
    {"merge_linears", "a slice begins one channel late", IN_PAIRS, slice_one_further},
    {"merge_linears", "weights in another order than slices", IN_PAIRS, swap_weights},
    {"pad_borders", "zeros for a reflection", IN_PAIRS, pad_the_other_way},
    {"pad_borders", "a reflection for zeros", ZERO_PADDING, pad_the_other_way},
    {"pad_borders", "a dilation one too large", IN_PATCHES, pad_before_relu},
    {"pad_borders", "a reflection around a convolution", IN_WINDOWS, pad_the_other_way},
    {"fold_affine", "a convolution is left unscaled", IN_WINDOWS, forget_scale},
    {"lower", "windows lie on their side", IN_WINDOWS, turn_windows},
    {"lower", "windows end one term early", IN_WINDOWS, sum_one_less},
    {"lower", "windows are one pixel apart", IN_WINDOWS, forget_stride},
    {"inline_values", "nothing is added to a block", IN_WINDOWS, lose_map},
    {"apply_schedules", "a window has a line too few", IN_WINDOWS, one_line_less},
    {"lower", "relu without its max", IN_PAIRS, forget_max},
    {"lower", "a difference the other way around", IN_PAIRS, swap_operands},
    {"lower", "a mean over one pixel less", IN_PAIRS, divide_by_one_less},
    {"lower", "a sum ends one term early", IN_PAIRS, sum_one_less},
    {"lower", "a slice begins at 0", IN_PAIRS, forget_offset},
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
    {"apply_schedules", "accumulators begin at 0, not with the bias", IN_PAIRS, forget_bias},
    {"apply_schedules", "an accumulator is not begun", IN_PAIRS, forget_start},
    {"apply_schedules", "one tile too few", IN_PAIRS, one_tile_less},
    {"apply_schedules", "every tile is written to the first", IN_PAIRS, write_first_tile},
    {"apply_schedules", "a sum is made parallel", IN_PAIRS, add_up_in_parallel},
    {"apply_schedules", "products are not added up", IN_PAIRS, add_instead_of_fma},
    {"apply_schedules", "the last columns are the first again", IN_PAIRS, repeat_columns},
    {"plan_memory", "two maps in use get one place", IN_PAIRS, share_with_operand},
    {"plan_memory", "buffers overlap by a line", IN_PAIRS, round_down},
    {"plan_memory", "two tiles get one place", IN_PAIRS, tiles_in_one_place},
};
enum { PLANTS = sizeof plants / sizeof *plants };

/* ---- models ---------------------------------------------------------------------------------- */

static struct module *graph_of(enum kind kind)
{
    struct model model = {.family = kind == IN_WINDOWS ? FAMILY_RESNET : FAMILY_SAN,
                          .name = "small",
                          .channels = 3,
                          .height = 14,
                          .width = 10,
                          .classes = 5,
                          .stem_channels = 8,
                          .stages = 1};
    struct attention attention = {.relation = relation_kind_subtraction,
                                  .mapping = 2,
                                  .position = POSITION_RELATIVE,
                                  .softmax = true,
                                  .footprint = 3,
                                  .dilation = 1,
                                  .share = 8,
                                  .relation_channels = 8,
                                  .value_channels = 16};
    if (kind == ZERO_PADDING)
        attention.padding = PADDING_ZERO;
    if (kind == IN_PATCHES) {
        attention.patchwise = true;
        attention.relation = relation_kind_concatenation;
        attention.position = POSITION_NONE;
        attention.softmax = false;
        attention.dilation = 2;
    }
    model.stage[0] = (struct stage){.blocks = 2, .channels = 40, .attention = attention};
    if (kind == IN_WINDOWS) {
        model.stages = 2;
        model.stage[0] = (struct stage){.blocks = 1, .channels = 8, .block = BLOCK_BOTTLENECK};
        model.stage[1] = (struct stage){.blocks = 1, .channels = 12, .block = BLOCK_BASIC};
    }
    return graph_from_model(&model, 2, 1, 1, target);
}

enum { MOST_TENSORS = 128 };

struct tensors {
    int count;
    const char *name[MOST_TENSORS];
    double *value[MOST_TENSORS];
};

/* Numbers that depend on the name alone: variances from 0.5 to 1.5, others from -1 to 1. */
static const double *find_tensor(void *context, const char *name, const struct shape *shape)
{
    struct tensors *tensors = context;
    for (int i = 0; i < tensors->count; i++)
        if (strcmp(tensors->name[i], name) == 0)
            return tensors->value[i];
    int64_t elements = shape_elements(shape);
    double *value = allocate(elements, sizeof *value);
    uint64_t state = 5381;
    for (const char *c = name; *c; c++)
        state = state * 33 + (unsigned char)*c;
    for (int64_t i = 0; i < elements; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double unit = (double)(state >> 40) * 0x1p-24;
        value[i] = strstr(name, "running_var") ? 0.5 + unit : 2 * unit - 1;
    }
    assert_in_range(tensors->count, 0, MOST_TENSORS - 1);
    tensors->name[tensors->count] = strdup(name);
    tensors->value[tensors->count++] = value;
    return value;
}

static void tensors_free(struct tensors *tensors)
{
    for (int i = 0; i < tensors->count; i++) {
        free((char *)(uintptr_t)tensors->name[i]);
        free(tensors->value[i]);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

struct trial {
    const struct plant *plant; /* NULL: none */
    bool planted;
    const char *caught; /* the pass that is named; NULL: none */
    bool located;       /* the element too */
    char how[640];
};

/* Runs the passes as verify --each-pass does, until one is caught. */
static void run_trial(struct trial *trial, enum kind kind)
{
    struct tensors tensors = {0};
    struct parameters parameters = {find_tensor, &tensors, NULL};
    double *value = random_images(7, 2, 3, 14, 10);
    struct images images = {value, 2, 3 * 14 * 10};
    struct pass_check check = {.parameters = &parameters, .images = &images, .tolerance = 1e-9};
    struct module *m = graph_of(kind);
    struct error error;
    assert_true(pass_check_after(&check, NULL, 0, 0, m));
    for (int i = 0; i < pass_count && !trial->caught; i++) {
        const struct pass *pass = &pass_table[i];
        int changes = pass->run(m);
        if (trial->plant && strcmp(pass->name, trial->plant->pass) == 0)
            trial->planted = trial->plant->damage(m);
        bool right = module_verify(m, &error);
        if (right && pass_check_after(&check, pass, changes, 0, m))
            continue;
        trial->caught = pass->name;
        trial->located = !right || check.located;
        if (right)
            snprintf(trial->how, sizeof trial->how, "%s, %s", check.change.where,
                     check.change.element);
        else
            snprintf(trial->how, sizeof trial->how, "%.500s", error.text);
    }
    module_free(m);
    pass_check_free(&check);
    tensors_free(&tensors);
    free(value);
}

static void right_passes_are_not_caught(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct trial trial = {0};
        run_trial(&trial, kind);
        assert_null(trial.caught);
    }
}

static void wrong_passes_are_named(void **state)
{
    (void)state;
    int caught = 0;
    for (int i = 0; i < PLANTS; i++) {
        struct trial trial = {.plant = &plants[i]};
        run_trial(&trial, plants[i].model);
        bool named = trial.caught && strcmp(trial.caught, plants[i].pass) == 0;
        print_message("%-18s %-44s %s\n", plants[i].pass, plants[i].what,
                      !trial.planted ? "NOT PLANTED"
                      : named        ? trial.how
                                     : "MISSED");
        assert_true(trial.planted && (!named || trial.located));
        caught += named;
    }
    print_message("%d of %d caught\n", caught, PLANTS);
    assert_true(PLANTS >= 30 && 30 * caught >= 29 * PLANTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_passes_are_not_caught),
        cmocka_unit_test(wrong_passes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
