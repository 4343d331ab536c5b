/* Nests for GPUs: their register tiles, distributed over the threads of a block.
 *
 *   for n in 1, y in 28, x in 28, c in 64
 *     out[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])
 *   schedule "nvptx:sm_80" {
 *     threads 128
 *     tile 16
 *     nest 0 rows 2 columns 4 vector 4
 *   }
 * =>
 *   for t in 49 block, s in 1, th in 128 thread {
 *     for i in 2 unroll, v in 4 vector
 *       acc[th, i, v] = 0
 *     for k in 8, k1 in 4 unroll, i in 2 unroll, v in 4 vector
 *       acc[th, i, v] = fma(a[.., 4*k + k1], w[4*k + k1, 4*(th mod 16) + v], acc[th, i, v])
 *     for i in 2 unroll, v in 4 vector
 *       out[0, (16*t + th div 16 + 8*i) div 28, .., 4*(th mod 16) + v] = acc[th, i, v]
 *   }
 *
 * Neighbouring threads have neighbouring columns, then neighbouring rows; in blocks of terms (see
 * build_blocks.c) four have two by two. The rows and vectors of one register tile lie apart, so that
 * a warp's loads and stores are consecutive. Where a pixel has rows of its own, as many as it has
 * neighbours, rows go through the tile's pixels first: those of one register tile are mostly of one
 * pixel, whose own values are loaded once, and a warp's are of few neighbours, whose biases lie
 * together. There is a barrier between nests.
 *
 * Right because pixels are independent, and so are the elements of a nest; a reduction keeps its
 * order. Requires what apply_schedules does. */
#include "build_threads.h"
#include <assert.h>
#include <string.h>

/* ---- what variables become ------------------------------------------------------------------- */

void threads_map_row(struct nest_build *b, affine_ref row)
{
    struct arena *arena = b->k->m->arena;
    const struct kernel_nest *s = b->nest;
    build_map_pixel(b, affine_mod(arena, row, b->row_pixels));
    row = affine_div(arena, row, b->row_pixels);
    for (int i = s->rows - 1; i >= 0; i--) {
        int64_t extent = s->loops.var[i]->extent;
        rewriter_map(&b->r, s->loops.var[i], affine_mod(arena, row, extent));
        row = affine_div(arena, row, extent);
    }
}

void threads_map_column(struct nest_build *b, affine_ref column)
{
    const struct kernel_nest *s = b->nest;
    if (nest_has_columns(s))
        rewriter_map(&b->r, nest_column(s), affine_add(b->k->m->arena, b->first_column, column));
}

/* The loops of a register tile: rows, vectors, lanes. */
struct thread_tile {
    struct var *row, *group, *lane;
    affine_ref at[3]; /* in the accumulators, of which each thread has its own */
};

static struct thread_tile enter_tile(struct nest_build *b)
{
    struct module *m = b->k->m;
    int64_t lanes = b->columns->lanes;
    struct thread_tile t = {var_new(m, "i", b->rows->size),
                            var_new(m, "g", b->columns->size / lanes),
                            var_new(m, "v", lanes),
                            {NULL}};
    affine_ref lane = of_var(m, t.lane);
    t.at[0] = of_var(m, b->thread);
    t.at[1] = of_var(m, t.row);
    t.at[2] = affine_add(m->arena, scaled(m, t.group, lanes), lane);
    affine_ref vector = affine_add(m->arena, b->column, scaled(m, t.group, b->columns->count));
    affine_ref column = affine_add(m->arena, affine_scale(m->arena, vector, lanes), lane);
    b->at_column = affine_offset(m->arena, column, b->columns->begin);
    b->at_row = affine_add(m->arena, b->row, scaled(m, t.row, b->rows->count));
    threads_map_column(b, b->at_column);
    threads_map_row(b, b->at_row);
    return t;
}

static struct stmt *wrap_tile(struct module *m, const struct thread_tile *t, struct stmt *stmt)
{
    return build_tile_loops(m, t->row, t->group, t->lane, stmt);
}

/* ---- register tiles -------------------------------------------------------------------------- */

enum {
    UNROLLED = 512 /* the most multiply-adds that a loop's body writes out */,
    MOST_UNROLL = 16
};

int64_t threads_unroll(int64_t elements, int64_t extent)
{
    int64_t most = UNROLLED / elements < MOST_UNROLL ? UNROLLED / elements : MOST_UNROLL;
    int64_t unroll = most < extent ? most : extent;
    while (unroll > 1 && extent % unroll)
        unroll--;
    return unroll < 1 ? 1 : unroll;
}

/* Where weights lie in pairs of terms, which of a pair a term is has to be known. */
static int64_t unroll_together(int64_t elements, int64_t terms, int64_t together)
{
    int64_t unroll = threads_unroll(elements, terms);
    if (terms % together)
        return unroll;
    while (unroll > together && (terms % unroll || unroll % together))
        unroll--;
    return unroll > together ? unroll : together;
}

static struct stmt *accumulate(struct nest_build *b, struct buffer *acc)
{
    struct module *m = b->k->m;
    const struct expr *reduce = b->nest->reduce;
    int vars = b->r.vars, last = reduce->vars - 1;
    struct var *k[MAX_RANK];
    int64_t terms = build_terms(b, reduce->var[last]);
    int64_t unroll =
        unroll_together(b->rows->size * b->columns->size, terms, build_terms_together(b));
    struct var *inner = var_new(m, "u", unroll);
    for (int i = 0; i <= last; i++) {
        bool innermost = i == last;
        k[i] =
            var_new(m, reduce->var[i]->name, innermost ? terms / unroll : reduce->var[i]->extent);
        affine_ref at = scaled(m, k[i], innermost ? unroll : 1);
        if (innermost)
            at = affine_add(m->arena, affine_add(m->arena, at, of_var(m, inner)),
                            build_first_term(b, terms));
        rewriter_map(&b->r, reduce->var[i], at);
    }
    struct thread_tile t = enter_tile(b);
    const struct expr *value = build_step(b, expr_load(m, acc, t.at));
    struct stmt *stmt = wrap_tile(m, &t, stmt_store(m, acc, t.at, value));
    stmt = build_loop(m, inner, LOOP_UNROLL, stmt);
    for (int i = last; i >= 0; i--)
        stmt = build_loop(m, k[i], LOOP_SERIAL, stmt);
    b->r.vars = vars;
    return stmt;
}

struct buffer *threads_accumulators(struct nest_build *b, struct var *unit, struct shape each)
{
    memmove(each.dim + 1, each.dim, (MAX_RANK - 1) * sizeof *each.dim);
    each.dim[0] = unit->extent;
    each.rank++;
    return build_accumulators(b->k, each);
}

struct buffer *threads_sums(struct nest_build *b, struct var *unit, struct shape each)
{
    struct kept *kept = &b->kept;
    if (kept->part == NEST_TERMS || kept->part == NEST_END)
        return kept->sums[kept->next++];
    struct buffer *sums = threads_accumulators(b, unit, each);
    if (kept->part == NEST_BEGIN) {
        assert(kept->next < MOST_KEPT);
        kept->sums[kept->next++] = sums;
    }
    return sums;
}

static void visit_stored(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct nest_build *b = context;
    b->updates |= load->buffer == b->nest->loops.store->buffer;
}

bool threads_updates(struct nest_build *b)
{
    b->updates = false;
    expr_visit_loads(b->nest->loops.store->value, 1, visit_stored, b);
    return b->updates;
}

/* A statement for each element. */
static struct stmt *each_element(struct nest_build *b, struct buffer *acc,
                                 struct stmt *(*of)(struct nest_build *, struct buffer *,
                                                    const affine_ref *))
{
    int vars = b->r.vars;
    struct thread_tile t = enter_tile(b);
    struct stmt *stmt = wrap_tile(b->k->m, &t, of(b, acc, t.at));
    b->r.vars = vars;
    return stmt;
}

static struct stmt *make_initial(struct nest_build *b, struct buffer *acc, const affine_ref *at)
{
    return stmt_store(b->k->m, acc, at, build_initial(b));
}

static struct stmt *make_final(struct nest_build *b, struct buffer *acc, const affine_ref *at)
{
    return stmt_store(b->k->m, acc, at, build_final(b, expr_load(b->k->m, acc, at)));
}

static struct stmt *make_store(struct nest_build *b, struct buffer *acc, const affine_ref *at)
{
    return build_store(b, expr_load(b->k->m, acc, at));
}

static struct stmt *make_result(struct nest_build *b, struct buffer *acc, const affine_ref *at)
{
    if (b->parts > 1)
        return build_partial(b, b->at_row, b->at_column, expr_load(b->k->m, acc, at));
    return build_store(b, build_final(b, expr_load(b->k->m, acc, at)));
}

/* A value without a sum, or of a sum that is in b->sums. */
static struct stmt *make_value(struct nest_build *b, struct buffer *acc, const affine_ref *at)
{
    (void)acc;
    (void)at;
    return build_store(b, b->sums_done ? build_final(b, build_total(b))
                                       : rewrite_expr(&b->r, b->nest->loops.store->value));
}

static struct stmt *register_tile(struct nest_build *b)
{
    if (!b->nest->reduce || b->sums_done)
        return each_element(b, NULL, make_value);
    struct buffer *acc = threads_sums(b, b->thread, SHAPE(b->rows->size, b->columns->size));
    struct stmt *stmt = NULL;
    if (b->kept.part <= NEST_BEGIN)
        stmt_append(&stmt, each_element(b, acc, make_initial));
    if (b->kept.part == NEST_WHOLE || b->kept.part == NEST_TERMS)
        stmt_append(&stmt, accumulate(b, acc));
    if (b->kept.part == NEST_WHOLE || b->kept.part == NEST_END) {
        bool updates = b->parts == 1 && threads_updates(b);
        if (updates)
            stmt_append(&stmt, each_element(b, acc, make_final));
        stmt_append(&stmt, each_element(b, acc, updates ? make_store : make_result));
    }
    return stmt;
}

/* Whether four neighbouring threads have two by two tiles: in blocks of terms, where both factors
 * are in shared memory. A load of a vector takes half of the time where each thread reads what the
 * next one or the one after that reads, throughout a warp. */
static bool in_fours(const struct nest_build *b)
{
    return b->nest->reduce && b->kept.part != NEST_WHOLE && b->rows->count % 2 == 0 &&
           b->columns->count % 2 == 0;
}

struct stmt *threads_tile(struct nest_build *b, affine_ref q)
{
    struct arena *arena = b->k->m->arena;
    if (b->parts > 1) {
        int64_t tiles = b->rows->count * b->columns->count;
        b->part = affine_div(arena, q, tiles);
        q = affine_mod(arena, q, tiles);
    }
    affine_ref row = affine_div(arena, q, b->columns->count);
    b->column = affine_mod(arena, q, b->columns->count);
    if (in_fours(b)) {
        int64_t across = b->columns->count / 2;
        affine_ref four = affine_div(arena, q, 4);
        b->column = affine_add(arena, affine_scale(arena, affine_mod(arena, four, across), 2),
                               affine_mod(arena, q, 2));
        row = affine_add(arena, affine_scale(arena, affine_div(arena, four, across), 2),
                         affine_div(arena, affine_mod(arena, q, 4), 2));
    }
    b->row = affine_add(arena, b->first_row, affine_offset(arena, row, b->rows->begin));
    return register_tile(b);
}

/* `count` tiles, distributed over the threads. */
static struct stmt *deal_out(struct nest_build *b, int64_t count)
{
    struct module *m = b->k->m;
    int64_t threads = b->k->plan->threads, whole = count / threads, rest = count % threads;
    struct stmt *all = NULL;
    if (whole) {
        struct var *s = var_new(m, "s", whole), *th = var_new(m, "th", threads);
        b->thread = th;
        struct stmt *stmt =
            threads_tile(b, affine_add(m->arena, scaled(m, s, threads), of_var(m, th)));
        stmt = stmt_for(m, th, LOOP_THREAD, stmt);
        all = build_loop(m, s, LOOP_SERIAL, stmt);
    }
    if (rest) {
        struct var *th = var_new(m, "th", rest);
        b->thread = th;
        struct stmt *stmt =
            threads_tile(b, affine_offset(m->arena, of_var(m, th), whole * threads));
        stmt_append(&all, stmt_for(m, th, LOOP_THREAD, stmt));
    }
    return all;
}

struct area area_of_nest(const struct kernel_nest *nest, int64_t tile, int64_t split)
{
    struct area area = {.rows = tile, .columns = 1};
    for (int i = 0; i < nest->loops.vars; i++)
        *(i < nest->rows ? &area.rows : &area.columns) *= nest->loops.var[i]->extent;
    area.columns /= split;
    return area;
}

struct blocking blocking_of_area(const struct nest_plan *plan, const struct area *area)
{
    struct blocking blocking;
    blocking.rows = segments_of_rows(area->rows, plan->rows, blocking.row);
    blocking.columns =
        segments_of_columns(area->columns, plan->columns, plan->lanes, blocking.column);
    for (int i = 0; i < blocking.rows; i++)
        blocking.row[i].begin += area->row;
    for (int i = 0; i < blocking.columns; i++)
        blocking.column[i].begin += area->column;
    return blocking;
}

struct stmt *threads_finish(struct nest_build *b, const struct area *area)
{
    int64_t lanes = area->columns % 4 ? 1 : 4;
    struct nest_plan plan = {.rows = 1, .columns = lanes, .lanes = lanes};
    const struct nest_plan *of_nest = b->plan;
    struct stmt *stmt = stmt_barrier(b->k->m);
    int64_t parts = b->parts;
    b->plan = &plan;
    b->parts = 1;
    b->sums_done = true;
    stmt_append(&stmt, threads_nest(b, area));
    b->sums_done = false;
    b->parts = parts;
    b->plan = of_nest;
    return stmt;
}

struct stmt *threads_nest(struct nest_build *b, const struct area *area)
{
    struct blocking blocking = blocking_of_area(b->plan, area);
    struct stmt *all = NULL;
    for (int i = 0; i < blocking.rows; i++)
        for (int j = 0; j < blocking.columns; j++) {
            b->rows = &blocking.row[i];
            b->columns = &blocking.column[j];
            stmt_append(&all, deal_out(b, b->rows->count * b->columns->count * b->parts));
        }
    return all;
}
