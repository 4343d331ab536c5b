/* Mistakes in schedules carried out, and in places of buffers. */
#include "affine.h"
#include "make.h"
#include "planted.h"

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

const struct plant planted_schedules[] = {
    {"apply_schedules", "a window has a line too few", IN_WINDOWS, one_line_less},
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
    {0},
};
