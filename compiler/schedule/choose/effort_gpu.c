/* What nests of GPUs cost: see effort_gpu.h. Not measured: it only has to rank. */
#include "effort_gpu.h"
#include "build_matrix.h"
#include "segments.h"

enum {
    WARP = WARP_THREADS,
    ISSUES = 4,       /* warps that start an instruction each cycle */
    RESIDENT = 16,    /* warps, of 128 registers a thread, that a multiprocessor has room for */
    TILE_CYCLES = 24, /* a register tile's indices, init and end */
    NEST_CYCLES = 40, /* a barrier */
    FAR_CYCLES = 280, /* loads from L2 */
    NEAR_CYCLES = 40, /* and from shared memory */
    FAR_BYTES = 28,   /* that come from L2 each cycle */
    CHAIN_CYCLES = 4, /* one addition after the other */
    LAUNCH_CYCLES = 3000,
    MATRIX_CYCLES = 8, /* of a warp: 16 x 8 sums of a fragment's terms */
    LOAD_CYCLES = 2,   /* and a load of a fragment's operands */
    FAR_WAVES = 8,     /* lines of memory that a load of a fragment's rows touches */
    MOST_STAGED = 128  /* terms of rows that are likely to be staged */
};

/* Threads that read rows of a product from memory wait for them again and again. */
static const double SLOW_ROWS = 1.5;
static const double SLOW_TILE = 1.1;
static const double PRODUCT_CYCLES = 6.5; /* of a warp's matrix unit: 16 x 8 sums */

/* ---- register tiles -------------------------------------------------------------------------- */

void effort_add(struct effort *sum, struct effort effort)
{
    sum->issue += effort.issue;
    sum->latency += effort.latency;
    sum->bytes += effort.bytes;
}

/* The more blocks there are, the more often others compute while one waits. */
double effort_cycles(struct effort effort, double at_once)
{
    double loads = effort.bytes / FAR_BYTES;
    double most = fmax(effort.issue, loads), least = fmin(effort.issue, loads);
    return at_once * (most + 0.3 * least) + effort.latency * (1 + 2 / at_once);
}

/* One register tile of one thread. */
static struct effort tile_effort(const struct kernel_nest *s, bool far, int64_t depth, int64_t rows,
                                 int64_t columns, int64_t lanes)
{
    double elements = (double)(rows * columns);
    struct effort effort = {TILE_CYCLES + 4 * elements, far || s->reduce ? FAR_CYCLES : NEAR_CYCLES,
                            0};
    if (!s->reduce)
        return effort;
    int64_t innermost = s->reduce->var[s->reduce->vars - 1]->extent;
    int64_t unroll = threads_unroll(rows * columns, innermost);
    double loads = s->multiply ? 0.5 * (double)(rows + columns) : 2.4 * elements / (double)lanes;
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
    double each = dtype_bytes[v->nest[i].halves ? DTYPE_BF16 : DTYPE_F32];
    return each * (double)v->nest[i].depth * (double)(columns + (v->nest[i].far ? rows : 0));
}

/* Results of so many sums in shared memory, four of each thread at a time. */
static struct effort finish_effort(int64_t sums, int64_t threads)
{
    int64_t tiles = divide_up(sums, 4);
    double issue = TILE_CYCLES + 4 * 4;
    return (struct effort){issue * (double)divide_up(tiles, WARP) / ISSUES,
                           NEST_CYCLES + FAR_CYCLES * (double)divide_up(tiles, threads), 0};
}

/* All register tiles of a nest of a block. */
struct effort nest_effort(const struct view *v, int i, int64_t rows, int64_t columns,
                          int64_t threads, const struct nest_plan *plan)
{
    const struct kernel_nest *s = &v->nests->nest[i];
    int64_t across = divide_up(columns, plan->columns), tiles = rows / plan->rows * across;
    struct effort sum = {0, 0, operand_bytes(v, i, rows, columns)};
    double slow = v->nest[i].staging ? SLOW_ROWS : 1;
    int64_t parts = plan->parts ? plan->parts : 1, depth = v->nest[i].depth / parts;
    for (int rest = 0; rest < 2; rest++) {
        int64_t size = rest ? rows % plan->rows : plan->rows;
        int64_t count = parts * (rest ? (size ? across : 0) : tiles);
        struct effort one =
            tile_effort(s, v->nest[i].far, depth, size ? size : 1, plan->columns, plan->lanes);
        if (v->nest[i].halves) /* they are widened for FMAs */
            one.issue += (double)(depth * (size + plan->columns));
        double turns = (double)divide_up(count, threads);
        double warps = (double)divide_up(count, WARP);
        double waves = s->multiply ? (double)(depth * (size + plan->columns)) : 0;
        effort_add(&sum, (struct effort){slow * warps * fmax(one.issue / ISSUES, waves),
                                         one.latency * turns, 0});
    }
    sum.latency += NEST_CYCLES;
    if (parts > 1) {
        effort_add(&sum, finish_effort(rows * columns, threads));
        sum.issue += (double)(parts * rows * columns) / WARP / ISSUES;
        sum.latency += (double)parts * CHAIN_CYCLES;
    }
    return sum;
}

/* Tiles of a warp, `count` of them. */
static struct effort warp_effort(const struct view *v, int i, int64_t rows, int64_t columns,
                                 int64_t parts, int64_t count, int64_t warps)
{
    bool staged = v->nest[i].staging && v->nest[i].depth <= MOST_STAGED;
    double slow = v->nest[i].staging && !staged ? SLOW_ROWS : 1;
    int64_t row_fragments = rows / MATRIX_ROWS, column_fragments = columns / MATRIX_COLUMNS;
    int64_t depth = v->nest[i].depth / parts, steps = depth / v->terms, rest = depth % v->terms;
    count *= parts;
    int64_t unroll = matrix_unroll(row_fragments * column_fragments, steps);
    int64_t fours = v->terms / (v->nest[i].halves ? 8 : 4); /* of a fragment's terms, 16 bytes */
    int64_t loads = fours * (2 * row_fragments + column_fragments / matrix_lanes(columns));
    int64_t waves = fours * (2 * row_fragments * (v->nest[i].far && !staged ? FAR_WAVES : 1) +
                             column_fragments);
    double elements = (double)(rows * columns / WARP);
    double issue = TILE_CYCLES + (4 + 2 * (double)rest) * elements +
                   (double)steps * (double)(MATRIX_CYCLES * row_fragments * column_fragments +
                                            LOAD_CYCLES * loads);
    double latency =
        FAR_CYCLES + (double)(steps / unroll) * (v->nest[i].far ? FAR_CYCLES : NEAR_CYCLES);
    return (struct effort){slow * (double)count * fmax(issue / ISSUES, (double)(steps * waves)),
                           latency * (double)divide_up(count, warps), 0};
}

/* A nest in tiles of warps. Threads compute what fills no fragment, except rows that are repeated
 * to fill one. */
struct effort matrix_effort(const struct view *v, int i, const struct area *area, int64_t threads,
                            const struct nest_plan *plan, const struct matrix_plan *matrix)
{
    int64_t parts = plan->parts ? plan->parts : 1;
    int64_t rows = matrix->pad ? matrix_padded(area->rows) : area->rows - area->rows % MATRIX_ROWS,
            columns = area->columns - area->columns % MATRIX_COLUMNS;
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
    int row_segments = segments_of_rows(rows, matrix->rows, row);
    int column_segments = segments_of_rows(columns, matrix->columns, column);
    struct effort sum = {0, NEST_CYCLES, operand_bytes(v, i, rows, columns)};
    for (int a = 0; a < row_segments; a++)
        for (int b = 0; b < column_segments; b++)
            effort_add(&sum, warp_effort(v, i, row[a].size, column[b].size, parts,
                                         row[a].count * column[b].count, threads / WARP));
    if (matrix->pad || parts > 1)
        effort_add(&sum, finish_effort(area->rows * columns, threads));
    sum.issue += parts > 1 ? (double)(parts * rows * columns) / WARP / ISSUES : 0;
    if (columns < area->columns)
        effort_add(&sum, nest_effort(v, i, rows < area->rows ? rows : area->rows,
                                     area->columns - columns, threads, plan));
    if (rows < area->rows)
        effort_add(&sum, nest_effort(v, i, area->rows - rows, area->columns, threads, plan));
    return sum;
}

/* ---- the device ------------------------------------------------------------------------------ */

/* Blocks that the device has room for at a time. */
int64_t blocks_at_once(const struct view *v, int64_t threads, int64_t shared)
{
    int64_t warps = divide_up(threads, WARP), room = RESIDENT / warps;
    int64_t by_shared = gpu_blocks_in_shared(v->gpu, shared);
    room = by_shared < room ? by_shared : room;
    return v->gpu->processors * (room < 1 ? 1 : room);
}

double device_cycles(const struct view *v, const struct plan *plan, int64_t shared,
                     struct effort block)
{
    int64_t most = plan->blocks ? plan->blocks : blocks_at_once(v, plan->threads, shared);
    int64_t blocks = v->nests->pixel_count / plan->tile;
    if (plan->split)
        blocks *= v->shared_columns / plan->split;
    int64_t each = divide_up(blocks, v->gpu->processors); /* of a multiprocessor */
    int64_t at_once = divide_up(most, v->gpu->processors);
    at_once = at_once < each ? at_once : each;
    double cycles = (double)(each / at_once) * effort_cycles(block, (double)at_once);
    if (each % at_once) /* the last ones, with less to hide their waiting */
        cycles += effort_cycles(block, (double)(each % at_once));
    int64_t line = v->nests->pixels ? v->nests->pixel[v->nests->pixels - 1]->extent : 1;
    if (line % plan->tile && plan->tile % line) /* indices of pixels are divided and put together */
        cycles *= SLOW_TILE;
    if (v->nests->pixel_count % plan->tile) /* a kernel of its own */
        cycles += LAUNCH_CYCLES + effort_cycles(block, 1);
    return cycles;
}

/* ---- blocks of terms ------------------------------------------------------------------------- */

enum {
    COPY_CYCLES = 8,   /* of a warp: a vector for each thread */
    DRAM_CYCLES = 520, /* loads from beyond L2 */
    WAVE_FLOATS =
        8, /* of a warp's vectors that shared memory delivers each cycle, a multiprocessor's
                           four warps together: 128 bytes of 32 threads */
};

/* A block's products: the multiprocessor's cycles of all warps, by what they issue and by what they
 * read from shared memory; the latency is that of one warp. */
static struct effort block_effort(const struct view *v, const struct plan *plan, int64_t rows,
                                  int64_t columns)
{
    int last = v->nests->count - 1;
    const struct nest_plan *nest = &plan->nest[last];
    const struct matrix_plan *matrix = &nest->matrix;
    double depth = (double)nest->depth, issue, reads;
    int64_t warps;
    if (matrix->rows) {
        double a = (double)(matrix->rows / MATRIX_ROWS);
        double b = (double)(matrix->columns / MATRIX_COLUMNS);
        bool halves = v->nest[last].halves;
        double steps = depth / (double)v->terms, fours = depth / (halves ? 8 : 4);
        warps = (rows / matrix->rows) * (columns / matrix->columns);
        reads = fours * (2 * a + b);
        /* a pair of registers for each product; pairs of floats are rounded together */
        double moves = v->terms == 8 || halves ? 2 * a * b : 4 * a + 2 * b;
        issue =
            fmax(steps * PRODUCT_CYCLES * a * b, steps * (a * b + moves) + fours * (2 * a + b / 4));
    } else {
        double r = (double)nest->rows, c = (double)nest->columns;
        warps = divide_up((rows / nest->rows) * (columns / nest->columns), WARP);
        reads = depth * (r + c);
        issue = depth * (r * c + (r + c) / 4 + 1) + TILE_CYCLES;
    }
    double all = issue * (double)warps / ISSUES;
    return (struct effort){fmax(all, reads * (double)warps), NEAR_CYCLES, 0};
}

struct effort blocks_effort(const struct view *v, const struct plan *plan)
{
    int last = v->nests->count - 1;
    const struct nest_plan *nest = &plan->nest[last];
    int64_t columns = plan->split ? plan->split : v->nest[last].columns;
    int64_t rows = v->nest[last].rows * plan->tile, threads = plan->threads;
    struct effort sum = block_effort(v, plan, rows, columns);
    double each = dtype_bytes[v->nest[last].halves ? DTYPE_BF16 : DTYPE_F32], vector = 16 / each;
    double vectors = (double)(nest->depth * columns) / vector, stored = (double)(rows * columns);
    bool local = nest_row_local(&v->nests->nest[last]) != NULL;
    if (local)
        effort_add(&sum, nest_effort(v, last - 1, plan->tile, nest->depth, threads,
                                     &plan->nest[last - 1]));
    else
        vectors += (double)(nest->depth * rows) / vector;
    sum.issue += COPY_CYCLES * vectors / WARP / ISSUES;
    sum.bytes = each * (double)(nest->depth * (rows + columns));
    double wait = nest->ahead && !local ? 0 : DRAM_CYCLES;
    sum.latency += (nest->ahead ? 1 : 2) * NEST_CYCLES + wait;
    double steps = (double)(v->nest[last].depth / nest->depth);
    sum = (struct effort){sum.issue * steps, sum.latency * steps, sum.bytes * steps};
    struct effort end = {2 * stored / WARP / ISSUES + TILE_CYCLES,
                         DRAM_CYCLES + 4 * stored / (double)threads, 4 * stored};
    effort_add(&sum, end);
    return sum;
}
