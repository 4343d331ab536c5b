/* The last nest of a kernel for a GPU, its reduction in blocks of `depth` terms:
 *
 *   for n in 1, y in 28, x in 28, c in 64
 *     out[n, y, x, c] = sum k in 256 (a[n, y, x, k] * w[k, c])
 *   schedule "nvptx:sm_80" {
 *     threads 128
 *     tile 112
 *     nest 0 rows 7 columns 8 vector 4
 *     depth 0 32
 * =>
 *   rows : shared f32[112, 36]
 *   cols : shared f32[32, 72]
 *   for t in 7 block {
 *     for th in 128 thread
 *       acc[th, i, v] = 0
 *     for d in 8 {
 *       async rows[p, k] = a[.., 32*d + k]          ; for all p, k
 *       async cols[k, c] = w[32*d + k, c]           ; for all k, c
 *       barrier
 *       for th in 128 thread, k in 32
 *         acc[th, i, v] = fma(rows[.., k], cols[k, ..], acc[th, i, v])
 *       barrier
 *     }
 *     for th in 128 thread
 *       out[..] = acc[th, i, v]
 *   }
 *
 * With `ahead` there are two buffers of each kind, and blocks of terms are copied while the ones
 * before are multiplied:
 *
 *     copy block 0 to rows0, cols0; barrier
 *     for d in 4 {
 *       copy block 2*d + 1 to rows1, cols1; add products of rows0, cols0; barrier
 *       copy block (2*d + 2) mod 8 to rows0, cols0; add products of rows1, cols1; barrier
 *     }
 *
 * in pieces where threads multiply: `for piece in 4 { copy a quarter; add a quarter's products }`.
 *
 * So a block reads each factor once, however many threads multiply it, and shared memory holds few
 * terms of many rows. While a block waits for its copies, others that are on the multiprocessor
 * compute. Where the nest before computes the rows, it computes those of a block of terms.
 *
 * Sums are added in the same order as without blocks. */
#include "build_blocks.h"
#include "build_local.h"
#include "build_matrix.h"
#include "build_staging.h"
#include "build_threads.h"
#include "units.h"

/* A block's columns, of the column's factor: rows of `cols` are 32 bytes apart modulo 128, so that
 * four of them, from which the threads of a warp read two vectors each, lie in different banks. Where
 * weights lie in pairs of terms, so do columns, cols[k div 2, c, k mod 2], and as it is every second
 * row that a warp reads, they are 16 bytes apart modulo 64. */
static struct buffer columns_shape(const struct expr *factor, int64_t depth, int64_t columns)
{
    struct buffer made = {.dtype = staging_type(factor)};
    bool pairs = factor->op == SCALAR_load && weights_together(factor->buffer) == PAIR;
    int64_t apart = pairs ? 16 : 32, stride = (columns + apart - 1) / apart * apart + apart / 4;
    made.shape = pairs ? SHAPE(depth / PAIR, stride, PAIR) : SHAPE(depth, stride);
    return made;
}

/* Its rows, with the variables of the nest's rows. */
static struct buffer rows_shape(const struct kernel_nest *nest, int64_t depth)
{
    struct buffer made = {.dtype = staging_type(nest->row_factor), .shape.rank = nest->rows + 1};
    for (int i = 0; i <= nest->rows; i++)
        made.shape.dim[i] = i < nest->rows ? nest->loops.var[i]->extent : depth;
    return made;
}

static const struct expr *column_factor(const struct kernel_nest *nest)
{
    const struct expr *const *factor = nest->reduce->in[0]->in;
    return factor[nest->row_factor == factor[0]];
}

int64_t blocks_bytes(const struct kernel_nest *nest, bool pixels, int64_t tile, int64_t columns,
                     const struct nest_plan *plan)
{
    struct buffer rows = rows_shape(nest, plan->depth),
                  cols = columns_shape(column_factor(nest), plan->depth, columns);
    rows.shape = local_shared_shape(&rows, pixels, tile);
    return (1 + plan->ahead) * (buffer_bytes(&rows) + buffer_bytes(&cols));
}

const struct buffer *blocks_rows(const struct nests *nests, const struct plan *plan)
{
    const struct kernel_nest *last = &nests->nest[nests->count - 1];
    return plan->nest[nests->count - 1].depth ? nest_row_local(last) : NULL;
}

/* Where blocks of terms are copied to, and the nest that reads them there. */
struct copies {
    struct buffer *rows, *columns;
    struct buffer *to_rows, *to_columns; /* these as a copy stores to them */
    struct kernel_nest nest;
    struct nest_build build;
};

struct blocks {
    struct kernel_build *k;
    struct local_build
        *local; /* of the rows that the nest before computes; NULL: they are copied */
    struct copies copies[2];
    struct area area;
    affine_ref first_column;
    int64_t depth, pieces; /* see count_pieces */
    int last;
};

/* A buffer of the kernel before it has tiles, which `to` replaces. */
static struct buffer *stand_in(struct kernel_build *k, struct shape shape, struct buffer *to,
                               bool columns, bool pixels)
{
    struct buffer *from = ARENA_NEW(k->m->arena, struct buffer);
    *from =
        (struct buffer){.name = to->name, .place = PLACE_STACK, .dtype = to->dtype, .shape = shape};
    k->local[k->locals++] = (struct local_build){.from = from,
                                                 .to = to,
                                                 .layout = columns ? LAYOUT_COLUMNS : LAYOUT_PIXELS,
                                                 .no_pixels = !pixels};
    return from;
}

/* Makes a nest compute one piece of the rows only. */
static void take_piece(struct nest_build *b, struct area *area, const struct piece *piece)
{
    area->rows /= piece->count;
    b->first_row = affine_scale(b->k->m->arena, piece->number, area->rows);
}

/* A copy of a piece of rows x columns elements; `row` and `column` are the loops' variables. */
static struct stmt *copy(struct blocks *s, int rows, struct var *const *row, struct var *column,
                         affine_ref first_column, struct area area, const struct piece *piece,
                         struct stmt *store)
{
    int64_t lanes = staging_lanes(store->buffer->dtype);
    struct nest_plan vectors = {.rows = 1, .columns = lanes, .lanes = lanes};
    struct kernel_nest nest = {.rows = rows};
    int64_t pixels = area.rows;
    for (int i = 0; i <= rows; i++) {
        nest.loops.var[i] = i < rows ? row[i] : column;
        pixels /= i < rows ? row[i]->extent : 1;
    }
    nest.loops.vars = rows + 1;
    nest.loops.store = store;
    struct nest_build b;
    build_begin_nest(&b, s->k, &nest, &vectors);
    b.first_column = first_column;
    b.row_pixels = pixels;
    take_piece(&b, &area, piece);
    struct stmt *stmt = threads_nest(&b, &area);
    if (staging_is_copy(nest.loops.store))
        staging_set_async(stmt);
    return stmt;
}

/* Brings a piece of the rows of a block of terms, from `first` on, to shared memory. */
static struct stmt *bring_rows(struct blocks *s, const struct copies *c, affine_ref first,
                               const struct piece *piece)
{
    struct kernel_build *k = s->k;
    const struct kernel_nest *nest = &k->nests->nest[s->last];
    if (!s->local) {
        struct area area = {.rows = s->area.rows, .columns = s->depth};
        affine_ref index[MAX_RANK];
        for (int i = 0; i <= nest->rows; i++)
            index[i] = of_var(k->m, i < nest->rows ? nest->loops.var[i] : nest->reduce->var[0]);
        return copy(s, nest->rows, nest->loops.var, nest->reduce->var[0], first, area, piece,
                    stmt_store(k->m, c->to_rows, index, nest->row_factor));
    }
    struct area area = {.rows = k->tile, .columns = s->depth};
    struct nest_build b;
    s->local->to = c->rows;
    build_begin_nest(&b, k, &k->nests->nest[s->last - 1], &k->plan->nest[s->last - 1]);
    b.first_column = first;
    take_piece(&b, &area, piece);
    return threads_nest(&b, &area);
}

/* An element of its columns, by where they begin. */
static void columns_index(const struct blocks *s, const struct buffer *columns, affine_ref term,
                          affine_ref column, affine_ref *index)
{
    struct arena *arena = s->k->m->arena;
    int64_t together = columns->shape.rank == 3 ? PAIR : 1;
    index[0] = affine_div(arena, term, together);
    index[1] = affine_add(arena, column, affine_scale(arena, s->first_column, -1));
    index[2] = affine_mod(arena, term, together);
}

/* The same for its columns; where terms lie in pairs, a pair is two columns of the copy. */
static struct stmt *bring_columns(struct blocks *s, const struct copies *c, affine_ref first,
                                  const struct piece *piece)
{
    struct module *m = s->k->m;
    const struct kernel_nest *nest = &s->k->nests->nest[s->last];
    const struct var *k = nest->reduce->var[0];
    int64_t together = c->columns->shape.rank == 3 ? PAIR : 1;
    struct var *row = var_new(m, k->name, s->depth / together),
               *column = var_new(m, nest_column(nest)->name, nest_column(nest)->extent * together);
    affine_ref term = affine_add(m->arena, scaled(m, row, together),
                                 affine_mod(m->arena, of_var(m, column), together)),
               at = affine_div(m->arena, of_var(m, column), together), index[MAX_RANK];
    struct rewriter r = {.m = m};
    rewriter_map(&r, k, affine_add(m->arena, first, term));
    rewriter_map(&r, nest_column(nest), at);
    columns_index(s, c->columns, term, at, index);
    struct area area = {.rows = s->depth / together, .columns = s->area.columns * together};
    return copy(s, 1, &row, column, affine_scale(m->arena, s->first_column, together), area, piece,
                stmt_store(m, c->to_columns, index, rewrite_expr(&r, column_factor(nest))));
}

static struct stmt *bring(struct blocks *s, int to, affine_ref first)
{
    const struct piece all = {1, affine_constant(s->k->m->arena, 0)};
    struct stmt *stmt = bring_columns(s, &s->copies[to], first, &all);
    stmt_append(&stmt, bring_rows(s, &s->copies[to], first, &all));
    return stmt;
}

/* A part of the nest, which reads copies number `from`, in a piece of their terms. */
static struct stmt *piece_of_nest(struct blocks *s, int from, int part, const struct piece *piece)
{
    struct nest_build *b = &s->copies[from].build;
    b->terms = *piece;
    b->kept = s->copies[0].build.kept;
    b->kept.part = part;
    b->kept.next = 0;
    return s->k->plan->nest[s->last].matrix.rows ? matrix_nest(b, &s->area)
                                                 : threads_nest(b, &s->area);
}

static struct stmt *part_of_nest(struct blocks *s, int from, int part)
{
    const struct piece all = {1, affine_constant(s->k->m->arena, 0)};
    return piece_of_nest(s, from, part, &all);
}

/* Makes the buffers number `number`, and the nest that reads them. */
static void make_copies(struct blocks *s, int number)
{
    struct kernel_build *k = s->k;
    struct module *m = k->m;
    struct copies *c = &s->copies[number];
    const struct kernel_nest *nest = &k->nests->nest[s->last];
    struct var *term = var_new(m, nest->reduce->var[0]->name, s->depth);
    const struct buffer rows = rows_shape(nest, s->depth),
                        columns = columns_shape(column_factor(nest), s->depth, s->area.columns);
    affine_ref row[MAX_RANK], column[MAX_RANK];
    for (int i = 0; i <= nest->rows; i++)
        row[i] = of_var(m, i < nest->rows ? nest->loops.var[i] : term);
    columns_index(s, &columns, of_var(m, term), of_var(m, nest_column(nest)), column);
    c->rows = buffer_new(m, &k->to->locals, arena_printf(m->arena, "rows%d", number), PLACE_SHARED,
                         local_shared_shape(&rows, k->nests->pixels > 0, k->tile));
    c->columns = buffer_new(m, &k->to->locals, arena_printf(m->arena, "cols%d", number),
                            PLACE_SHARED, columns.shape);
    c->rows->dtype = rows.dtype;
    c->columns->dtype = columns.dtype;
    c->to_rows = stand_in(k, rows.shape, c->rows, true, true);
    c->to_columns = stand_in(k, columns.shape, c->columns, false, false);
    c->nest = *nest;
    c->nest.row_factor = expr_load(m, stand_in(k, rows.shape, c->rows, false, true), row);
    const struct expr *product =
        expr_op(m, SCALAR_mul, c->nest.row_factor, expr_load(m, c->to_columns, column), NULL);
    c->nest.reduce = expr_reduce(m, SCALAR_sum, 1, &term, product, nest->reduce->in[1]);
    c->nest.loops.store = arena_copy(m->arena, nest->loops.store, sizeof *nest->loops.store);
    c->nest.loops.store->value =
        expr_replace(m, nest->loops.store->value, nest->reduce, c->nest.reduce);
    c->nest.reduce = expr_find_reduce(c->nest.loops.store->value);
    build_begin_nest(&c->build, k, &c->nest, &k->plan->nest[s->last]);
    c->build.first_column = s->first_column;
}

/* All terms, block by block. */
static struct stmt *in_turn(struct blocks *s, struct var *block)
{
    struct module *m = s->k->m;
    struct stmt *inside = bring(s, 0, scaled(m, block, s->depth));
    stmt_append(&inside, stmt_barrier(m));
    stmt_append(&inside, part_of_nest(s, 0, NEST_TERMS));
    if (block->extent > 1)
        stmt_append(&inside, stmt_barrier(m));
    return build_loop(m, block, LOOP_SERIAL, inside);
}

/* In how many pieces the next block of terms is copied: one for each step of the loop over the terms
 * of this one, if that divides the rows. All copies at once would keep shared memory from the
 * warps that multiply. Rows that are computed take more instructions in pieces than they save,
 * matrix units' steps are too short, and pairs of terms have other steps. */
static int64_t count_pieces(const struct blocks *s)
{
    const struct nest_plan *plan = &s->k->plan->nest[s->last];
    bool in_pairs = s->copies[0].columns->shape.rank == 3;
    if (!plan->ahead || plan->matrix.rows || s->local || in_pairs)
        return 1;
    int64_t steps = s->depth / threads_unroll(plan->rows * plan->columns, s->depth);
    int64_t pieces = steps;
    while (steps % pieces || s->area.rows % pieces)
        pieces--;
    return pieces;
}

/* Appends: brings copies number `to` while those of the other number are multiplied. */
static void overlap(struct blocks *s, int to, affine_ref block, struct stmt **list)
{
    struct module *m = s->k->m;
    const struct copies *c = &s->copies[to];
    affine_ref first = affine_scale(m->arena, block, s->depth);
    struct var *number = var_new(m, "piece", s->pieces);
    const struct piece piece = {s->pieces, of_var(m, number)};
    struct stmt *inside = bring_columns(s, c, first, &piece);
    stmt_append(&inside, bring_rows(s, c, first, &piece));
    stmt_append(&inside, piece_of_nest(s, 1 - to, NEST_TERMS, &piece));
    stmt_append(list, build_loop(m, number, LOOP_SERIAL, inside));
    stmt_append(list, stmt_barrier(m));
}

/* The same with copies ahead; the number of blocks is even. Where there are many, the last pair
 * copies the first block once more: to build it apart would double the code. */
static struct stmt *in_pairs(struct blocks *s, int64_t blocks)
{
    enum { MANY = 8 };
    struct module *m = s->k->m;
    const char *name = s->k->nests->nest[s->last].reduce->var[0]->name;
    struct stmt *all = bring(s, 0, affine_constant(m->arena, 0)), *inside = NULL;
    stmt_append(&all, stmt_barrier(m));
    int64_t pairs = blocks / 2 - (blocks < MANY);
    if (pairs) {
        struct var *pair = var_new(m, name, pairs);
        affine_ref next = affine_offset(m->arena, scaled(m, pair, 2), 2);
        overlap(s, 1, affine_offset(m->arena, next, -1), &inside);
        overlap(s, 0, affine_mod(m->arena, next, blocks), &inside);
        stmt_append(&all, build_loop(m, pair, LOOP_SERIAL, inside));
    }
    if (blocks >= MANY)
        return all;
    overlap(s, 1, affine_constant(m->arena, blocks - 1), &all);
    stmt_append(&all, part_of_nest(s, 1, NEST_TERMS));
    return all;
}

struct stmt *blocks_build(struct kernel_build *k)
{
    struct module *m = k->m;
    struct blocks s = {.k = k, .last = k->nests->count - 1};
    const struct kernel_nest *nest = &k->nests->nest[s.last];
    const struct nest_plan *plan = &k->plan->nest[s.last];
    int64_t blocks = nest->reduce->var[0]->extent / plan->depth;
    s.depth = plan->depth;
    s.area = area_of_nest(nest, k->tile, k->split);
    s.first_column = scaled(m, k->part, s.area.columns);
    struct buffer *local = nest_row_local(nest);
    if (local) {
        s.local = &k->local[k->locals++];
        *s.local = (struct local_build){.from = local, .layout = LAYOUT_COLUMNS};
    }
    for (int i = 0; i < 1 + plan->ahead; i++)
        make_copies(&s, i);
    s.pieces = count_pieces(&s);
    struct stmt *all = part_of_nest(&s, 0, NEST_BEGIN);
    stmt_append(&all, plan->ahead ? in_pairs(&s, blocks)
                                  : in_turn(&s, var_new(m, nest->reduce->var[0]->name, blocks)));
    stmt_append(&all, part_of_nest(&s, 0, NEST_END));
    return all;
}
