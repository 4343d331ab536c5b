/* Nests whose reduction is too deep for L1, in blocks:
 *
 *   for n in 1, y in 14, x in 14, c in 384
 *     out[n, y, x, c] = sum k in 1024 (a[n, y, x, k] * w[c div 32, k, c mod 32])
 *   schedule "x86-64-v4" {
 *     tile 28
 *     nest 0 rows 14 columns 32 vector 16
 *     depth 0 128
 *   }
 * =>
 *   rows : stack f32[8, 28, 128]
 *   part : stack f32[28, 32]
 *   for t in 7 parallel {
 *     rows[k div 128, p, k mod 128] = a[0, .., k]    ; for all p, k
 *     for b in 12 {
 *       part[p, c] = 0
 *       for d in 8, r in 2 {
 *         acc[i, c] = part[14*r + i, c]
 *         for k in 128
 *           acc[i, c] = fma(rows[d, 14*r + i, k], w[b, 128*d + k, c], acc[i, c])
 *         part[14*r + i, c] = acc[i, c]
 *       }
 *       out[0, .., 32*b + c] = part[p, c]
 *     }
 *   }
 *
 * A block of a panel of weights stays in L1 while all rows use it. The rows of a block are
 * consecutive in memory; a page apart, they would fall into one set of the cache. Rows that are the
 * channels of a tile get that layout where they are computed.
 *
 * Sums are added in the same order as without blocks, so the results are the same bits. */
#include "build_depth.h"
#include "build_fetch.h"
#include "build_tile.h"
#include "rounding.h"

/* What the blocks of one nest share. */
struct blocks {
    struct nest_build *b;
    struct segment panel; /* the columns that all rows and all of the depth are computed for */
    struct buffer *rows, *part; /* rows: NULL where a tile of the kernel has the layout */
    const struct expr *factor;  /* the factor that the rows are made of */
    int64_t depth;              /* in all */
    struct var *block;          /* which panel */
};

struct stmt *depth_copy_rows(struct nest_build *b, int64_t rows, int64_t depth, int64_t lanes,
                             struct buffer **copy)
{
    struct kernel_build *to = b->k;
    struct module *m = to->m;
    struct arena *arena = m->arena;
    int vars = b->r.vars;
    const struct expr *factor = b->nest->row_factor;
    const struct var *of = b->nest->reduce->var[0];
    struct var *p = var_new(m, "p", rows), *d = var_new(m, "d", of->extent / depth);
    *copy = buffer_new(m, &to->to->locals, arena_printf(arena, "rows%d", to->accumulators),
                       PLACE_STACK, SHAPE(of->extent / depth, rows, depth));
    (*copy)->dtype = expr_is_bf16(factor) ? DTYPE_BF16 : DTYPE_F32;
    struct var *group = var_new(m, "b", depth / lanes), *lane = var_new(m, "v", lanes);
    struct segment one = {0, 1, 1, 1, 0};
    struct tile_loops t = tile_loops_new(m, 1, &one);
    struct origin origin = {.row = of_var(m, p), .column = affine_constant(arena, 0), .flat = true};
    tile_enter(b, &origin, &t);
    affine_ref k = affine_add(arena, affine_scale(arena, of_var(m, group), lanes), of_var(m, lane));
    rewriter_map(&b->r, of, affine_add(arena, affine_scale(arena, of_var(m, d), depth), k));
    affine_ref at[3] = {of_var(m, d), of_var(m, p), k};
    struct stmt *stmt = stmt_store(m, *copy, at, rewrite_expr(&b->r, factor));
    b->r.vars = vars;
    stmt = stmt_for(m, group, LOOP_SERIAL, stmt_for(m, lane, LOOP_VECTOR, stmt));
    return stmt_for(m, p, LOOP_SERIAL, stmt_for(m, d, LOOP_SERIAL, stmt));
}

/* A loop over the rows of a panel: `begin` sets their sums to the initial value, else it stores the
 * results. */
static struct stmt *each_row(struct blocks *s, int64_t rows, affine_ref column, bool begin)
{
    struct nest_build *b = s->b;
    struct module *m = b->k->m;
    int vars = b->r.vars;
    struct var *p = var_new(m, "p", rows);
    struct tile_loops t = tile_loops_new(m, 1, &s->panel);
    struct origin origin = {.row = of_var(m, p), .column = column, .flat = true};
    tile_enter(b, &origin, &t);
    affine_ref at[2] = {of_var(m, p), t.column};
    struct stmt *stmt;
    if (begin)
        stmt = stmt_store(m, s->part, at, build_initial(b));
    else
        stmt = build_store(b, build_final(b, expr_load(m, s->part, at)));
    b->r.vars = vars;
    return stmt_for(m, p, LOOP_SERIAL, tile_wrap(m, &t, stmt));
}

/* acc = part, or part = acc. */
static struct stmt *move_tile(struct blocks *s, const struct segment *rows,
                              const struct segment *columns, struct buffer *acc,
                              const struct origin *tile, bool load)
{
    struct module *m = s->b->k->m;
    struct tile_loops t = tile_sum_loops(s->b, rows->size, columns);
    affine_ref in_tile[SUM_RANK];
    tile_sum_index(m, &t, in_tile);
    affine_ref in_part[2] = {affine_add(m->arena, tile->row, t.at_row),
                             affine_add(m->arena, tile->column, t.column)};
    return tile_wrap(m, &t,
                     load ? stmt_store(m, acc, in_tile, expr_load(m, s->part, in_part))
                          : stmt_store(m, s->part, in_part, expr_load(m, acc, in_tile)));
}

/* Prefetches the next block of weights: the next in depth, or the first of the next panel. */
static struct stmt *fetch_next(struct blocks *s, struct var *d, struct var *k,
                               const struct origin *tile)
{
    struct module *m = s->b->k->m;
    struct arena *arena = m->arena;
    int64_t blocks = d->extent;
    affine_ref next =
        affine_add(arena, affine_scale(arena, of_var(m, s->block), blocks), of_var(m, d));
    next = fetch_next_block(s->b, next, blocks * s->panel.count);
    affine_ref panel = affine_scale(arena, affine_div(arena, next, blocks), s->panel.size);
    affine_ref deep = affine_scale(arena, affine_mod(arena, next, blocks), s->b->plan->depth);
    panel = affine_add(arena, panel, s->b->groups.base);
    struct ahead ahead = {
        .k = deep, .column = panel, .depth = s->b->plan->depth, .columns = s->panel.size};
    ahead.step = affine_add(arena, affine_scale(arena, tile->block, k->extent), of_var(m, k));
    ahead.steps = tile->blocks * k->extent;
    return fetch_weights(s->b, &ahead);
}

/* One register tile, for one block of the depth. It is at `tile` within the panel that begins at
 * `panel`. */
static struct stmt *block_tile(struct blocks *s, struct var *d, const struct segment *rows,
                               const struct segment *columns, affine_ref panel,
                               const struct origin *tile)
{
    struct nest_build *b = s->b;
    struct module *m = b->k->m;
    const struct expr *body = b->nest->reduce->in[0];
    struct buffer *acc = tile_registers(b, rows->size, columns);
    struct stmt *stmt = move_tile(s, rows, columns, acc, tile, true);
    int vars = b->r.vars;
    int64_t depth = s->b->plan->depth;
    int64_t steps = depth / build_step_terms(b, columns);
    int64_t unrolled = build_steps_at_once(b, steps, rows->size, columns);
    struct var *k = var_new(m, "k", steps / unrolled), *u = var_new(m, "u", unrolled);
    affine_ref term = affine_add(m->arena, scaled(m, k, unrolled), of_var(m, u));
    struct tile_loops t = tile_sum_loops(b, rows->size, columns);
    t.pair = tile_pair(b, columns, &term);
    struct origin origin = *tile;
    origin.column = affine_add(m->arena, panel, tile->column);
    tile_enter(b, &origin, &t);
    rewriter_map(&b->r, b->nest->reduce->var[0], affine_add(m->arena, scaled(m, d, depth), term));
    affine_ref at[SUM_RANK];
    tile_sum_index(m, &t, at);
    affine_ref packed[3] = {of_var(m, d), affine_add(m->arena, tile->row, t.at_row), term};
    const struct expr *factor[2];
    for (int i = 0; i < 2; i++)
        factor[i] = s->rows && body->in[i] == s->factor ? expr_load(m, s->rows, packed)
                                                        : rewrite_expr(&b->r, body->in[i]);
    bool swap = b->tile_terms && body->in[1] == s->factor;
    const struct expr *sum =
        expr_op(m, SCALAR_fma, factor[swap], factor[!swap], expr_load(m, acc, at));
    b->r.vars = vars;
    struct stmt *inside = NULL;
    if (s->b->plan->ahead) {
        stmt_append(&stmt, fetch_operands(b, &origin, rows->size, columns->size));
        inside = fetch_next(s, d, k, tile);
    }
    stmt_append(&inside,
                build_loop(m, u, LOOP_UNROLL, tile_wrap(m, &t, stmt_store(m, acc, at, sum))));
    stmt_append(&stmt, stmt_for(m, k, LOOP_SERIAL, inside));
    stmt_append(&stmt, move_tile(s, rows, columns, acc, tile, false));
    return stmt;
}

/* All rows of a panel, over the whole depth. */
static struct stmt *all_blocks(struct blocks *s, int64_t rows, affine_ref panel)
{
    struct module *m = s->b->k->m;
    struct arena *arena = m->arena;
    struct segment row[MAX_SEGMENTS];
    struct segment column = {0, s->b->plan->columns, s->panel.size / s->b->plan->columns,
                             s->b->plan->lanes, 0};
    struct var *d = var_new(m, "d", s->depth / s->b->plan->depth);
    struct stmt *inside = NULL;
    int segments = tile_row_segments(s->b, rows, row);
    int64_t blocks = row[segments - 1].first + row[segments - 1].count;
    for (int i = 0; i < segments; i++) {
        struct var *r = var_new(m, "r", row[i].count), *c = var_new(m, "c", column.count);
        affine_ref block = affine_offset(arena, of_var(m, r), row[i].first);
        struct origin tile = {.flat = true, .blocks = blocks * column.count};
        tile.row =
            affine_offset(arena, affine_scale(arena, of_var(m, r), row[i].size), row[i].begin);
        tile.column = affine_scale(arena, of_var(m, c), column.size);
        tile.block = affine_add(arena, affine_scale(arena, block, column.count), of_var(m, c));
        struct stmt *stmt = block_tile(s, d, &row[i], &column, panel, &tile);
        if (c->extent > 1)
            stmt = stmt_for(m, c, LOOP_SERIAL, stmt);
        stmt_append(&inside, r->extent > 1 ? stmt_for(m, r, LOOP_SERIAL, stmt) : stmt);
    }
    return stmt_for(m, d, LOOP_SERIAL, inside);
}

struct stmt *depth_nest(struct nest_build *b, int64_t rows, int64_t columns)
{
    const struct nest_plan *plan = b->plan;
    struct kernel_build *to = b->k;
    struct module *m = to->m;
    int64_t width = plan->columns > PANEL ? plan->columns : PANEL;
    struct blocks s = {.b = b, .panel = {0, width, columns / width, plan->lanes, 0}};
    s.factor = b->nest->row_factor;
    s.depth = b->nest->reduce->var[0]->extent;
    struct stmt *stmt = NULL;
    if (!nest_row_local(b->nest))
        stmt = depth_copy_rows(b, rows, plan->depth, plan->lanes, &s.rows);
    s.part = buffer_new(m, &to->to->locals, arena_printf(m->arena, "part%d", to->accumulators),
                        PLACE_STACK, SHAPE(rows, width));
    struct var *block = s.block = var_new(m, "b", s.panel.count);
    affine_ref panel =
        affine_add(m->arena, affine_scale(m->arena, of_var(m, block), width), b->first_column);
    struct stmt *inside = each_row(&s, rows, panel, true);
    stmt_append(&inside, all_blocks(&s, rows, panel));
    stmt_append(&inside, each_row(&s, rows, panel, false));
    stmt_append(&stmt, block->extent > 1 ? stmt_for(m, block, LOOP_SERIAL, inside) : inside);
    return stmt;
}
