/* A sum of few columns as two sums, of the even and of the odd terms, next to each other in one
 * vector:
 *
 *   for j in 49, c in 8
 *     y[j, c] = sum k in 16 (x[j, k] * w[k, c])
 *   schedule "x86-64-v4" {
 *     nest 0 rows 24 columns 8 vector 8
 *     halves 0
 *   }
 * =>
 *   for i in 24 unroll, v in 16 vector
 *     acc[i, v] = 0
 *   for k in 8, i2 in 24 unroll, v2 in 16 vector
 *     acc[i2, v2] = fma(x[i2, 2*k + v2 mod 2], w[2*k + v2 mod 2, v2 div 2], acc[i2, v2])
 *   for h in 12 unroll, v3 in 16 vector
 *     y[2*h + v3 div 8, v3 mod 8] = acc[2*h + v3 div 8, 2*(v3 mod 8)] + acc[2*h + v3 div 8, 2*(v3
 *     mod 8) + 1]
 *
 * Vectors are full where there are half as many columns as lanes. Two terms of x are next to each
 * other: a load repeats both, as it would repeat one. Sums are rounded in a different order. */
#include "build_halves.h"
#include "build_tile.h"

/* Of a register tile of twice the columns. */
static struct segment wide_columns(const struct segment *columns)
{
    return (struct segment){0, 2 * columns->size, 1, 2 * columns->size, 0};
}

static struct stmt *accumulate(struct nest_build *b, const struct origin *origin, int64_t rows,
                               const struct segment *columns, struct buffer *acc)
{
    struct module *m = b->k->m;
    const struct expr *reduce = b->nest->reduce, *body = reduce->in[0];
    int vars = b->r.vars;
    struct segment wide = wide_columns(columns);
    struct tile_loops t = tile_loops_new(m, rows, &wide);
    affine_ref at[2] = {of_var(m, t.row), t.column};
    struct var *k[MAX_RANK];
    for (int i = 0; i < reduce->vars; i++) {
        bool last = i == reduce->vars - 1;
        int64_t at_once = last ? 2 * build_step_terms(b, &wide) : 1;
        k[i] = var_new(m, reduce->var[i]->name, reduce->var[i]->extent / at_once);
        affine_ref term = scaled(m, k[i], last ? 2 : 1);
        if (last)
            term = affine_add(m->arena, term, affine_mod(m->arena, t.column, 2));
        t.pair = last ? tile_pair(b, &wide, &term) : NULL;
        rewriter_map(&b->r, reduce->var[i], term);
    }
    tile_enter_element(b, origin, at[0], affine_div(m->arena, t.column, 2));
    const struct expr *value = expr_op(m, SCALAR_fma, rewrite_expr(&b->r, body->in[0]),
                                       rewrite_expr(&b->r, body->in[1]), expr_load(m, acc, at));
    struct stmt *stmt = tile_wrap(m, &t, stmt_store(m, acc, at, value));
    for (int i = reduce->vars - 1; i >= 0; i--)
        stmt = stmt_for(m, k[i], LOOP_SERIAL, stmt);
    b->r.vars = vars;
    return stmt;
}

/* Adds the halves of `rows` rows from `first` on, `together` of them in a vector. */
static struct stmt *finish(struct nest_build *b, const struct origin *origin, int64_t first,
                           int64_t rows, int64_t together, const struct segment *columns,
                           struct buffer *acc)
{
    struct module *m = b->k->m;
    struct arena *arena = m->arena;
    const struct expr *reduce = b->nest->reduce, *half[2];
    int vars = b->r.vars;
    struct segment lanes = {0, together * columns->size, 1, together * columns->size, 0};
    struct tile_loops t = tile_loops_new(m, rows / together, &lanes);
    affine_ref row = affine_scale(arena, of_var(m, t.row), together);
    row = affine_add(arena, row, affine_div(arena, t.column, columns->size));
    row = affine_offset(arena, row, first);
    affine_ref column = affine_mod(arena, t.column, columns->size);
    for (int i = 0; i < 2; i++) {
        affine_ref at[2] = {row, affine_offset(arena, affine_scale(arena, column, 2), i)};
        half[i] = expr_load(m, acc, at);
    }
    const struct expr *sum = expr_op(m, SCALAR_add, half[0], half[1], NULL);
    if (reduce->in[1])
        sum = expr_op(m, SCALAR_add, reduce->in[1], sum, NULL);
    tile_enter_element(b, origin, row, column);
    /* the halves are in new variables already */
    sum = rewrite_expr(&b->r, expr_replace(m, b->nest->loops.store->value, reduce, sum));
    struct stmt *stmt = tile_wrap(m, &t, build_store(b, sum));
    b->r.vars = vars;
    return stmt;
}

struct stmt *halves_tile(struct nest_build *b, const struct origin *origin, int64_t rows,
                         const struct segment *columns)
{
    struct module *m = b->k->m;
    struct buffer *acc = build_accumulators(b->k, SHAPE(rows, 2 * columns->size));
    struct segment wide = wide_columns(columns);
    struct tile_loops t = tile_loops_new(m, rows, &wide);
    affine_ref at[2] = {of_var(m, t.row), t.column};
    struct stmt *stmt = tile_wrap(m, &t, stmt_store(m, acc, at, expr_constant(m, 0)));
    stmt_append(&stmt, accumulate(b, origin, rows, columns, acc));
    /* rows of one pixel are consecutive in memory, so two of them fill a vector */
    int64_t together = b->pixels_are_rows || rows == 1 ? 1 : 2, rest = rows % together;
    stmt_append(&stmt, finish(b, origin, 0, rows - rest, together, columns, acc));
    if (rest)
        stmt_append(&stmt, finish(b, origin, rows - rest, rest, 1, columns, acc));
    return stmt;
}
