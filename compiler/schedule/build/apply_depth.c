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
 * A block of a panel of weights is in L1 while all rows go by, and the rows of a block lie together
 * in memory instead of a page apart, which would fall into one set of the cache. Rows that are a
 * tile's channels already get that layout where they are made.
 *
 * Sums are added in the same order as without blocks, so the results are the same bits. */
#include "apply.h"
#include <string.h>

const struct expr *stage_row_factor(const struct kernel_stage *stage, int pixels,
                                    struct var *const *pixel)
{
    const struct expr *reduce = stage->reduce;
    if (!reduce || reduce->op != SCALAR_sum || reduce->vars != 1 ||
        reduce->in[0]->op != SCALAR_mul || stage->rows + 1 != stage->nest.vars)
        return NULL;
    const struct var *column = stage->nest.var[stage->rows];
    for (int i = 0; i < 2; i++) {
        const struct expr *row = reduce->in[0]->in[i], *other = reduce->in[0]->in[1 - i];
        bool apart = !expr_uses_var(row, column) && !expr_has_reduce(row);
        for (int v = 0; v < stage->rows; v++)
            apart = apart && !expr_uses_var(other, stage->nest.var[v]);
        for (int v = 0; v < pixels; v++)
            apart = apart && !expr_uses_var(other, pixel[v]);
        if (apart && !expr_uses_var(row, column) && expr_uses_var(other, column))
            return row;
    }
    return NULL;
}

struct buffer *stage_row_tile(const struct kernel_stage *stage, const struct expr *factor)
{
    const struct affine *k;
    if (factor->op != SCALAR_load || factor->buffer->place != PLACE_STACK ||
        factor->buffer->shape.rank != 1)
        return NULL;
    k = factor->index[0];
    bool plain = k->count == 1 && !k->constant && k->term[0].kind == TERM_VAR &&
                 k->term[0].factor == 1 && k->term[0].var == stage->reduce->var[0] &&
                 k->term[0].var->extent == factor->buffer->shape.dim[0];
    return plain ? factor->buffer : NULL;
}

/* What the blocks of one nest share. */
struct blocks {
    struct building *b;
    const struct nest_plan *plan;
    struct segment panel;       /* the columns that stay for all rows and all of the depth */
    struct buffer *rows, *part; /* rows: NULL where a tile of the kernel has the layout */
    const struct expr *factor;  /* of the rows */
    int64_t depth;              /* in all */
    struct var *block;          /* which panel */
};

static affine_ref of_var(struct blocks *s, struct var *var)
{
    return affine_var(s->b->a->m->arena, var);
}

/* Copies the rows into a tile of their own. */
static struct stmt *copy_rows(struct blocks *s, int64_t rows)
{
    struct building *b = s->b;
    struct module *m = b->a->m;
    struct arena *arena = m->arena;
    int vars = b->r.vars;
    int64_t depth = s->plan->depth, lanes = s->plan->lanes;
    struct var *p = var_new(m, "p", rows), *d = var_new(m, "d", s->depth / depth);
    struct var *group = var_new(m, "b", depth / lanes), *lane = var_new(m, "v", lanes);
    struct segment one = {0, 1, 1, 1, 0};
    struct tile_loops t = tile_loops(m, 1, &one);
    struct origin origin = {.row = of_var(s, p), .column = affine_constant(arena, 0), .flat = true};
    enter_tile(b, &origin, &t);
    affine_ref k = affine_add(arena, affine_scale(arena, of_var(s, group), lanes), of_var(s, lane));
    rewriter_map(&b->r, b->stage->reduce->var[0],
                 affine_add(arena, affine_scale(arena, of_var(s, d), depth), k));
    affine_ref at[3] = {of_var(s, d), of_var(s, p), k};
    struct stmt *stmt = stmt_store(m, s->rows, at, rewrite_expr(&b->r, s->factor));
    b->r.vars = vars;
    stmt = stmt_for(m, group, LOOP_SERIAL, stmt_for(m, lane, LOOP_VECTOR, stmt));
    return stmt_for(m, p, LOOP_SERIAL, stmt_for(m, d, LOOP_SERIAL, stmt));
}

/* One row of a panel at a time: `begin` it with what the sums begin from, or end it. */
static struct stmt *each_row(struct blocks *s, int64_t rows, affine_ref column, bool begin)
{
    struct building *b = s->b;
    struct module *m = b->a->m;
    const struct expr *reduce = b->stage->reduce;
    int vars = b->r.vars;
    struct var *p = var_new(m, "p", rows);
    struct tile_loops t = tile_loops(m, 1, &s->panel);
    struct origin origin = {.row = of_var(s, p), .column = column, .flat = true};
    enter_tile(b, &origin, &t);
    affine_ref at[2] = {of_var(s, p), t.column};
    struct stmt *stmt;
    if (begin)
        stmt = stmt_store(m, s->part, at,
                          reduce->in[1] ? rewrite_expr(&b->r, reduce->in[1]) : expr_constant(m, 0));
    else
        stmt = store_of(b, rewrite_expr(&b->r, expr_replace(m, b->stage->nest.store->value, reduce,
                                                            expr_load(m, s->part, at))));
    b->r.vars = vars;
    return stmt_for(m, p, LOOP_SERIAL, wrap_tile(m, &t, stmt));
}

/* acc = part, or part = acc. */
static struct stmt *move_tile(struct blocks *s, const struct segment *rows,
                              const struct segment *columns, struct buffer *acc,
                              const struct origin *tile, bool load)
{
    struct module *m = s->b->a->m;
    struct tile_loops t = tile_loops(m, rows->size, columns);
    affine_ref in_tile[2] = {of_var(s, t.row), t.column};
    affine_ref in_part[2] = {affine_add(m->arena, tile->row, in_tile[0]),
                             affine_add(m->arena, tile->column, t.column)};
    return wrap_tile(m, &t,
                     load ? stmt_store(m, acc, in_tile, expr_load(m, s->part, in_part))
                          : stmt_store(m, s->part, in_part, expr_load(m, acc, in_tile)));
}

/* Prefetches of the block of weights behind this one: deeper, or of the next panel. */
static struct stmt *fetch_next(struct blocks *s, struct var *d, struct var *k,
                               const struct origin *tile)
{
    struct arena *arena = s->b->a->m->arena;
    int64_t blocks = d->extent;
    affine_ref next =
        affine_add(arena, affine_scale(arena, of_var(s, s->block), blocks), of_var(s, d));
    next = block_behind(s->b, next, blocks * s->panel.count);
    affine_ref panel = affine_scale(arena, affine_div(arena, next, blocks), s->panel.size);
    affine_ref deep = affine_scale(arena, affine_mod(arena, next, blocks), s->plan->depth);
    panel = affine_add(arena, panel, s->b->groups.base);
    struct ahead ahead = {.k = deep, .column = panel, .depth = k->extent, .columns = s->panel.size};
    ahead.step = affine_add(arena, affine_scale(arena, tile->block, k->extent), of_var(s, k));
    ahead.steps = tile->blocks * k->extent;
    return fetch_weights(s->b, &ahead);
}

/* One register tile through one block of the depth. It stands at `tile` within the panel that begins at
 * `panel`. */
static struct stmt *block_tile(struct blocks *s, struct var *d, const struct segment *rows,
                               const struct segment *columns, affine_ref panel,
                               const struct origin *tile)
{
    struct building *b = s->b;
    struct module *m = b->a->m;
    const struct expr *body = b->stage->reduce->in[0];
    struct buffer *acc = new_accumulators(b->a, rows->size, columns->size);
    struct stmt *stmt = move_tile(s, rows, columns, acc, tile, true);
    int vars = b->r.vars;
    struct var *k = var_new(m, "k", s->plan->depth);
    struct tile_loops t = tile_loops(m, rows->size, columns);
    struct origin origin = *tile;
    origin.column = affine_add(m->arena, panel, tile->column);
    affine_ref deep = affine_scale(m->arena, of_var(s, d), s->plan->depth);
    enter_tile(b, &origin, &t);
    rewriter_map(&b->r, b->stage->reduce->var[0], affine_add(m->arena, deep, of_var(s, k)));
    affine_ref at[2] = {of_var(s, t.row), t.column};
    affine_ref packed[3] = {of_var(s, d), affine_add(m->arena, tile->row, at[0]), of_var(s, k)};
    const struct expr *factor[2];
    for (int i = 0; i < 2; i++)
        factor[i] = s->rows && body->in[i] == s->factor ? expr_load(m, s->rows, packed)
                                                        : rewrite_expr(&b->r, body->in[i]);
    const struct expr *sum = expr_op(m, SCALAR_fma, factor[0], factor[1], expr_load(m, acc, at));
    b->r.vars = vars;
    struct stmt *inside = NULL;
    if (s->plan->ahead) {
        stmt_append(&stmt, fetch_operands(b, &origin, rows->size, columns->size));
        inside = fetch_next(s, d, k, tile);
    }
    stmt_append(&inside, wrap_tile(m, &t, stmt_store(m, acc, at, sum)));
    stmt_append(&stmt, stmt_for(m, k, LOOP_SERIAL, inside));
    stmt_append(&stmt, move_tile(s, rows, columns, acc, tile, false));
    return stmt;
}

/* All rows of a panel through all of the depth. */
static struct stmt *all_blocks(struct blocks *s, int64_t rows, affine_ref panel)
{
    struct module *m = s->b->a->m;
    struct arena *arena = m->arena;
    struct segment row[MAX_SEGMENTS];
    struct segment column = {0, s->plan->columns, s->panel.size / s->plan->columns, s->plan->lanes,
                             0};
    struct var *d = var_new(m, "d", s->depth / s->plan->depth);
    struct stmt *inside = NULL;
    int segments = segments_of_rows(rows, s->plan->rows, row);
    int64_t blocks = row[segments - 1].first + row[segments - 1].count;
    for (int i = 0; i < segments; i++) {
        struct var *r = var_new(m, "r", row[i].count), *c = var_new(m, "c", column.count);
        affine_ref block = affine_offset(arena, of_var(s, r), row[i].first);
        struct origin tile = {.flat = true, .blocks = blocks * column.count};
        tile.row =
            affine_offset(arena, affine_scale(arena, of_var(s, r), row[i].size), row[i].begin);
        tile.column = affine_scale(arena, of_var(s, c), column.size);
        tile.block = affine_add(arena, affine_scale(arena, block, column.count), of_var(s, c));
        struct stmt *stmt = block_tile(s, d, &row[i], &column, panel, &tile);
        if (c->extent > 1)
            stmt = stmt_for(m, c, LOOP_SERIAL, stmt);
        stmt_append(&inside, r->extent > 1 ? stmt_for(m, r, LOOP_SERIAL, stmt) : stmt);
    }
    return stmt_for(m, d, LOOP_SERIAL, inside);
}

struct stmt *depth_nest(struct building *b, const struct nest_plan *plan, int64_t rows,
                        int64_t columns)
{
    struct application *a = b->a;
    struct module *m = a->m;
    int64_t width = plan->columns > PANEL ? plan->columns : PANEL;
    struct blocks s = {.b = b, .plan = plan, .panel = {0, width, columns / width, plan->lanes, 0}};
    s.factor = stage_row_factor(b->stage, a->pixels, a->pixel);
    s.depth = b->stage->reduce->var[0]->extent;
    struct stmt *stmt = NULL;
    if (!stage_row_tile(b->stage, s.factor)) {
        s.rows = buffer_new(m, &a->to->locals, arena_printf(m->arena, "rows%d", a->accumulators),
                            PLACE_STACK, SHAPE(s.depth / plan->depth, rows, plan->depth));
        stmt = copy_rows(&s, rows);
    }
    s.part = buffer_new(m, &a->to->locals, arena_printf(m->arena, "part%d", a->accumulators),
                        PLACE_STACK, SHAPE(rows, width));
    struct var *block = s.block = var_new(m, "b", s.panel.count);
    affine_ref panel =
        affine_add(m->arena, affine_scale(m->arena, of_var(&s, block), width), b->first_column);
    struct stmt *inside = each_row(&s, rows, panel, true);
    stmt_append(&inside, all_blocks(&s, rows, panel));
    stmt_append(&inside, each_row(&s, rows, panel, false));
    stmt_append(&stmt, block->extent > 1 ? stmt_for(m, block, LOOP_SERIAL, inside) : inside);
    return stmt;
}
