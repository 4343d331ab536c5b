/* Chooses for GPUs: threads and pixels of a block, and register tiles.
 *
 * The cost of a plan is an estimate in cycles: what the threads of a multiprocessor issue, or how
 * long one block's loads and barriers take, whichever is longer, for as many rounds of blocks as
 * the device needs. Not measured: it only has to rank. */
#include "choose_gpu.h"
#include "build_gpu.h"
#include "build_matrix.h"
#include "build_staging.h"
#include "choose_blocks.h"
#include "effort_gpu.h"
#include "rules_gpu.h"
#include "segments.h"
#include <assert.h>

enum { TOGETHER = 2 /* blocks that nests are planned for */ };
enum {
    LEAST_COLUMNS = 32, /* that blocks still share */
    MOST_ROWS = 8,
    LARGEST_TILE = 128,
    MOST_SPLIT = 64,
    LEAST_TERMS = 16, /* of a part */
    ALONE_THREADS = 128,
    MOST_SLICES = 64 << 20 /* bytes of the workspace for what shared memory cannot hold */
};
static const double MATRIX_FAVOUR = 1.25;

/* ---- nests ----------------------------------------------------------------------------------- */

/* In how many parts at most a reduction may be computed, with so many bytes for the sums. */
static int64_t most_parts(const struct view *v, int i, int64_t rows, int64_t columns, int64_t room)
{
    if (nest_no_parts(v->nests, i))
        return 1;
    struct area area = {.rows = matrix_padded(rows), .columns = columns};
    struct shape one = parts_shape(&area, 1);
    int64_t most = room / (4 * shape_elements(&one));
    return most < MOST_PARTS ? most : MOST_PARTS;
}

/* Tries tiles of warps, for more and more parts of the reduction. */
static void try_matrix_parts(const struct view *v, int i, const struct area *area,
                             const struct plan *plan, int64_t most_parts,
                             const struct matrix_plan *matrix, double *most, struct effort *found,
                             struct nest_plan *best)
{
    struct nest_plan nest = plan->nest[i];
    int64_t depth = v->nest[i].depth;
    for (int64_t parts = 1; parts == 1 || (parts <= most_parts && depth / parts >= LEAST_TERMS);
         parts++) {
        if (depth % parts || (parts > 1 && depth / parts % v->terms))
            continue;
        nest.parts = parts > 1 ? parts : 0;
        nest.matrix = *matrix;
        struct effort effort = matrix_effort(v, i, area, plan->threads, &nest, matrix);
        if (effort_cycles(effort, TOGETHER) < *most) {
            *most = effort_cycles(effort, TOGETHER);
            *found = effort;
            *best = nest;
        }
    }
}

/* Sets *best to tiles of warps, next to the register tiles of `plan`, where that costs less than
 * `found` or hardly more: a user asks for a precision to get matrix units, and where both wait for
 * weights they cost the same. room: bytes of shared memory for the sums of repeated rows. */
static struct effort plan_matrix(const struct view *v, int i, const struct area *area,
                                 const struct plan *plan, int64_t room, struct effort found,
                                 struct nest_plan *best)
{
    double most = MATRIX_FAVOUR * effort_cycles(found, TOGETHER);
    int64_t parts = most_parts(v, i, area->rows, area->columns, room);
    best->matrix = (struct matrix_plan){0, 0, false};
    if (!v->nest[i].matrix || area->columns < MATRIX_COLUMNS)
        return found;
    for (int pad = 0; pad < 2; pad++) {
        int64_t rows = pad ? matrix_padded(area->rows) : area->rows;
        if (pad && (rows == area->rows || matrix_sums_bytes(area) > room))
            break;
        for (int64_t r = MATRIX_ROWS; r <= 4 * MATRIX_ROWS && r <= rows; r *= 2)
            for (int64_t c = MATRIX_COLUMNS; c <= 8 * MATRIX_COLUMNS && c <= area->columns;
                 c += MATRIX_COLUMNS) {
                if (r * c / WARP_THREADS > MOST_MATRIX_SUMS)
                    break;
                struct matrix_plan matrix = {r, c, pad};
                try_matrix_parts(v, i, area, plan, parts, &matrix, &most, &found, best);
            }
    }
    return found;
}

/* Tries more and more parts of a reduction, each of at least LEAST_TERMS terms. */
static void try_parts(const struct view *v, int i, const struct area *area, int64_t threads,
                      int64_t most, const struct nest_plan *whole, struct effort *found,
                      struct nest_plan *best)
{
    struct nest_plan plan = *whole;
    int64_t depth = v->nest[i].depth;
    for (int64_t parts = 1; parts == 1 || (parts <= most && depth / parts >= LEAST_TERMS);
         parts++) {
        if (depth % parts || (parts > 1 && depth / parts % 4))
            continue;
        plan.parts = parts > 1 ? parts : 0;
        struct effort effort = nest_effort(v, i, area->rows, area->columns, threads, &plan);
        if (effort_cycles(effort, TOGETHER) < effort_cycles(*found, TOGETHER)) {
            *found = effort;
            *best = plan;
        }
    }
}

/* Register tiles of one row, or of several where an operand serves all rows. room: bytes of shared
 * memory for the sums of parts. */
static struct effort plan_nest(const struct view *v, int i, int64_t rows, int64_t columns,
                               int64_t threads, int64_t room, struct nest_plan *best)
{
    const struct kernel_nest *s = &v->nests->nest[i];
    struct area area = {.rows = rows, .columns = columns};
    int64_t parts = most_parts(v, i, rows, columns, room);
    int64_t widest = columns >= 4 ? 4 : columns >= 2 ? 2 : 1;
    /* loads of other rows wait for the stores of earlier ones, unless these go to shared memory */
    int64_t most = s->multiply || (!s->reduce && nest_stays(s)) ? MOST_ROWS : 1;
    struct effort found = {HUGE_VAL, HUGE_VAL, 0};
    for (int64_t lanes = widest; lanes && (lanes == widest || !s->multiply); lanes /= 2)
        for (int64_t r = 1; r <= most && r <= rows; r++)
            for (int64_t c = lanes; c <= 2 * lanes && c <= columns; c += lanes) {
                if (c > lanes && !s->multiply)
                    break;
                struct nest_plan plan = {.rows = r, .columns = c, .lanes = lanes};
                try_parts(v, i, &area, threads, parts, &plan, &found, best);
            }
    return found;
}

/* The shared memory that a tile leaves, in equal shares for the nests that can use it. */
static int64_t room_for_sums(const struct view *v, int64_t tile)
{
    int64_t nests = 0, left = v->gpu->shared_bytes - view_shared_bytes(v, tile);
    for (int i = 0; i < v->nests->count; i++)
        nests += v->nest[i].matrix || !nest_no_parts(v->nests, i);
    return nests ? left / nests : 0;
}

static struct effort plan_both(const struct view *v, int i, int64_t rows, int64_t columns,
                               struct plan *plan)
{
    struct area area = {.rows = rows, .columns = columns};
    int64_t room = room_for_sums(v, plan->tile);
    struct nest_plan *nest = &plan->nest[i];
    struct effort found = plan_nest(v, i, rows, columns, plan->threads, room, nest);
    struct nest_plan matrix = *nest;
    found = plan_matrix(v, i, &area, plan, room, found, &matrix);
    *nest = matrix;
    return found;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The nests before number `nests`. */
static struct effort plan_nests(const struct view *v, int nests, struct plan *plan)
{
    struct effort sum = {0, 0, 0};
    for (int i = 0; i < nests; i++)
        effort_add(&sum, plan_both(v, i, v->nest[i].rows * plan->tile, v->nest[i].columns, plan));
    return sum;
}

/* Those before the last one, of which a block of terms at a time where that has `depth`. */
static struct effort plan_before(const struct view *v, int last, struct plan *plan)
{
    bool local = nest_row_local(&v->nests->nest[last]) != NULL;
    struct effort sum = plan_nests(v, last - local, plan);
    if (local)
        plan_nest(v, last - 1, v->nest[last - 1].rows * plan->tile, plan->nest[last].depth,
                  plan->threads, 0, &plan->nest[last - 1]);
    return sum;
}

/* The last nest, its columns shared by `split` blocks. */
static struct effort plan_last(const struct view *v, int64_t split, struct plan *plan)
{
    int last = v->nests->count - 1;
    plan->split = split > 1 ? v->nest[last].columns / split : 0;
    return plan_both(v, last, v->nest[last].rows * plan->tile, v->nest[last].columns / split, plan);
}

/* Shared memory for the sums of repeated rows. */
static int64_t sums_bytes(const struct view *v, const struct plan *plan)
{
    int64_t bytes = 0;
    for (int i = 0; i < v->nests->count; i++) {
        struct area area = {.rows = v->nest[i].rows * plan->tile, .columns = v->nest[i].columns};
        if (i == v->nests->count - 1 && plan->split)
            area.columns = plan->split;
        bytes += plan->nest[i].matrix.pad ? matrix_sums_bytes(&area) : 0;
        area.rows = plan->nest[i].matrix.pad ? matrix_padded(area.rows) : area.rows;
        struct shape parts = parts_shape(&area, plan->nest[i].parts);
        bytes += 4 * shape_elements(&parts);
    }
    return bytes;
}

/* Copies rows that matrix units read to shared memory first, where that leaves room for another
 * block. Returns the bytes. */
static int64_t plan_staging(const struct view *v, int64_t shared, struct plan *plan)
{
    int64_t bytes = 0;
    for (int i = 0; i < v->nests->count; i++) {
        plan->nest[i].staging = false;
        if (!plan->nest[i].matrix.rows || !v->nest[i].staging)
            continue;
        int64_t own = staging_bytes(v->nests, i, plan->tile);
        plan->nest[i].staging = shared + bytes + own <= v->gpu->shared_bytes / 2;
        bytes += plan->nest[i].staging ? own : 0;
    }
    return bytes;
}

/* Buffers in the workspace need a slice for each block, so there are no more blocks than run at
 * once, and the slices are limited to MOST_SLICES. 0: there are no such buffers. */
static int64_t plan_blocks(const struct view *v, int64_t tile, int64_t threads, int64_t shared)
{
    int64_t slice = view_slice_bytes(v, tile);
    if (!slice)
        return 0;
    int64_t most = blocks_at_once(v, threads, shared), tiles = v->nests->pixel_count / tile;
    most = most < MOST_SLICES / slice ? most : MOST_SLICES / slice;
    most = most < tiles ? most : tiles;
    return most < 1 ? 1 : most;
}

/* Into how many parts at most blocks share the last nest's columns. */
static int64_t most_split(const struct view *v, const struct plan *plan)
{
    if (plan->blocks || v->shared_columns < 2 * LEAST_COLUMNS)
        return 1;
    int64_t most = v->shared_columns / LEAST_COLUMNS;
    return most < MOST_SPLIT ? most : MOST_SPLIT;
}

/* Where there is one pixel, columns alone keep the device busy: then any divisor is tried. */
static int64_t next_split(const struct view *v, int64_t split)
{
    return v->nests->pixel_count > 1 ? 2 * split : split + 1;
}

static void plan_tile(const struct view *v, int64_t tile, int64_t threads, double *least,
                      struct plan *best)
{
    struct plan plan;
    int64_t shared = view_shared_bytes(v, tile), columns = v->nest[v->nests->count - 1].columns;
    if (shared > v->gpu->shared_bytes || (tile > 1 && view_tile_bytes(v, tile) > MOST_TILE_BYTES))
        return;
    plan = (struct plan){.tile = tile, .threads = threads, .nests = v->nests->count};
    struct effort first = plan_nests(v, v->nests->count - 1, &plan);
    for (int i = 0; i < v->locals; i++)
        plan.in_workspace[i] = v->local[i].in_workspace;
    plan.blocks = plan_blocks(v, tile, threads, shared);
    for (int64_t split = 1; split <= most_split(v, &plan); split = next_split(v, split)) {
        if (columns % split)
            continue;
        struct effort block = plan_last(v, split, &plan);
        effort_add(&block, first);
        int64_t used = shared + sums_bytes(v, &plan);
        double cycles = device_cycles(v, &plan, used + plan_staging(v, used, &plan), block);
        if (cycles < *least) {
            *least = cycles;
            *best = plan;
        }
    }
}

/* The number of kernels that a list becomes: for whole blocks, and for the rest. */
static int count_parts(const struct view *v, const struct plan *plan)
{
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
    int parts = 0;
    for (int i = 0; i < v->nests->count; i++) {
        const struct nest_plan *nest = &plan->nest[i];
        int rows = segments_of_rows(v->nest[i].rows, nest->rows, row);
        int columns = segments_of_columns(v->nest[i].columns, nest->columns, nest->lanes, column);
        for (int j = 0; j < rows * columns; j++) {
            int64_t tiles = row[j / columns].count * column[j % columns].count;
            parts += (tiles >= plan->threads) + (tiles % plan->threads != 0);
        }
    }
    return parts;
}

/* A nest on its own, on the whole device. */
static void plan_alone(const struct view *v, int i, struct nest_plan *best)
{
    const struct kernel_nest *s = &v->nests->nest[i];
    int64_t rows = v->nest[i].rows, columns = v->nest[i].columns, processors = v->gpu->processors;
    int64_t lanes = columns >= 4 ? 4 : columns >= 2 ? 2 : 1, most = s->multiply ? MOST_ROWS : 1;
    double least = HUGE_VAL;
    for (int64_t r = 1; r <= most && r <= rows; r++)
        for (int64_t c = lanes; c <= columns && c <= (s->multiply ? 2 * lanes : lanes);
             c += lanes) {
            struct nest_plan plan = {.rows = r, .columns = c, .lanes = lanes};
            struct effort effort =
                nest_effort(v, i, rows, columns, ALONE_THREADS * processors, &plan);
            int64_t blocks = divide_up(divide_up(rows, r) * divide_up(columns, c), ALONE_THREADS);
            int64_t busy = blocks < processors ? blocks : processors;
            double cycles = effort.issue / (double)busy + effort.latency;
            if (cycles < least) {
                least = cycles;
                *best = plan;
            }
        }
}

/* Nests on their own: what matters first is enough threads for the whole device, then few kernels.
 */
static void plan_list(const struct view *v, struct plan *best)
{
    struct plan plan = {.tile = 1, .threads = ALONE_THREADS, .nests = v->nests->count};
    for (int i = 0; i < v->nests->count; i++)
        plan_alone(v, i, &plan.nest[i]);
    *best = plan;
    int least = count_parts(v, &plan);
    for (plan.threads = 256; plan.threads >= WARP_THREADS; plan.threads--) {
        int parts = count_parts(v, &plan);
        if (parts < least) {
            least = parts;
            *best = plan;
        }
    }
}

void gpu_choose(const struct subject *subject, struct plan *best)
{
    struct view view;
    view_init(&view, subject);
    if (nests_are_list(view.nests) || !view.nests->count) {
        plan_list(&view, best);
        return;
    }
    double least = HUGE_VAL;
    for (int64_t threads = 64; threads <= 256; threads *= 2)
        for (int64_t tile = 1; tile <= LARGEST_TILE && tile <= view.nests->pixel_count; tile++)
            plan_tile(&view, tile, threads, &least, best);
    assert(least < HUGE_VAL); /* one pixel fits */
    blocks_choose(&view, plan_before, &least, best);
}
