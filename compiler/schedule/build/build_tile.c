/* Register tiles. Where AMX multiplies, their sums are in registers of its own, of up to 16 rows and
 * columns, and come from memory and go there as a whole:
 *
 *   for i in 2 unroll, g in 2 unroll, m in 14 matrix, v in 16 matrix
 *     acc[i, g, m, v] = bias[32*b + 16*g + v]
 *   for k in 4, i in 2 unroll, g in 2 unroll, m in 14 matrix, v in 16 matrix, d in 32 matrix
 *     acc[i, g, m, v] = fma(a[.., 14*i + m, 32*k + d], w[b, 16*k + d div 2, 16*g + v, d mod 2], ..)
 *   for i in 2 unroll, g in 2 unroll, m in 14 matrix, v in 16 matrix
 *     sums[14*i + m, 16*g + v] = acc[i, g, m, v]
 *   for i in 28 unroll, g in 2 unroll, v in 16 vector
 *     out[.., 32*b + 16*g + v] = max(sums[i, 16*g + v], 0)
 *
 * What ends as it lies in memory needs no copy in `sums`. Sums begin with what lies so, else with 0:
 * then it is added when they are done. */
#include "build_tile.h"

struct tile_loops tile_loops_new(struct module *m, int64_t rows, const struct segment *columns)
{
    struct tile_loops t = {.row = var_new(m, "i", rows),
                           .group = var_new(m, "g", columns->size / columns->lanes),
                           .lane = var_new(m, "v", columns->lanes)};
    t.at_row = of_var(m, t.row);
    t.column = affine_add(m->arena, affine_scale(m->arena, of_var(m, t.group), columns->lanes),
                          of_var(m, t.lane));
    return t;
}

struct tile_loops tile_sum_loops(const struct nest_build *b, int64_t rows,
                                 const struct segment *columns)
{
    struct module *m = b->k->m;
    struct tile_loops t = tile_loops_new(m, rows, columns);
    if (!build_in_tiles(b, columns))
        return t;
    int64_t tiles = segments_tiles(rows, b->tile_height);
    t.row = var_new(m, "i", tiles);
    t.within = var_new(m, "m", rows / tiles);
    t.at_row = affine_add(m->arena, scaled(m, t.row, t.within->extent), of_var(m, t.within));
    return t;
}

struct buffer *tile_registers(const struct nest_build *b, int64_t rows,
                              const struct segment *columns)
{
    if (!build_in_tiles(b, columns))
        return build_accumulators(b->k, SHAPE(rows, columns->size));
    int64_t tiles = segments_tiles(rows, b->tile_height);
    struct shape shape = SHAPE(tiles, columns->size / columns->lanes, rows / tiles, columns->lanes);
    return build_accumulators(b->k, shape);
}

void tile_sum_index(struct module *m, const struct tile_loops *t, affine_ref at[SUM_RANK])
{
    at[0] = t->within ? of_var(m, t->row) : t->at_row;
    at[1] = t->within ? of_var(m, t->group) : t->column;
    at[2] = t->within ? of_var(m, t->within) : NULL;
    at[3] = t->within ? of_var(m, t->lane) : NULL;
}

struct var *tile_pair(const struct nest_build *b, const struct segment *columns, affine_ref *term)
{
    struct module *m = b->k->m;
    int64_t terms = build_step_terms(b, columns);
    if (terms == 1)
        return NULL;
    struct var *pair = var_new(m, "d", terms);
    *term = affine_add(m->arena, affine_scale(m->arena, *term, terms), of_var(m, pair));
    return pair;
}

/* The loops over AMX's tiles, and those in each. */
static struct stmt *wrap_tiles(struct module *m, const struct tile_loops *t, struct stmt *stmt)
{
    if (t->pair)
        stmt = stmt_for(m, t->pair, LOOP_MATRIX, stmt);
    return stmt_for(m, t->within, LOOP_MATRIX, stmt_for(m, t->lane, LOOP_MATRIX, stmt));
}

struct stmt *tile_wrap(struct module *m, const struct tile_loops *t, struct stmt *stmt)
{
    if (!t->pair && !t->within)
        return build_tile_loops(m, t->row, t->group, t->lane, stmt);
    stmt = t->within ? wrap_tiles(m, t, stmt)
                     : stmt_for(m, t->pair, LOOP_MATRIX, build_loop(m, t->lane, LOOP_VECTOR, stmt));
    return build_loop(m, t->row, LOOP_UNROLL, build_loop(m, t->group, LOOP_UNROLL, stmt));
}

/* Maps the nest's row variables to row number `row`: of one pixel's rows, or, where the tile's
 * pixels are rows too, of all of them, flattened. Where pixels are columns, all variables are
 * rows. */
static void map_rows(struct nest_build *b, affine_ref row)
{
    struct arena *arena = b->k->m->arena;
    const struct kernel_nest *nest = b->nest;
    for (int i = (b->pixels_are_columns ? nest->loops.vars : nest->rows) - 1; i >= 0; i--) {
        int64_t extent = nest->loops.var[i]->extent;
        bool first = i == 0 && !b->pixels_are_rows;
        rewriter_map(&b->r, nest->loops.var[i], first ? row : affine_mod(arena, row, extent));
        row = affine_div(arena, row, extent);
    }
    if (b->pixels_are_rows)
        build_map_pixel(b, row);
}

void tile_enter_element(struct nest_build *b, const struct origin *origin, affine_ref row,
                        affine_ref column)
{
    struct arena *arena = b->k->m->arena;
    const struct kernel_nest *nest = b->nest;
    if (b->pixels_are_columns)
        build_map_pixel(b, affine_add(arena, origin->column, column));
    else if (nest_has_columns(nest))
        rewriter_map(&b->r, nest_column(nest), affine_add(arena, origin->column, column));
    if (origin->flat)
        map_rows(b, affine_add(arena, origin->row, row));
}

void tile_enter(struct nest_build *b, const struct origin *origin, const struct tile_loops *t)
{
    tile_enter_element(b, origin, t->at_row, t->column);
}

/* ---- sums in tiles --------------------------------------------------------------------------- */

static struct buffer *memory_of(struct nest_build *b, struct tile_sums *sums, int64_t rows,
                                const struct segment *columns)
{
    struct kernel_build *k = b->k;
    if (!sums->memory)
        sums->memory = buffer_new(k->m, &k->to->locals,
                                  arena_printf(k->m->arena, "sums%d", k->accumulators - 1),
                                  PLACE_STACK, SHAPE(rows, columns->size));
    return sums->memory;
}

/* Whether AMX can load a tile of these elements: neighbours by one variable, equally far apart by
 * the other. */
static bool is_tile(struct module *m, const struct expr *load, const struct var *row,
                    const struct var *inside)
{
    int64_t step, one;
    const struct affine *flat = affine_linearize(m->arena, &load->buffer->shape, load->index);
    return affine_step(flat, row, &step) && step >= 0 && affine_step(flat, inside, &one) &&
           one == 1;
}

static bool may_begin(struct module *m, const struct expr *value, const struct tile_loops *t)
{
    if (value->op == SCALAR_constant)
        return value->value == 0;
    return value->op == SCALAR_load && value->buffer->place != PLACE_REGISTERS &&
           value->buffer->dtype == DTYPE_F32 && is_tile(m, value, t->within, t->lane);
}

/* The sums from registers to memory. */
static struct stmt *move_sums(struct nest_build *b, int64_t rows, const struct segment *columns,
                              struct tile_sums *sums)
{
    struct module *m = b->k->m;
    struct buffer *memory = memory_of(b, sums, rows, columns);
    struct tile_loops t = tile_sum_loops(b, rows, columns);
    affine_ref at[SUM_RANK], in_memory[2] = {t.at_row, t.column};
    tile_sum_index(m, &t, at);
    return tile_wrap(m, &t, stmt_store(m, memory, in_memory, expr_load(m, sums->acc, at)));
}

/* The loops over the sums, with the nest's variables mapped to an element of them, at `at`. */
static struct tile_loops enter_sums(struct nest_build *b, const struct origin *origin, int64_t rows,
                                    const struct segment *columns, affine_ref at[SUM_RANK])
{
    struct tile_loops t = tile_sum_loops(b, rows, columns);
    tile_sum_index(b->k->m, &t, at);
    tile_enter(b, origin, &t);
    return t;
}

struct stmt *tile_begin(struct nest_build *b, const struct origin *origin, int64_t rows,
                        const struct segment *columns, struct tile_sums *sums)
{
    struct module *m = b->k->m;
    int vars = b->r.vars;
    affine_ref at[SUM_RANK];
    struct tile_loops t = enter_sums(b, origin, rows, columns, at);
    const struct expr *value = build_initial(b);
    b->r.vars = vars;
    sums->behind = t.within && !may_begin(m, value, &t);
    return tile_wrap(m, &t,
                     stmt_store(m, sums->acc, at, sums->behind ? expr_constant(m, 0) : value));
}

/* The results, from the registers to where they belong. NULL: the sums are not the results, or AMX
 * cannot store tiles of them. */
static struct stmt *store_tiles(struct nest_build *b, const struct origin *origin, int64_t rows,
                                const struct segment *columns, const struct tile_sums *sums)
{
    const struct stmt *store = b->nest->loops.store;
    struct module *m = b->k->m;
    int vars = b->r.vars;
    if (store->value != b->nest->reduce || store->buffer->dtype != DTYPE_F32 || sums->behind)
        return NULL;
    affine_ref at[SUM_RANK];
    struct tile_loops t = enter_sums(b, origin, rows, columns, at);
    struct stmt *to = build_store(b, expr_load(m, sums->acc, at));
    b->r.vars = vars;
    bool even = is_tile(m, expr_load(m, to->buffer, to->index), t.within, t.lane);
    return even ? tile_wrap(m, &t, to) : NULL;
}

struct stmt *tile_end(struct nest_build *b, const struct origin *origin, int64_t rows,
                      const struct segment *columns, struct tile_sums *sums)
{
    struct module *m = b->k->m;
    int vars = b->r.vars;
    bool tiles = build_in_tiles(b, columns);
    struct stmt *whole = tiles ? store_tiles(b, origin, rows, columns, sums) : NULL;
    if (whole)
        return whole;
    struct stmt *stmt = tiles ? move_sums(b, rows, columns, sums) : NULL;
    struct tile_loops t = tile_loops_new(m, rows, columns);
    affine_ref at[2] = {t.at_row, t.column};
    tile_enter(b, origin, &t);
    const struct expr *total = expr_load(m, tiles ? sums->memory : sums->acc, at);
    if (sums->behind)
        total = expr_op(m, SCALAR_add, build_initial(b), total, NULL);
    stmt_append(&stmt, tile_wrap(m, &t, build_store(b, build_final(b, total))));
    b->r.vars = vars;
    return stmt;
}

int tile_row_segments(const struct nest_build *b, int64_t total, struct segment *segment)
{
    return b->tile_terms ? segments_of_tiles(total, b->plan->rows, b->tile_height, segment)
                         : segments_of_rows(total, b->plan->rows, segment);
}

bool tile_rows_are_even(struct nest_build *b, int64_t total, const struct segment *columns)
{
    struct module *m = b->k->m;
    struct segment rows[MAX_SEGMENTS];
    int vars = b->r.vars, segments = tile_row_segments(b, total, rows);
    const struct var *of = b->nest->reduce->var[0];
    bool even = true;
    for (int i = 0; i < segments && even; i++) {
        struct origin origin = {.column = affine_constant(m->arena, 0), .flat = true};
        origin.row = affine_offset(
            m->arena, scaled(m, var_new(m, "r", rows[i].count), rows[i].size), rows[i].begin);
        struct tile_loops t = tile_sum_loops(b, rows[i].size, columns);
        affine_ref term = of_var(m, var_new(m, of->name, of->extent / b->tile_terms));
        t.pair = tile_pair(b, columns, &term);
        tile_enter(b, &origin, &t);
        rewriter_map(&b->r, of, term);
        const struct expr *factor = rewrite_expr(&b->r, b->nest->row_factor);
        even = factor->op == SCALAR_load && is_tile(m, factor, t.within, t.pair);
        b->r.vars = vars;
    }
    return even;
}
