/* Prefetches of nests that fetch ahead (`ahead 0` in a schedule):
 *
 *   for i in 14 unroll
 *     prefetch x[14*r + i, 32*b]                 ; what the sums are added to when they are done
 *   for k in 256 {
 *     prefetch w[(b + 1) mod 8, (k div 2 + 128*r), 16*(k mod 2)] ; the next block of weights
 *     acc[i, c] = fma(a[14*r + i, k], w[b, k, c], acc[i, c])
 *   }
 *
 * A network's weights are used once per run, and a processor waits for memory where they are
 * missing. Rows of a map lie a page apart, which no processor predicts. The lines of the next block
 * are spread evenly over the steps of the current block: a burst of them would delay the
 * arithmetic. */
#include "build_fetch.h"
#include "build_tile.h"
#include "units.h"

enum { LINE_BYTES = 64, LINE = 16 /* floats of a cache line */ };

static const struct expr *column_factor(const struct nest_build *b)
{
    const struct expr *row = b->nest->row_factor;
    const struct expr *body = b->nest->reduce ? b->nest->reduce->in[0] : NULL;
    return !row ? NULL : body->in[0] == row ? body->in[1] : body->in[0];
}

struct stmt *fetch_weights(struct nest_build *b, const struct ahead *next)
{
    const struct expr *factor = column_factor(b);
    struct arena *arena = b->k->m->arena;
    struct stmt *all = NULL;
    int vars = b->r.vars;
    if (!factor || factor->op != SCALAR_load || factor->buffer->place != PLACE_WEIGHTS)
        return NULL;
    int64_t together = weights_together(factor->buffer);
    int64_t line_of = LINE_BYTES / dtype_bytes[factor->buffer->dtype] / together;
    int64_t across = next->columns > line_of ? next->columns / line_of : 1;
    int64_t lines = next->depth / together * across;
    int64_t times = (lines + next->steps - 1) / next->steps;
    int64_t wait = next->steps > lines ? next->steps / lines : 1;
    affine_ref first = affine_scale(arena, affine_div(arena, next->step, wait), times);
    for (int64_t i = 0; i < times; i++) {
        affine_ref line = affine_mod(arena, affine_offset(arena, first, i), lines);
        affine_ref column = affine_scale(arena, affine_mod(arena, line, across), line_of);
        affine_ref row = affine_scale(arena, affine_div(arena, line, across), together);
        rewriter_map(&b->r, b->nest->reduce->var[0], affine_add(arena, next->k, row));
        rewriter_map(&b->r, nest_column(b->nest), affine_add(arena, next->column, column));
        stmt_append(&all, stmt_prefetch(b->k->m, rewrite_expr(&b->r, factor)));
        b->r.vars = vars;
    }
    return all;
}

affine_ref fetch_next_block(const struct nest_build *b, affine_ref block, int64_t count)
{
    struct arena *arena = b->k->m->arena;
    affine_ref next = affine_add(arena, affine_scale(arena, b->groups.number, count), block);
    return affine_mod(arena, affine_offset(arena, next, 1), b->groups.count * count);
}

struct fetch {
    struct nest_build *b;
    const struct origin *origin;
    int64_t rows, columns;
    struct stmt *all;
};

/* Prefetches a load in a result, other than those of its sum's terms, if it is from memory. */
static void fetch_load(struct fetch *f, const struct expr *load)
{
    struct nest_build *b = f->b;
    struct module *m = b->k->m;
    const struct segment one = {0, 1, 1, 1, 0};
    const struct kernel_nest *s = b->nest;
    if (load->buffer->place != PLACE_WORKSPACE || !nest_has_columns(s) ||
        !expr_uses_var(load, nest_column(s)))
        return;
    for (int64_t at = 0; at < f->columns; at += LINE) {
        int vars = b->r.vars;
        struct tile_loops t = tile_loops_new(m, f->rows, &one);
        struct origin origin = *f->origin;
        origin.column = affine_offset(m->arena, origin.column, at);
        tile_enter(b, &origin, &t);
        struct stmt *stmt = stmt_prefetch(m, rewrite_expr(&b->r, load));
        stmt_append(&f->all, tile_wrap(m, &t, stmt));
        b->r.vars = vars;
    }
}

static void fetch_loads(struct fetch *f, const struct expr *expr)
{
    if (expr == f->b->nest->reduce) {
        if (expr->in[1])
            fetch_loads(f, expr->in[1]);
        return;
    }
    if (expr->op == SCALAR_load)
        fetch_load(f, expr);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            fetch_loads(f, expr->in[i]);
}

struct stmt *fetch_operands(struct nest_build *b, const struct origin *origin, int64_t rows,
                            int64_t columns)
{
    struct fetch f = {b, origin, rows, columns, NULL};
    fetch_loads(&f, b->nest->loops.store->value);
    return f.all;
}
