/* Chooses plans for GPUs whose last nest runs in blocks of terms (build_blocks.c): how many rows and
 * columns a block has, and how its threads or warps share them. */
#include "choose_blocks.h"
#include "build_blocks.h"
#include "rules_gpu.h"

enum {
    LEAST_THREADS = 64,
    MOST_THREADS_TRIED = 256,
    LEAST_WIDTH = 32,
    MOST_DEPTH = 32,
    MOST_WIDTH = 256
};

struct search {
    const struct view *v;
    nests_chooser *choose;
    double *least;
    struct plan *best;
    int last;
    int64_t columns, depth; /* of the last nest */
};

/* Whether a multiprocessor's four schedulers get equally many of a block's warps; where there are
 * few pixels, other tiles may divide them. */
static bool is_even(const struct search *s, int64_t threads)
{
    enum { FEW = 1024 };
    int64_t warps = threads / WARP_THREADS;
    return (warps & (warps - 1)) == 0 || s->v->nests->pixel_count < FEW;
}

/* Tries a plan whose last nest, threads, tile and split are set. */
static void try_plan(struct search *s, struct plan *plan)
{
    const struct view *v = s->v;
    int64_t pixels = v->nests->pixel_count, columns = plan->split ? plan->split : s->columns;
    if (plan->tile < 1 || plan->tile > pixels)
        return;
    for (int64_t depth = MOST_DEPTH; depth >= 16; depth /= 2) {
        struct nest_plan *nest = &plan->nest[s->last];
        if (s->depth % depth || (nest->matrix.rows && depth % v->terms))
            continue;
        nest->depth = depth;
        nest->ahead = s->depth / depth % 2 == 0;
        int64_t shared =
            view_shared_bytes_without(v, blocks_rows(v->nests, plan), plan->tile) +
            blocks_bytes(&v->nests->nest[s->last], v->nests->pixels > 0, plan->tile, columns, nest);
        if (shared > v->gpu->shared_bytes)
            continue;
        struct effort effort = s->choose(v, s->last, plan);
        effort_add(&effort, blocks_effort(v, plan));
        double cycles = device_cycles(v, plan, shared, effort);
        if (cycles < *s->least) {
            *s->least = cycles;
            *s->best = *plan;
        }
    }
}

/* Register tiles of `rows` by `columns`, `across` of them side by side. */
static void try_registers(struct search *s, int64_t rows, int64_t columns, int64_t across)
{
    int64_t each = s->v->nest[s->last].rows;
    for (int64_t down = 1; across * down <= MOST_THREADS_TRIED; down++) {
        if (across * down % WARP_THREADS || across * down < LEAST_THREADS || rows * down % each ||
            !is_even(s, across * down))
            continue;
        struct plan plan = {
            .threads = across * down, .tile = rows * down / each, .nests = s->v->nests->count};
        plan.split = across * columns < s->columns ? across * columns : 0;
        plan.nest[s->last] = (struct nest_plan){.rows = rows, .columns = columns, .lanes = 4};
        try_plan(s, &plan);
    }
}

static void try_matrix(struct search *s, int64_t rows, int64_t columns, int64_t across)
{
    int64_t each = s->v->nest[s->last].rows;
    for (int64_t down = 1; across * down <= MOST_THREADS_TRIED / WARP_THREADS; down++) {
        if (across * down < 2 || rows * down % each)
            continue;
        struct plan plan = {.threads = across * down * WARP_THREADS,
                            .tile = rows * down / each,
                            .nests = s->v->nests->count};
        plan.split = across * columns < s->columns ? across * columns : 0;
        plan.nest[s->last] = (struct nest_plan){
            .rows = 4, .columns = 4, .lanes = 4, .matrix = {rows, columns, false}};
        try_plan(s, &plan);
    }
}

void blocks_choose(const struct view *v, nests_chooser *choose, double *least, struct plan *best)
{
    int last = v->nests->count - 1;
    struct search s = {v, choose, least, best, last, v->nest[last].columns, v->nest[last].depth};
    if (nest_no_blocks(v->nests, last) || view_slice_bytes(v, 1))
        return;
    for (int64_t width = s.columns; width >= LEAST_WIDTH; width -= 8) {
        if (s.columns % width || width > MOST_WIDTH || (width < s.columns && width % LEAST_WIDTH))
            continue;
        for (int64_t rows = 1; rows <= 8; rows++)
            for (int64_t columns = 4; columns <= 8; columns += 4)
                if (width % columns == 0)
                    try_registers(&s, rows, columns, width / columns);
        for (int64_t rows = MATRIX_ROWS; v->nest[last].matrix && rows <= 4 * MATRIX_ROWS; rows *= 2)
            for (int64_t columns = MATRIX_COLUMNS; columns <= 8 * MATRIX_COLUMNS;
                 columns += MATRIX_COLUMNS)
                if (width % columns == 0 && rows * columns / WARP_THREADS <= MOST_MATRIX_SUMS)
                    try_matrix(&s, rows, columns, width / columns);
    }
}
