#include "build_tile.h"

struct tile_loops tile_loops_new(struct module *m, int64_t rows, const struct segment *columns)
{
    struct tile_loops t = {.row = var_new(m, "i", rows),
                           .group = var_new(m, "g", columns->size / columns->lanes),
                           .lane = var_new(m, "v", columns->lanes)};
    t.column = affine_add(m->arena, affine_scale(m->arena, of_var(m, t.group), columns->lanes),
                          of_var(m, t.lane));
    return t;
}

struct var *tile_pair(const struct nest_build *b, const struct segment *columns, affine_ref *term)
{
    struct module *m = b->k->m;
    if (build_step_terms(b, columns) == 1)
        return NULL;
    struct var *pair = var_new(m, "d", PAIR);
    *term = affine_add(m->arena, affine_scale(m->arena, *term, PAIR), of_var(m, pair));
    return pair;
}

struct stmt *tile_wrap(struct module *m, const struct tile_loops *t, struct stmt *stmt)
{
    if (!t->pair)
        return build_tile_loops(m, t->row, t->group, t->lane, stmt);
    stmt = stmt_for(m, t->pair, LOOP_MATRIX, build_loop(m, t->lane, LOOP_VECTOR, stmt));
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
    tile_enter_element(b, origin, of_var(b->k->m, t->row), t->column);
}
