/* Nests for processors: their loops in register tiles, whose accumulators are in registers.
 *
 *   for n in 1, y in 28, x in 28, c in 64
 *     out[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])
 *   schedule "x86-64-v4" {
 *     tile 14
 *     nest 0 rows 14 columns 32 vector 16
 *   }
 * =>
 *   for t in 56 parallel {
 *     for b in 2 {
 *       for i in 14 unroll, g in 2 unroll, v in 16 vector
 *         acc[i, 16*g + v] = 0
 *       for k in 32, i in 14 unroll, g in 2 unroll, v in 16 vector
 *         acc[i, 16*g + v] = fma(a[.., k], w[k, 32*b + 16*g + v], acc[i, 16*g + v])
 *       for i in 14 unroll, g in 2 unroll, v in 16 vector
 *         out[0, (14*t + i) div 28, (14*t + i) mod 28, 32*b + 16*g + v] = acc[i, 16*g + v]
 *     }
 *   }
 *
 * Right because pixels are independent, and so are the elements of a nest; a reduction keeps its
 * order. A tile's stack buffers get a dimension for its pixels. Requires: one store per nest, at
 * most one reduction in it. */
#include "build_nest.h"
#include "build_depth.h"
#include "build_fetch.h"
#include "build_halves.h"
#include "build_lanes.h"
#include "build_tile.h"
#include "matrix.h"
#include "rules.h"

/* The loops of a sum, outermost first. */
struct sum_loops {
    int vars;
    struct var *var[2 * MAX_RANK];
    struct var *unrolled; /* innermost; NULL: none is */
    affine_ref turn;      /* of all others, flattened, where the sum has one variable */
    int64_t turns;
};

/* Terms of a sum: values of its first variable, and all of the others. */
struct terms {
    int64_t begin, count;
};

/* Adds those of one variable; returns the number of a step in terms of them, some of which are
 * written out. One that is taken apart by div and mod, as the terms of a window, becomes loops over
 * its lines and over what is consecutive in memory. */
static affine_ref add_sum_loops(struct nest_build *b, struct sum_loops *sum, const struct var *from,
                                struct terms terms, int64_t rows, const struct segment *columns)
{
    struct module *m = b->k->m;
    int64_t line = build_line_terms(b, from), inner = line ? line : terms.count;
    int64_t steps = inner / build_step_terms(b, columns);
    int64_t unrolled = build_steps_at_once(b, steps, rows, columns);
    struct var *lines = var_new(m, from->name, terms.count / inner);
    struct var *k = var_new(m, from->name, steps / unrolled);
    if (line)
        sum->var[sum->vars++] = lines;
    sum->var[sum->vars++] = k;
    sum->turn = affine_add(m->arena, scaled(m, lines, k->extent), of_var(m, k));
    sum->turns = lines->extent * k->extent;
    if (unrolled == 1)
        return sum->turn;
    sum->unrolled = var_new(m, "u", unrolled);
    return affine_add(m->arena, affine_scale(m->arena, sum->turn, unrolled),
                      of_var(m, sum->unrolled));
}

static struct stmt *accumulate_terms(struct nest_build *b, const struct origin *origin,
                                     int64_t rows, const struct segment *columns,
                                     const struct tile_sums *sums, struct terms terms)
{
    struct module *m = b->k->m;
    const struct expr *reduce = b->nest->reduce;
    int vars = b->r.vars;
    struct sum_loops sum = {0};
    struct var *pair = NULL;
    affine_ref first_term = NULL; /* of the first variable */
    for (int i = 0; i < reduce->vars; i++) {
        struct terms some = i ? (struct terms){0, reduce->var[i]->extent} : terms;
        affine_ref term = add_sum_loops(b, &sum, reduce->var[i], some, rows, columns);
        pair = tile_pair(b, columns, &term);
        term = affine_offset(m->arena, term, some.begin);
        rewriter_map(&b->r, reduce->var[i], term);
        first_term = i ? first_term : term;
    }
    struct tile_loops t = tile_sum_loops(b, rows, columns);
    affine_ref at[SUM_RANK];
    t.pair = pair;
    tile_enter(b, origin, &t);
    tile_sum_index(m, &t, at);
    if (b->tile_rows)
        b->row_factor =
            expr_load(m, b->tile_rows,
                      (affine_ref[]){affine_constant(m->arena, 0),
                                     affine_add(m->arena, origin->row, t.at_row), first_term});
    const struct expr *value = build_step(b, expr_load(m, sums->acc, at));
    struct stmt *stmt = tile_wrap(m, &t, stmt_store(m, sums->acc, at, value));
    if (sum.unrolled)
        stmt = stmt_for(m, sum.unrolled, LOOP_UNROLL, stmt);
    if (origin->next) {
        struct stmt *fetch = fetch_weights(
            b, &(struct ahead){.k = affine_constant(m->arena, 0),
                               .column = origin->next,
                               .step = affine_add(m->arena,
                                                  affine_scale(m->arena, origin->block, sum.turns),
                                                  sum.turn),
                               .depth = reduce->var[0]->extent,
                               .columns = columns->size,
                               .steps = origin->blocks * sum.turns});
        stmt_append(&fetch, stmt);
        stmt = fetch;
    }
    for (int i = sum.vars - 1; i >= 0; i--)
        stmt = stmt_for(m, sum.var[i], LOOP_SERIAL, stmt);
    b->r.vars = vars;
    return stmt;
}

/* The terms of a linear whose steps are written out several at once; the others' are not. */
static int64_t whole_turns(const struct nest_build *b, int64_t rows, const struct segment *columns)
{
    const struct expr *reduce = b->nest->reduce;
    int64_t terms = reduce->var[0]->extent, at_once = build_step_terms(b, columns);
    int64_t steps = terms / at_once, whole = steps - steps % MOST_AT_ONCE;
    bool split = reduce->vars == 1 && !build_line_terms(b, reduce->var[0]) &&
                 build_steps_at_once(b, steps, rows, columns) == 1 &&
                 build_steps_at_once(b, whole, rows, columns) > 1;
    return split ? whole * at_once : terms;
}

static struct stmt *accumulate(struct nest_build *b, const struct origin *origin, int64_t rows,
                               const struct segment *columns, const struct tile_sums *sums)
{
    int64_t terms = b->nest->reduce->var[0]->extent;
    int64_t whole = whole_turns(b, rows, columns);
    struct stmt *stmt = accumulate_terms(b, origin, rows, columns, sums, (struct terms){0, whole});
    struct origin rest = *origin;
    rest.next = NULL; /* the whole turns have fetched it all */
    if (whole < terms)
        stmt_append(&stmt, accumulate_terms(b, &rest, rows, columns, sums,
                                            (struct terms){whole, terms - whole}));
    return stmt;
}

/* Prefetches operands of the next block of columns: those of the current one would come too late.
 */
static struct stmt *fetch_next_operands(struct nest_build *b, const struct origin *origin,
                                        int64_t rows, int64_t columns)
{
    struct origin next = *origin;
    next.column = origin->next;
    return fetch_operands(b, &next, rows, columns);
}

static struct stmt *register_tile(struct nest_build *b, const struct origin *origin, int64_t rows,
                                  const struct segment *columns)
{
    struct module *m = b->k->m;
    if (b->plan->halves)
        return halves_tile(b, origin, rows, columns);
    if (!b->nest->reduce) {
        int vars = b->r.vars;
        struct tile_loops t = tile_loops_new(m, rows, columns);
        tile_enter(b, origin, &t);
        const struct expr *value = rewrite_expr(&b->r, b->nest->loops.store->value);
        struct stmt *only = tile_wrap(m, &t, build_store(b, value));
        b->r.vars = vars;
        return only;
    }
    struct tile_sums sums = {.acc = tile_registers(b, rows, columns)};
    struct stmt *stmt = tile_begin(b, origin, rows, columns, &sums);
    if (origin->next)
        stmt_append(&stmt, fetch_next_operands(b, origin, rows, columns->size));
    stmt_append(&stmt, accumulate(b, origin, rows, columns, &sums));
    stmt_append(&stmt, tile_end(b, origin, rows, columns, &sums));
    return stmt;
}

/* The first column of a block. */
static affine_ref column_of(struct nest_build *b, affine_ref block, const struct segment *columns)
{
    struct arena *arena = b->k->m->arena;
    affine_ref at = affine_scale(arena, block, columns->size);
    return affine_add(arena, affine_offset(arena, at, columns->begin), b->first_column);
}

/* The loop over a tile's pixels: a nest's own, or that of several nests. */
static struct var *pixel_var(const struct nest_build *b)
{
    return b->k->together ? b->k->together : var_new(b->k->m, "p", b->k->tile);
}

static struct stmt *pixel_loop(const struct nest_build *b, struct var *p, struct stmt *body)
{
    return b->k->together ? body : build_loop(b->k->m, p, LOOP_SERIAL, body);
}

/* The blocks of columns of one block of rows in turn, each for every pixel of `inside` (NULL: for
 * the current pixel). */
static struct stmt *column_blocks(struct nest_build *b, struct origin *origin, int64_t rows,
                                  const struct segment *columns, struct var *inside)
{
    struct module *m = b->k->m;
    struct var *block = var_new(m, "b", columns->count);
    origin->column = column_of(b, of_var(m, block), columns);
    struct stmt *stmt = register_tile(b, origin, rows, columns);
    if (inside)
        stmt = pixel_loop(b, inside, stmt);
    return build_loop(m, block, LOOP_SERIAL, stmt);
}

static struct stmt *row_blocks(struct nest_build *b, struct origin *origin,
                               const struct segment *rows, const struct segment *columns)
{
    struct module *m = b->k->m;
    struct var *block = var_new(m, "r", rows->count);
    origin->row =
        affine_offset(m->arena, affine_scale(m->arena, of_var(m, block), rows->size), rows->begin);
    origin->block = affine_offset(m->arena, of_var(m, block), rows->first);
    struct stmt *stmt = register_tile(b, origin, rows->size, columns);
    return build_loop(m, block, LOOP_SERIAL, stmt);
}

/* Copies rows that AMX cannot load as they lie, to where it can. */
static struct stmt *copy_uneven_rows(struct nest_build *b, int64_t total,
                                     const struct segment *columns)
{
    int64_t terms = b->nest->reduce->var[0]->extent, lanes = b->plan->lanes;
    if (tile_rows_are_even(b, total, columns))
        return NULL;
    while (terms % lanes)
        lanes /= 2;
    return depth_copy_rows(b, total, terms, lanes, &b->tile_rows);
}

/* Register tiles of several rows. */
static struct stmt *block_nest(struct nest_build *b, int64_t total, const struct segment *columns,
                               int column_segments)
{
    struct module *m = b->k->m;
    struct segment rows[MAX_SEGMENTS];
    int row_segments = tile_row_segments(b, total, rows);
    bool one = b->k->nests->pixels && !b->pixels_are_rows && !b->pixels_are_columns;
    struct var *p = one ? pixel_var(b) : NULL;
    if (one)
        build_map_pixel(b, of_var(m, p));
    struct stmt *all = b->tile_terms ? copy_uneven_rows(b, total, columns) : NULL;
    for (int j = 0; j < column_segments; j++) {
        struct var *block = var_new(m, "b", columns[j].count);
        struct origin origin = {.flat = true};
        origin.column = column_of(b, of_var(m, block), &columns[j]);
        origin.blocks = rows[row_segments - 1].first + rows[row_segments - 1].count;
        if (b->plan->ahead) {
            affine_ref next = fetch_next_block(b, of_var(m, block), block->extent);
            next = affine_offset(m->arena, affine_scale(m->arena, next, columns[j].size),
                                 columns[j].begin);
            origin.next = affine_add(m->arena, next, b->groups.base);
        }
        struct stmt *inside = NULL;
        for (int i = 0; i < row_segments; i++)
            stmt_append(&inside, row_blocks(b, &origin, &rows[i], &columns[j]));
        stmt_append(&all, build_loop(m, block, LOOP_SERIAL, inside));
    }
    return one ? pixel_loop(b, p, all) : all;
}

/* One row at a time: the nest's own loops around blocks of columns. A sum with one row per pixel,
 * as over a footprint, takes a block of columns for all pixels before the next block: what the
 * pixels share is then still in L1. */
static struct stmt *row_nest(struct nest_build *b, const struct segment *columns,
                             int column_segments)
{
    struct module *m = b->k->m;
    const struct kernel_nest *nest = b->nest;
    struct var *p = pixel_var(b), *row[MAX_NEST];
    bool inside = b->k->nests->pixels && nest->reduce && nest->reduce->op == SCALAR_sum &&
                  column_segments == 1;
    if (b->k->nests->pixels)
        build_map_pixel(b, of_var(m, p));
    for (int i = 0; i < nest->rows; i++) {
        row[i] = var_new(m, nest->loops.var[i]->name, nest->loops.var[i]->extent);
        rewriter_map(&b->r, nest->loops.var[i], of_var(m, row[i]));
        inside = inside && row[i]->extent == 1;
    }
    struct stmt *stmt = NULL;
    struct origin origin = {0};
    for (int j = 0; j < column_segments; j++)
        stmt_append(&stmt, column_blocks(b, &origin, 1, &columns[j], inside ? p : NULL));
    for (int i = nest->rows - 1; i >= 0; i--)
        stmt = build_loop(m, row[i], LOOP_SERIAL, stmt);
    return b->k->nests->pixels && !inside ? pixel_loop(b, p, stmt) : stmt;
}

/* Rewrites loads of a tile, and of tables by classes, where pixels are columns. */
static const struct expr *load_lane(struct rewriter *r, const struct expr *load)
{
    affine_ref index[MAX_RANK];
    struct buffer *local = build_local_index(r->context, load->buffer, load->index, index);
    return local == load->buffer ? lanes_load(r->context, load) : expr_load(r->m, local, index);
}

/* The most terms that AMX multiplies at once: an even divisor of those that lie
 * together in memory. */
static int64_t most_tile_terms(const struct nest_build *b)
{
    const struct var *of = b->nest->reduce->var[0];
    int64_t line = build_line_terms(b, of), depth = b->plan->depth;
    int64_t together = depth ? depth : line ? line : of->extent, terms = TILE_TERMS;
    while (together % terms)
        terms -= PAIR;
    return terms;
}

struct stmt *build_nest(struct kernel_build *k, int i)
{
    struct nest_build b;
    const struct kernel_nest *nest = &k->nests->nest[i];
    const struct nest_plan *plan = &k->plan->nest[i];
    build_begin_nest(&b, k, nest, plan);
    bool lanes = b.pixels_are_columns = range_has(&k->plan->lanes, i);
    if (lanes)
        b.r.load = load_lane;
    struct nest_size size = lanes ? nest_measure_lanes(nest, k->tile) : nest_measure(nest, k->tile);
    bool shared = k->columns && nest_is_shared(k->nests, i);
    if (shared) {
        size.columns = k->columns;
        b.first_column = k->first_column;
    }
    struct segment segment[MAX_SEGMENTS];
    int segments = segments_of_columns(size.columns, plan->columns, plan->lanes, segment);
    b.groups = shared && segments == 1
                   ? k->groups
                   : (struct groups){b.first_column, affine_constant(k->m->arena, 0), 1};
    b.pixels_are_rows = k->nests->pixels && size.repeats == 1 && !lanes;
    struct var *group = nest->group ? var_new(k->m, nest->group->name, nest_groups(nest)) : NULL;
    if (group)
        rewriter_map(&b.r, nest->group, of_var(k->m, group));
    if (plan->amx) {
        b.tile_terms = most_tile_terms(&b);
        b.tile_height = segments_height(size.rows, plan->rows, plan->columns / plan->lanes);
    }
    struct stmt *stmt = plan->depth ? depth_nest(&b, size.rows, size.columns)
                        : plan->rows > 1 || lanes || b.tile_terms
                            ? block_nest(&b, size.rows, segment, segments)
                            : row_nest(&b, segment, segments);
    return group ? build_loop(k->m, group, LOOP_SERIAL, stmt) : stmt;
}
