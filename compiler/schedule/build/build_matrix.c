/* Nests of products whose factors are rounded, by the matrix units of a GPU: tiles of rows and
 * columns, distributed over the warps of a block.
 *
 *   for n in 1, y in 28, x in 28, c in 64
 *     out[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])
 *   schedule "nvptx:sm_80" {
 *     threads 64
 *     tile 16
 *     nest 0 rows 2 columns 4 vector 4
 *     matrix 0 rows 16 columns 32
 *   }
 * =>
 *   for t in 49 block, w in 2 warp {
 *     for m in 16 matrix, n in 8 matrix, v in 4 vector
 *       acc[w, 0, 0, m, n, v] = 0
 *     for k in 2, u in 2 unroll, v in 4 unroll, m in 16 matrix, n in 8 matrix, k1 in 8 matrix
 *       acc[w, 0, 0, m, n, v] = fma(a[.., 16*k + 8*u + k1], w[16*k + 8*u + k1, 32*w + 4*n + v],
 *       acc[..])
 *     for m in 16 matrix, n in 8 matrix, v in 4 vector
 *       out[0, (16*t + m) div 28, .., 32*w + 4*n + v] = acc[w, 0, 0, m, n, v]
 *   }
 *
 * The columns of neighbouring fragments are interleaved, so that a thread's columns are consecutive
 * in the weights that it loads and in what it stores. Terms that do not fill a fragment are added
 * one by one, to the same sums; rows and columns that do not are register tiles of threads.
 *
 * `pad` gives even a tile of 5 pixels 16 rows: row m is that of pixel m mod 5. All sums go to
 * shared memory, and threads compute results for the first 5 rows:
 *
 *     for w in 2 warp { ..
 *       acc[..] = fma(a[.., (m mod 5) ..], w[..], acc[..])
 *       sums0[m, 32*w + 4*n + v] = acc[w, 0, 0, m, n, v]
 *     }
 *     barrier
 *     for th in 64 thread, v in 4 vector
 *       out[0, (5*t + th div 16) div 28, .., 4*(th mod 16) + v] = sums0[th div 16, 4*(th mod 16) +
 *       v]
 *
 * Right for the same reasons as build_threads.c, except that the unit adds products in an order of
 * its own. */
#include "build_matrix.h"
#include "build_local.h"
#include "rounding.h"
#include "rules_gpu.h"

enum { MOST_UNROLL = 4 /* terms that are written out */ };

int64_t matrix_unroll(int64_t products, int64_t steps)
{
    int64_t unroll = MOST_UNROLL;
    while (unroll > 1 && (unroll * products > MOST_MATRIX_SUMS || steps % unroll))
        unroll--;
    return unroll;
}

int64_t matrix_lanes(int64_t columns)
{
    int64_t lanes = 4;
    while (columns % (lanes * MATRIX_COLUMNS))
        lanes /= 2;
    return lanes;
}

/* ---- the tile of a warp ---------------------------------------------------------------------- */

/* A tile of a warp under construction. */
struct warp_tile {
    struct nest_build *b;
    struct var *warp;
    int64_t rows, columns, lanes;
    affine_ref row, column; /* the first ones */
    int64_t there;          /* rows of the block; rows beyond repeat them */
    struct buffer *sums; /* takes the sums, by row and column; NULL: results are stored directly */
    struct buffer *acc;  /* [warp][row div 16][column div 8 lanes][m][n][column mod lanes] */
};

/* The loops over its elements: row 16 i + m, column 8 lanes g + lanes n + v. */
struct elements {
    struct var *i, *g, *m, *n, *v;
    affine_ref at[6]; /* in the accumulators */
    affine_ref row, column;
};

static struct elements enter_elements(const struct warp_tile *t)
{
    struct module *m = t->b->k->m;
    struct arena *arena = m->arena;
    struct elements e = {.i = var_new(m, "i", t->rows / MATRIX_ROWS),
                         .g = var_new(m, "g", t->columns / (MATRIX_COLUMNS * t->lanes)),
                         .m = var_new(m, "m", MATRIX_ROWS),
                         .n = var_new(m, "n", MATRIX_COLUMNS),
                         .v = var_new(m, "v", t->lanes)};
    struct var *const index[6] = {t->warp, e.i, e.g, e.m, e.n, e.v};
    for (int i = 0; i < 6; i++)
        e.at[i] = of_var(m, index[i]);
    affine_ref row = affine_add(arena, scaled(m, e.i, MATRIX_ROWS), e.at[3]);
    affine_ref column = affine_add(arena, scaled(m, e.n, t->lanes), e.at[5]);
    column = affine_add(arena, scaled(m, e.g, MATRIX_COLUMNS * t->lanes), column);
    e.row = affine_add(arena, t->row, row);
    e.column = affine_add(arena, t->column, column);
    threads_map_column(t->b, e.column);
    threads_map_row(t->b, affine_mod(arena, e.row, t->there));
    return e;
}

/* A statement for each element by itself. */
static struct stmt *wrap_elements(struct module *m, const struct elements *e, struct stmt *stmt)
{
    if (e->v->extent > 1)
        stmt = stmt_for(m, e->v, LOOP_VECTOR, stmt);
    stmt = stmt_for(m, e->m, LOOP_MATRIX, stmt_for(m, e->n, LOOP_MATRIX, stmt));
    return build_loop(m, e->i, LOOP_UNROLL, build_loop(m, e->g, LOOP_UNROLL, stmt));
}

/* Adds the products of term `k` (an index of the reduction's variable) to an element. */
static struct stmt *add_product(const struct warp_tile *t, const struct elements *e, affine_ref k)
{
    struct nest_build *b = t->b;
    struct module *m = b->k->m;
    const struct expr *reduce = b->nest->reduce, *const *factor = reduce->in[0]->in;
    rewriter_map(&b->r, reduce->var[0], k);
    bool swap = expr_uses_var(factor[0], nest_column(b->nest));
    const struct expr *row = rewrite_expr(&b->r, factor[swap]);
    const struct expr *column = rewrite_expr(&b->r, factor[!swap]);
    return stmt_store(m, t->acc, e->at,
                      expr_op(m, SCALAR_fma, row, column, expr_load(m, t->acc, e->at)));
}

/* The terms that are whole fragments. */
static struct stmt *add_fragments(const struct warp_tile *t)
{
    struct module *m = t->b->k->m;
    int vars = t->b->r.vars;
    const struct var *of = t->b->nest->reduce->var[0];
    int64_t terms = matrix_depth(m->precision), steps = build_terms(t->b, of) / terms;
    int64_t products = t->rows / MATRIX_ROWS * (t->columns / MATRIX_COLUMNS);
    int64_t unroll = matrix_unroll(products, steps);
    struct var *k = var_new(m, of->name, steps / unroll), *u = var_new(m, "u", unroll),
               *term = var_new(m, of->name, terms);
    struct elements e = enter_elements(t);
    affine_ref at = affine_add(m->arena, scaled(m, k, terms * unroll), scaled(m, u, terms));
    at = affine_add(m->arena, at, build_first_term(t->b, build_terms(t->b, of)));
    struct stmt *stmt = add_product(t, &e, affine_add(m->arena, at, of_var(m, term)));
    stmt = stmt_for(m, e.n, LOOP_MATRIX, stmt_for(m, term, LOOP_MATRIX, stmt));
    stmt = build_loop(m, e.v, LOOP_UNROLL, stmt_for(m, e.m, LOOP_MATRIX, stmt));
    stmt = build_loop(m, u, LOOP_UNROLL,
                      build_loop(m, e.i, LOOP_UNROLL, build_loop(m, e.g, LOOP_UNROLL, stmt)));
    t->b->r.vars = vars;
    return k->extent > 1 ? stmt_for(m, k, LOOP_SERIAL, stmt) : stmt;
}

/* The terms that fill no fragment, if any. */
static struct stmt *add_rest(const struct warp_tile *t)
{
    struct module *m = t->b->k->m;
    int vars = t->b->r.vars;
    const struct var *of = t->b->nest->reduce->var[0];
    int64_t rest = of->extent % matrix_depth(m->precision);
    if (!rest || t->b->parts > 1)
        return NULL;
    struct var *k = var_new(m, of->name, rest);
    struct elements e = enter_elements(t);
    affine_ref at = affine_offset(m->arena, of_var(m, k), of->extent - rest);
    struct stmt *stmt = wrap_elements(m, &e, add_product(t, &e, at));
    t->b->r.vars = vars;
    return build_loop(m, k, LOOP_UNROLL, stmt);
}

/* The results, or the sums where others make results of them. */
static struct stmt *store_results(const struct warp_tile *t)
{
    struct nest_build *b = t->b;
    struct module *m = b->k->m;
    int vars = b->r.vars;
    struct stmt *stmt = NULL;
    struct elements e = enter_elements(t);
    const struct expr *total = expr_load(m, t->acc, e.at);
    affine_ref at[2] = {e.row, e.column};
    if (b->parts > 1) {
        stmt = wrap_elements(m, &e, build_partial(b, e.row, e.column, total));
    } else if (t->sums) {
        stmt = wrap_elements(m, &e, stmt_store(m, t->sums, at, total));
    } else if (threads_updates(b)) {
        stmt = wrap_elements(m, &e, stmt_store(m, t->acc, e.at, build_final(b, total)));
        b->r.vars = vars;
        e = enter_elements(t);
        stmt_append(&stmt, wrap_elements(m, &e, build_store(b, expr_load(m, t->acc, e.at))));
    } else {
        stmt = wrap_elements(m, &e, build_store(b, build_final(b, total)));
    }
    b->r.vars = vars;
    return stmt;
}

static struct stmt *warp_tile(struct warp_tile *t)
{
    struct nest_build *b = t->b;
    struct module *m = b->k->m;
    int vars = b->r.vars;
    struct stmt *stmt = NULL;
    t->lanes = matrix_lanes(t->columns);
    t->acc = threads_sums(b, t->warp,
                          SHAPE(t->rows / MATRIX_ROWS, t->columns / (MATRIX_COLUMNS * t->lanes),
                                MATRIX_ROWS, MATRIX_COLUMNS, t->lanes));
    if (b->kept.part <= NEST_BEGIN) {
        struct elements e = enter_elements(t);
        stmt = wrap_elements(m, &e, stmt_store(m, t->acc, e.at, build_initial(b)));
        b->r.vars = vars;
    }
    if (b->kept.part == NEST_WHOLE || b->kept.part == NEST_TERMS) {
        stmt_append(&stmt, add_fragments(t));
        stmt_append(&stmt, add_rest(t));
    }
    if (b->kept.part == NEST_WHOLE || b->kept.part == NEST_END)
        stmt_append(&stmt, store_results(t));
    return stmt;
}

/* ---- all tiles ------------------------------------------------------------------------------- */

/* Where tiles of warps take their rows and sums from: see struct warp_tile. */
struct warps {
    struct nest_build *b;
    int64_t there;
    struct buffer *sums;
};

/* Tiles of `rows` and `columns` from number `first` on, one for each warp. */
static struct stmt *one_each(const struct warps *to, const struct segment *rows,
                             const struct segment *columns, affine_ref first, struct var *warp)
{
    struct nest_build *b = to->b;
    struct arena *arena = b->k->m->arena;
    affine_ref q = affine_add(arena, first, of_var(b->k->m, warp));
    if (b->parts > 1) {
        b->part = affine_div(arena, q, rows->count * columns->count);
        q = affine_mod(arena, q, rows->count * columns->count);
    }
    affine_ref row = affine_div(arena, q, columns->count),
               column = affine_mod(arena, q, columns->count);
    struct warp_tile t = {.b = b,
                          .warp = warp,
                          .rows = rows->size,
                          .columns = columns->size,
                          .there = to->there,
                          .sums = to->sums};
    t.row = affine_offset(arena, affine_scale(arena, row, rows->size), rows->begin);
    t.column = affine_offset(arena, affine_scale(arena, column, columns->size), columns->begin);
    return stmt_for(b->k->m, warp, LOOP_WARP, warp_tile(&t));
}

static struct stmt *deal_out(const struct warps *to, const struct segment *rows,
                             const struct segment *columns)
{
    struct module *m = to->b->k->m;
    int64_t count = rows->count * columns->count * to->b->parts,
            warps = to->b->k->plan->threads / WARP_THREADS;
    int64_t whole = count / warps, rest = count % warps;
    struct stmt *all = NULL;
    if (whole) {
        struct var *s = var_new(m, "s", whole), *warp = var_new(m, "w", warps);
        struct stmt *stmt = one_each(to, rows, columns, scaled(m, s, warps), warp);
        all = build_loop(m, s, LOOP_SERIAL, stmt);
    }
    if (rest)
        stmt_append(&all, one_each(to, rows, columns, affine_constant(m->arena, whole * warps),
                                   var_new(m, "w", rest)));
    return all;
}

/* Whole tiles, and one for the whole fragments that remain; *covered: the rows or columns in them.
 */
static int matrix_segments(int64_t total, int64_t tile, int64_t fragment, struct segment *segment,
                           int64_t *covered)
{
    *covered = total - total % fragment;
    return *covered ? segments_of_rows(*covered, tile, segment) : 0;
}

int64_t matrix_padded(int64_t rows)
{
    return (rows + MATRIX_ROWS - 1) / MATRIX_ROWS * MATRIX_ROWS;
}

static struct shape sums_shape(const struct area *area)
{
    struct buffer sums = {.shape = {2, {matrix_padded(area->rows), area->columns}}};
    return local_shared_shape(&sums, false, 1);
}

int64_t matrix_sums_bytes(const struct area *area)
{
    struct shape shape = sums_shape(area);
    return 4 * shape_elements(&shape);
}

struct stmt *matrix_nest(struct nest_build *b, const struct area *area)
{
    const struct matrix_plan *matrix = &b->plan->matrix;
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
    int64_t rows_done, columns_done;
    bool pad = matrix->pad && area->rows % MATRIX_ROWS;
    int64_t padded = pad ? matrix_padded(area->rows) : area->rows;
    int rows = matrix_segments(padded, matrix->rows, MATRIX_ROWS, row, &rows_done);
    int columns =
        matrix_segments(area->columns, matrix->columns, MATRIX_COLUMNS, column, &columns_done);
    if (!rows || !columns)
        return threads_nest(b, area);
    rows_done = pad ? area->rows : rows_done;
    struct area done = {0, rows_done, 0, columns_done};
    struct warps warps = {b, area->rows, NULL};
    bool ends = (b->kept.part == NEST_WHOLE || b->kept.part == NEST_END) && b->parts == 1;
    if (pad && ends)
        warps.sums = buffer_new(b->k->m, &b->k->to->locals,
                                arena_printf(b->k->m->arena, "sums%d", b->k->accumulators),
                                PLACE_SHARED, sums_shape(&done));
    struct stmt *all = NULL;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            stmt_append(&all, deal_out(&warps, &row[i], &column[j]));
    if (pad && ends) {
        b->sums = warps.sums;
        stmt_append(&all, threads_finish(b, &done));
        b->sums = NULL;
    }
    struct area right = {0, rows_done, columns_done, area->columns - columns_done};
    struct area below = {rows_done, area->rows - rows_done, 0, area->columns};
    if (right.columns)
        stmt_append(&all, threads_nest(b, &right));
    if (below.rows)
        stmt_append(&all, threads_nest(b, &below));
    return all;
}
