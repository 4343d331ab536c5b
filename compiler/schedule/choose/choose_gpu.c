/* Chooses for GPUs: threads and pixels of a block, and register tiles.
 *
 * The cost of a plan is an estimate in cycles: what the threads of a multiprocessor issue, or how
 * long one block's loads and barriers take, whichever is longer, for as many rounds of blocks as
 * the device needs. Not measured: it only has to rank. */
#include "choose_gpu.h"
#include "build_matrix.h"
#include "build_staging.h"
#include "rules_gpu.h"
#include "segments.h"
#include "view_gpu.h"
#include <assert.h>

enum {
    WARP = WARP_THREADS,
    ISSUES = 4,       /* warps that start an instruction each cycle */
    RESIDENT = 16,    /* warps, of 128 registers a thread, that a multiprocessor has room for */
    TOGETHER = 2,     /* blocks that nests are planned for */
    TILE_CYCLES = 24, /* a register tile's indices, init and end */
    NEST_CYCLES = 40, /* a barrier */
    FAR_CYCLES = 280, /* loads from L2 */
    NEAR_CYCLES = 40, /* and from shared memory */
    FAR_BYTES = 48,   /* that come from L2 each cycle */
    CHAIN_CYCLES = 4, /* one addition after the other */
    LAUNCH_CYCLES = 3000,
    MATRIX_CYCLES = 8,  /* of a warp: 16 x 8 sums of a fragment's terms */
    LOAD_CYCLES = 2,    /* and a load of a fragment's operands */
    LEAST_COLUMNS = 32, /* that blocks still share */
    MOST_ROWS = 8,
    LARGEST_TILE = 128,
    MOST_SPLIT = 64,
    MOST_SLICES = 64 << 20 /* bytes of the workspace for what shared memory cannot hold */
};
static const double MATRIX_FAVOUR = 1.25;

/* ---- register tiles -------------------------------------------------------------------------- */

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The cost of a nest or a block: instructions that its threads issue, in cycles of a
 * multiprocessor; and its latency, the cycles until it ends on an otherwise idle multiprocessor. */
struct effort {
    double issue, latency;
    double bytes; /* of operands that come from L2 */
};

static void effort_add(struct effort *sum, struct effort effort)
{
    sum->issue += effort.issue;
    sum->latency += effort.latency;
    sum->bytes += effort.bytes;
}

/* Cycles of `at_once` of them on a multiprocessor. */
static double effort_cycles(struct effort effort, double at_once)
{
    double issue = at_once * fmax(effort.issue, effort.bytes / FAR_BYTES);
    return issue > effort.latency ? issue + 0.3 * effort.latency : effort.latency + 0.3 * issue;
}

/* One register tile of one thread. */
static struct effort tile_effort(const struct kernel_nest *s, bool far, int64_t depth, int64_t rows,
                                 int64_t columns)
{
    double elements = (double)(rows * columns);
    struct effort effort = {TILE_CYCLES + 4 * elements, FAR_CYCLES, 0};
    if (!s->reduce)
        return effort;
    int64_t innermost = s->reduce->var[s->reduce->vars - 1]->extent;
    int64_t unroll = threads_unroll(rows * columns, innermost);
    double loads = s->multiply ? 0.5 * (double)(rows + columns) : 0.6 * elements;
    effort.issue += (double)depth * (elements + loads);
    effort.latency +=
        (double)(depth / unroll) *
        ((far ? FAR_CYCLES : NEAR_CYCLES) + (s->multiply ? 0 : CHAIN_CYCLES * (double)unroll));
    return effort;
}

/* A block reads the weights of its columns once, and its rows if they are in memory. What it reads
 * again is in L1. */
static double operand_bytes(const struct view *v, int i, int64_t rows, int64_t columns)
{
    if (!v->nests->nest[i].multiply)
        return 0;
    return 4.0 * (double)v->nest[i].depth * (double)(columns + (v->nest[i].far ? rows : 0));
}

/* All register tiles of a nest of a block. */
static struct effort nest_effort(const struct view *v, int i, int64_t rows, int64_t columns,
                                 int64_t threads, const struct nest_plan *plan)
{
    const struct kernel_nest *s = &v->nests->nest[i];
    int64_t across = divide_up(columns, plan->columns), tiles = rows / plan->rows * across;
    struct effort sum = {0, 0, operand_bytes(v, i, rows, columns)};
    for (int rest = 0; rest < 2; rest++) {
        int64_t size = rest ? rows % plan->rows : plan->rows;
        int64_t count = rest ? (size ? across : 0) : tiles;
        struct effort one =
            tile_effort(s, v->nest[i].far, v->nest[i].depth, size ? size : 1, plan->columns);
        double turns = (double)divide_up(count, threads);
        double warps = (double)divide_up(count, WARP);
        effort_add(&sum, (struct effort){one.issue * warps / ISSUES, one.latency * turns, 0});
    }
    sum.latency += NEST_CYCLES;
    return sum;
}

/* Tiles of a warp, `count` of them. */
static struct effort warp_effort(const struct view *v, int i, int64_t rows, int64_t columns,
                                 int64_t count, int64_t warps)
{
    int64_t row_fragments = rows / MATRIX_ROWS, column_fragments = columns / MATRIX_COLUMNS;
    int64_t steps = v->nest[i].depth / v->terms, rest = v->nest[i].depth % v->terms;
    int64_t unroll = matrix_unroll(row_fragments * column_fragments, steps);
    int64_t loads = v->terms / 4 * (2 * row_fragments + column_fragments / matrix_lanes(columns));
    double elements = (double)(rows * columns / WARP);
    double issue = TILE_CYCLES + (4 + 2 * (double)rest) * elements +
                   (double)steps * (double)(MATRIX_CYCLES * row_fragments * column_fragments +
                                            LOAD_CYCLES * loads);
    double latency =
        issue + FAR_CYCLES + (double)(steps / unroll) * (v->nest[i].far ? FAR_CYCLES : NEAR_CYCLES);
    return (struct effort){issue * (double)count / ISSUES,
                           latency * (double)divide_up(count, warps), 0};
}

/* Results of so many sums in shared memory, four of each thread at a time. */
static struct effort finish_effort(int64_t sums, int64_t threads)
{
    int64_t tiles = divide_up(sums, 4);
    double issue = TILE_CYCLES + 4 * 4;
    return (struct effort){issue * (double)divide_up(tiles, WARP) / ISSUES,
                           NEST_CYCLES + FAR_CYCLES * (double)divide_up(tiles, threads), 0};
}

/* A nest in tiles of warps. Threads compute what fills no fragment, except rows that are repeated
 * to fill one. */
static struct effort matrix_effort(const struct view *v, int i, const struct area *area,
                                   int64_t threads, const struct nest_plan *plan,
                                   const struct matrix_plan *matrix)
{
    int64_t rows = matrix->pad ? matrix_padded(area->rows) : area->rows - area->rows % MATRIX_ROWS,
            columns = area->columns - area->columns % MATRIX_COLUMNS;
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
    int row_segments = segments_of_rows(rows, matrix->rows, row);
    int column_segments = segments_of_rows(columns, matrix->columns, column);
    struct effort sum = {0, NEST_CYCLES, operand_bytes(v, i, rows, columns)};
    for (int a = 0; a < row_segments; a++)
        for (int b = 0; b < column_segments; b++)
            effort_add(&sum, warp_effort(v, i, row[a].size, column[b].size,
                                         row[a].count * column[b].count, threads / WARP));
    if (matrix->pad)
        effort_add(&sum, finish_effort(area->rows * columns, threads));
    if (columns < area->columns)
        effort_add(&sum, nest_effort(v, i, rows < area->rows ? rows : area->rows,
                                     area->columns - columns, threads, plan));
    if (rows < area->rows)
        effort_add(&sum, nest_effort(v, i, area->rows - rows, area->columns, threads, plan));
    return sum;
}

/* Sets *best to tiles of warps, next to the register tiles of `plan`, where that costs less than
 * `found` or hardly more: a user asks for a precision to get matrix units, and where both wait for
 * weights they cost the same. room: bytes of shared memory for the sums of repeated rows. */
static struct effort plan_matrix(const struct view *v, int i, const struct area *area,
                                 const struct plan *plan, int64_t room, struct effort found,
                                 struct matrix_plan *best)
{
    double most = MATRIX_FAVOUR * effort_cycles(found, TOGETHER);
    *best = (struct matrix_plan){0, 0, false};
    if (!v->nest[i].matrix || area->columns < MATRIX_COLUMNS)
        return found;
    for (int pad = 0; pad < 2; pad++) {
        int64_t rows = pad ? matrix_padded(area->rows) : area->rows;
        if (pad && (rows == area->rows || matrix_sums_bytes(area) > room))
            break;
        for (int64_t r = MATRIX_ROWS; r <= 4 * MATRIX_ROWS && r <= rows; r *= 2)
            for (int64_t c = MATRIX_COLUMNS; c <= 8 * MATRIX_COLUMNS && c <= area->columns;
                 c += MATRIX_COLUMNS) {
                if (r * c / WARP > MOST_MATRIX_SUMS)
                    break;
                struct matrix_plan matrix = {r, c, pad};
                struct effort effort =
                    matrix_effort(v, i, area, plan->threads, &plan->nest[i], &matrix);
                if (effort_cycles(effort, TOGETHER) < most) {
                    most = effort_cycles(effort, TOGETHER);
                    found = effort;
                    *best = matrix;
                }
            }
    }
    return found;
}

/* Register tiles of one row, or of several where an operand serves all rows. */
static struct effort plan_nest(const struct view *v, int i, int64_t rows, int64_t columns,
                               int64_t threads, struct nest_plan *best)
{
    const struct kernel_nest *s = &v->nests->nest[i];
    int64_t lanes = columns >= 4 ? 4 : columns >= 2 ? 2 : 1;
    int64_t most = s->multiply ? MOST_ROWS : 1;
    struct effort found = {HUGE_VAL, HUGE_VAL, 0};
    for (int64_t r = 1; r <= most && r <= rows; r++)
        for (int64_t c = lanes; c <= 2 * lanes && c <= columns; c += lanes) {
            if (c > lanes && !s->multiply)
                break;
            struct nest_plan plan = {.rows = r, .columns = c, .lanes = lanes};
            struct effort effort = nest_effort(v, i, rows, columns, threads, &plan);
            if (effort_cycles(effort, TOGETHER) < effort_cycles(found, TOGETHER)) {
                found = effort;
                *best = plan;
            }
        }
    return found;
}

/* The shared memory that a tile leaves, in equal shares for the nests that can use it. */
static int64_t room_for_sums(const struct view *v, int64_t tile)
{
    int64_t nests = 0, left = v->gpu->shared_bytes - view_shared_bytes(v, tile);
    for (int i = 0; i < v->nests->count; i++)
        nests += v->nest[i].matrix;
    return nests ? left / nests : 0;
}

static struct effort plan_both(const struct view *v, int i, int64_t rows, int64_t columns,
                               struct plan *plan)
{
    struct area area = {.rows = rows, .columns = columns};
    struct effort found = plan_nest(v, i, rows, columns, plan->threads, &plan->nest[i]);
    return plan_matrix(v, i, &area, plan, room_for_sums(v, plan->tile), found,
                       &plan->nest[i].matrix);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* All nests but the last, which may be split. */
static struct effort plan_first(const struct view *v, int64_t tile, int64_t threads,
                                struct plan *plan)
{
    struct effort sum = {0, 0, 0};
    *plan = (struct plan){.tile = tile, .threads = threads, .nests = v->nests->count};
    for (int i = 0; i + 1 < v->nests->count; i++)
        effort_add(&sum, plan_both(v, i, v->nest[i].rows * tile, v->nest[i].columns, plan));
    return sum;
}

/* The last nest, its columns shared by `split` blocks. */
static struct effort plan_last(const struct view *v, int64_t split, struct plan *plan)
{
    int last = v->nests->count - 1;
    plan->split = split > 1 ? v->nest[last].columns / split : 0;
    return plan_both(v, last, v->nest[last].rows * plan->tile, v->nest[last].columns / split, plan);
}

/* Blocks that the device has room for at a time. */
static int64_t blocks_at_once(const struct view *v, int64_t threads, int64_t shared)
{
    int64_t warps = divide_up(threads, WARP), room = RESIDENT / warps;
    if (shared && v->gpu->shared_all / (shared + 1024) < room)
        room = v->gpu->shared_all / (shared + 1024);
    return v->gpu->processors * (room < 1 ? 1 : room);
}

static double device_cycles(const struct view *v, const struct plan *plan, int64_t shared,
                            struct effort block)
{
    int64_t most = plan->blocks ? plan->blocks : blocks_at_once(v, plan->threads, shared);
    int64_t blocks = v->nests->pixel_count / plan->tile;
    if (plan->split)
        blocks *= v->shared_columns / plan->split;
    int64_t rounds = divide_up(blocks, most);
    int64_t at_once = divide_up(blocks, rounds * v->gpu->processors);
    double cycles = (double)rounds * effort_cycles(block, (double)at_once);
    if (v->nests->pixel_count % plan->tile) /* a kernel of its own */
        cycles += LAUNCH_CYCLES + block.latency;
    return cycles;
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

static void plan_tile(const struct view *v, int64_t tile, int64_t threads, double *least,
                      struct plan *best)
{
    struct plan plan;
    int64_t shared = view_shared_bytes(v, tile), columns = v->nest[v->nests->count - 1].columns;
    if (shared > v->gpu->shared_bytes || (tile > 1 && view_tile_bytes(v, tile) > MOST_TILE_BYTES))
        return;
    struct effort first = plan_first(v, tile, threads, &plan);
    for (int i = 0; i < v->locals; i++)
        plan.in_workspace[i] = v->local[i].in_workspace;
    plan.blocks = plan_blocks(v, tile, threads, shared);
    for (int64_t split = 1; split <= MOST_SPLIT; split *= 2) {
        if (split > 1 && (plan.blocks || !v->shared_columns || columns % split ||
                          columns / split < LEAST_COLUMNS))
            break;
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

/* Nests on their own: what matters first is enough threads for the whole device, then few kernels.
 */
static void plan_list(const struct view *v, struct plan *best)
{
    struct plan plan = {.tile = 1, .threads = 128, .nests = v->nests->count};
    for (int i = 0; i < v->nests->count; i++)
        plan_nest(v, i, v->nest[i].rows, v->nest[i].columns, 128 * v->gpu->processors,
                  &plan.nest[i]);
    *best = plan;
    int least = count_parts(v, &plan);
    for (plan.threads = 256; plan.threads >= WARP; plan.threads--) {
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
}
