/* AMX loads a tile's rows from memory, equally far from each other, and stores its sums so. In a map
 * without a border, or within a line of it, pixels lie so; elsewhere rows are copied first, a window
 * whole, and vectors take sums to where they belong. */
#include "choose_amx.h"
#include "affine.h"
#include "core_model.h"
#include "matrix.h"
#include "segments.h"
#include <string.h>

/* Pixels, and a nest's own rows in them, as numbers of rows of a tile: `index` in terms of them. */
static void map_rows(struct arena *arena, const struct subject *subject,
                     const struct kernel_nest *nest, const struct affine *row, int64_t tile,
                     const struct affine **index, int rank)
{
    const struct nests *nests = subject->nests;
    struct var *number = var_new(subject->m, "t", nests->pixel_count / tile);
    for (int i = nest->rows + nests->pixels - 1; i >= 0; i--) {
        bool pixel = i < nests->pixels;
        const struct var *var = pixel ? nests->pixel[i] : nest->loops.var[i - nests->pixels];
        if (i == nests->pixels - 1) /* the tile's pixels begin at a multiple of them */
            row = affine_add(arena, row, affine_scale(arena, affine_var(arena, number), tile));
        const struct affine *at = i ? affine_mod(arena, row, var->extent) : row;
        for (int k = 0; k < rank; k++)
            index[k] = affine_substitute(arena, index[k], var, at);
        row = affine_div(arena, row, var->extent);
    }
}

/* Whether rows lie equally far apart in each tile of `height` of them, of `count` in all. */
static bool is_even(const struct subject *subject, const struct kernel_nest *nest,
                    const struct buffer *buffer, const struct affine *const *at, int64_t tile,
                    int64_t count, int64_t height)
{
    struct arena *arena = subject->m->arena;
    const struct affine *index[MAX_RANK];
    int rank = buffer->shape.rank;
    int64_t step;
    memcpy(index, at, (size_t)rank * sizeof *index);
    struct var *block = var_new(subject->m, "r", count / height),
               *within = var_new(subject->m, "m", height);
    const struct affine *row = affine_scale(arena, affine_var(arena, block), height);
    map_rows(arena, subject, nest, affine_add(arena, row, affine_var(arena, within)), tile, index,
             rank);
    return affine_step(affine_linearize(arena, &buffer->shape, index), within, &step);
}

/* Consecutive terms of a line of a window: what the next pixel's window has beside these, the ones
 * before it have too. */
static int64_t line_terms(const struct kernel_nest *nest)
{
    const struct var *var = nest->reduce->var[0];
    int64_t line = expr_divisors(nest->row_factor, var).largest;
    return line > PAIR && line < var->extent ? line : var->extent;
}

/* Whether a map's elements are sums as they are. On the stack it makes no difference to a choice:
 * there rows always lie evenly. */
static bool are_sums(const struct kernel_nest *nest)
{
    const struct stmt *store = nest->loops.store;
    return store->value == nest->reduce && store->buffer->dtype == DTYPE_F32 &&
           store->buffer->place == PLACE_WORKSPACE;
}

struct amx_rows amx_rows(const struct subject *subject, const struct kernel_nest *nest,
                         int64_t tile, int64_t rows, int64_t vectors)
{
    struct nest_size size = nest_measure(nest, tile);
    struct amx_rows found = {true, are_sums(nest), nest_depth(nest)};
    if (!subject->nests->pixels || size.repeats > 1)
        return found;
    const struct stmt *store = nest->loops.store;
    const struct expr *load = nest->row_factor, *first = nest->reduce->in[1];
    int64_t height = segments_height(size.rows, rows, vectors);
    int64_t count = rows < size.rows ? rows : size.rows;
    if (!height)
        height = count / segments_tiles(count, 0);
    count = size.rows - size.rows % height;
    found.even = is_even(subject, nest, load->buffer, load->index, tile, count, height);
    found.terms = found.even ? line_terms(nest) : found.terms;
    found.stored &= is_even(subject, nest, store->buffer, store->index, tile, count, height);
    if (found.stored && first && first->op == SCALAR_load)
        found.stored = is_even(subject, nest, first->buffer, first->index, tile, count, height);
    return found;
}

double amx_rows_cycles(const struct subject *subject, const struct kernel_nest *nest, int64_t tile,
                       const struct amx_rows *rows, int64_t passes)
{
    static const double shown = 0.25; /* measured: steps take 12 of 64 cycles longer */
    struct nest_size size = nest_measure(nest, tile);
    int64_t half = dtype_bytes[DTYPE_BF16], bytes = size.rows * rows->terms * half;
    int64_t copied = rows->even ? 0 : size.rows * nest_depth(nest);
    double far = bytes > subject->target->l1_bytes / 2 ? (double)(bytes * passes) : 0;
    return (double)size.repeats *
           ((double)copied / (double)subject->target->lanes + shown * far / L2_BYTES_PER_CYCLE);
}
