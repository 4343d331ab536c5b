/* Chooses for processors: register tiles by shape, and the pixels of a tile that are best for all
 * nests of a kernel together.
 *
 * The cost of a plan is an estimate in cycles: vector FMAs, loads, the latency of a chain of FMAs,
 * weights from L2 or beyond, and the beginning and end of every block. */
#include "choose_processor.h"
#include "choose_amx.h"
#include "choose_lanes.h"
#include "choose_linear.h"
#include "choose_shares.h"
#include "core_model.h"
#include "matrix.h"
#include "rules.h"
#include "segments.h"
#include <string.h>

/* ---- costs ----------------------------------------------------------------------------------- */

enum { FAR_WEIGHTS = 2 << 20 /* bytes; more than this come from memory again at each inference */ };

/* For each pixel of a tile that is neither whole lines nor a part of one; for a smaller last tile,
 * whose code is not in the caches yet. */
enum { STRADDLE_CYCLES = 24, REST_CYCLES = 300 };

/* Where nothing is summed: of a block's loop, and of each of its rows; vectors that are written
 * out, of exponentials, of one row. */
static const double STEP_CYCLES = 1, ROW_CYCLES = 0.1;
enum { MOST_WRITTEN = 12, MOST_EXPONENTIALS = 4, MOST_ACROSS = 4 };

struct sizes {
    struct nest_size of;
    int64_t steps;     /* of the reduction */
    int64_t row_bytes; /* that a row of them reads */
    int64_t weights;   /* bytes that it reads */
    bool stored;       /* AMX stores its results */
};

/* How a nest's sum may be added. */
struct sums {
    bool halve, pair, amx;
};

static struct sizes sizes_of(const struct kernel_nest *s, const struct sums *sums, int64_t tile)
{
    int64_t depth = nest_depth(s), at_once = sums->amx ? TILE_TERMS : sums->pair ? PAIR : 1;
    return (struct sizes){.of = nest_measure(s, tile),
                          .steps = (depth + at_once - 1) / at_once,
                          .row_bytes = depth * dtype_bytes[at_once > 1 ? DTYPE_BF16 : DTYPE_F32],
                          .weights = nest_weight_bytes(s)};
}

/* One register tile, its reduction included. */
static double block_cycles(const struct target *t, const struct kernel_nest *s, int64_t rows,
                           int64_t vectors, const struct sizes *sizes, const struct nest_plan *plan)
{
    double work = (double)(rows * vectors);
    int64_t steps = sizes->steps, tiles = segments_tiles(rows, 0) * vectors;
    if (plan->amx)
        return core_tiles_cycles(rows, vectors, TILE_TERMS) * (double)steps + BLOCK_CYCLES +
               core_tiles_moved(tiles, rows, vectors, sizes->stored);
    if (!s->reduce)
        return 2 * work + (t->lanes <= 8 ? STEP_CYCLES + (double)rows * ROW_CYCLES : 0);
    double loads = s->multiply ? (double)(rows + vectors) : work + (double)rows;
    double step = core_step_cycles(t, work, loads);
    if (plan->halves) /* half the steps; at the end two shuffles and an addition */
        return step * (double)(steps / 2) + 4 * work + BLOCK_CYCLES;
    return step * (double)steps + 2 * work + BLOCK_CYCLES;
}

/* A smaller last block counts with 512 bits alone (measured on a Zen 4): tiles of 28 pixels for 27,
 * which lie in one line of the map. With 256 bits (Zen 3, Zen 4) it made some kernels slower. */
static int64_t blocks_of_rows(const struct target *t, int64_t rows, int64_t of)
{
    return (rows + (t->lanes > 8 ? of - 1 : 0)) / of;
}

static double nest_cycles(const struct target *t, const struct kernel_nest *s,
                          const struct sizes *sizes, const struct nest_plan *plan)
{
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
    int64_t height = segments_height(sizes->of.rows, plan->rows, plan->columns / plan->lanes);
    int rows = plan->amx ? segments_of_tiles(sizes->of.rows, plan->rows, height, row)
                         : segments_of_rows(sizes->of.rows, plan->rows, row);
    int columns = segments_of_columns(sizes->of.columns, plan->columns, plan->lanes, column);
    double cycles = plan->amx && !height ? (double)(rows * TILE_SETUP_CYCLES) : 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            cycles +=
                (double)(row[i].count * column[j].count) *
                block_cycles(t, s, row[i].size, column[j].size / column[j].lanes, sizes, plan);
    double rate = sizes->weights > t->l2_bytes / 2 ? L3_BYTES_PER_CYCLE : L2_BYTES_PER_CYCLE;
    /* Weights that L1 does not hold are one stream, which the machine prefetches while it computes,
     * at some cost. Rows are many short streams: they have to be in L1 still when the next column
     * block reads them again, and the fewer there are the better. */
    double stream = sizes->weights > t->l1_bytes ? (double)sizes->weights / rate : 0;
    int64_t row_bytes = s->multiply ? sizes->of.rows * sizes->row_bytes : 0;
    if (row_bytes > t->l1_bytes)
        cycles *= 1.05;
    if (row_bytes && sizes->of.repeats == 1)
        cycles *= 1 + 0.02 * (double)(blocks_of_rows(t, sizes->of.rows, plan->rows) - 1);
    double hidden = sizes->weights > FAR_WEIGHTS ? 0.5 : 0.875;
    return cycles * (double)(sizes->of.repeats * nest_groups(s)) + (1 - hidden) * stream;
}

/* Where nothing is summed: how much is written out, to save loops. Rows with 256 bits alone: not
 * measured with 512. */
static bool fits_code(const struct target *t, const struct kernel_nest *s,
                      const struct sizes *sizes, int64_t rows, int64_t vectors)
{
    int64_t most = s->exponentials ? MOST_EXPONENTIALS : MOST_WRITTEN;
    return vectors <= MOST_ACROSS && (rows == 1 || rows * vectors <= most) &&
           (rows == 1 || t->lanes <= 8) && nest_even_rows(s, s->rows, sizes->of.repeats == 1, rows);
}

/* Whether the accumulators of a register tile and the operands of its rows and columns fit the
 * register file. */
static bool fits_registers(const struct target *t, const struct kernel_nest *s, int64_t rows,
                           int64_t vectors)
{
    if (!s->multiply)
        return rows * vectors <= 8;
    return rows * vectors + vectors + (vectors > 1) <= t->registers - (vectors > 1 ? 0 : 1);
}

/* Sets *plan to halves of the nest's sum where that is cheaper. */
static void plan_halves(const struct target *t, const struct kernel_nest *s,
                        const struct sizes *sizes, struct nest_plan *plan, double *best)
{
    bool pairs = plan->pairs;
    for (int64_t rows = 1; rows <= t->registers - t->registers / 4 && rows <= sizes->of.rows;
         rows++) {
        struct nest_plan halves = {.rows = rows,
                                   .columns = sizes->of.columns,
                                   .lanes = sizes->of.columns,
                                   .halves = true,
                                   .pairs = pairs};
        double cycles = nest_cycles(t, s, sizes, &halves);
        if (cycles < *best) {
            *best = cycles;
            *plan = halves;
        }
    }
}

/* Sets *plan to AMX where that is cheaper. */
static void plan_amx(const struct subject *subject, const struct kernel_nest *s, int64_t tile,
                     struct nest_plan *plan, double *best)
{
    const struct sums sums = {.amx = true};
    const struct target *t = subject->target;
    struct sizes sizes = sizes_of(s, &sums, tile);
    int64_t lanes = TILE_COLUMNS;
    while (lanes > sizes.of.columns)
        lanes /= 2;
    for (int64_t vectors = 1; vectors <= 2; vectors++)
        for (int64_t rows = 1; rows <= 2 * TILE_ROWS && rows <= sizes.of.rows; rows++) {
            if (segments_tiles(rows, 0) * vectors > MOST_TILES ||
                vectors * lanes > sizes.of.columns ||
                (PANEL % (vectors * lanes) && vectors * lanes % PANEL))
                continue;
            struct nest_plan tiles = {
                .rows = rows, .columns = vectors * lanes, .lanes = lanes, .amx = true};
            struct amx_rows from = amx_rows(subject, s, tile, rows, vectors);
            int64_t passes = (sizes.of.columns + tiles.columns - 1) / tiles.columns;
            sizes.stored = from.stored;
            double cycles = nest_cycles(t, s, &sizes, &tiles) +
                            amx_rows_cycles(subject, s, tile, &from, passes);
            if (cycles < *best) {
                *best = cycles;
                *plan = tiles;
            }
        }
}

static struct nest_plan plan_nest(const struct subject *subject, const struct kernel_nest *s,
                                  struct sums sums, int64_t tile, double *best)
{
    const struct target *t = subject->target;
    const struct sums in_vectors = {.halve = sums.halve, .pair = sums.pair};
    struct sizes sizes = sizes_of(s, &in_vectors, tile);
    int64_t lanes = t->lanes;
    while (lanes > 1 && lanes > sizes.of.columns)
        lanes /= 2;
    struct nest_plan found = {.rows = 1, .columns = lanes, .lanes = lanes, .pairs = sums.pair};
    *best = HUGE_VAL;
    for (int64_t vectors = 1; vectors <= 8; vectors++)
        for (int64_t rows = 1; rows <= 30 && rows <= sizes.of.rows; rows++) {
            bool fits = s->reduce ? fits_registers(t, s, rows, vectors)
                                  : fits_code(t, s, &sizes, rows, vectors);
            if (!fits || (vectors > 1 && vectors * lanes > sizes.of.columns) ||
                (s->multiply && PANEL % (vectors * lanes) && vectors * lanes % PANEL))
                continue;
            struct nest_plan plan = {
                .rows = rows, .columns = vectors * lanes, .lanes = lanes, .pairs = sums.pair};
            double cycles = nest_cycles(t, s, &sizes, &plan);
            if (cycles < *best) {
                *best = cycles;
                found = plan;
            }
        }
    if (sums.halve)
        plan_halves(t, s, &sizes, &found, best);
    if (sums.amx)
        plan_amx(subject, s, tile, &found, best);
    return found;
}

/* A kernel as plans for processors see it. */
struct view {
    const struct subject *subject;
    int64_t width;              /* of a line of pixels, 1 where there are none */
    struct nest_range together; /* nests that take pixels one by one */
    int64_t tile_bytes,
        together_bytes; /* of all buffers, per pixel; of those that only `together` touches */
    struct sums sums[MAX_NESTS];
};

static double plan_tile(const struct view *v, int64_t tile, struct plan *plan)
{
    const struct target *target = v->subject->target;
    const struct nests *nests = v->subject->nests;
    double cycles = 0, without[MAX_NESTS];
    *plan = (struct plan){.tile = tile, .nests = nests->count, .together = v->together};
    for (int i = 0; i < nests->count; i++) {
        plan->nest[i] = plan_nest(v->subject, &nests->nest[i], v->sums[i], tile, &without[i]);
        cycles += without[i];
    }
    int64_t bytes = tile * v->tile_bytes + v->together_bytes;
    int64_t lanes_bytes = tile * (v->tile_bytes + v->together_bytes);
    if (v->width % tile == 0 &&
        lanes_bytes <= target->l1_bytes / 2) /* together with lines of maps */
        cycles = lanes_choose(v->subject, without, plan);
    if (plan->lanes.end)
        bytes = lanes_bytes;
    bool narrow = target->lanes <= 8; /* measured on a Zen 3; 512 bits on a Sapphire Rapids */
    if (bytes > target->l1_bytes)
        cycles *= narrow ? 1.02 : 1.05;
    if (bytes > target->l2_bytes)
        cycles *= 1.05;
    if (narrow && v->width % tile && tile % v->width) /* each pixel's place by divisions */
        cycles += STRADDLE_CYCLES * (double)tile;
    return cycles;
}

/* The first nests that take pixels one by one anyway, at least two; else none. */
static struct nest_range first_repeating(const struct nests *nests)
{
    int64_t begin = 0, end;
    while (begin + 1 < nests->count &&
           !(nest_repeats(nests, begin) && nest_repeats(nests, begin + 1)))
        begin++;
    for (end = begin; end < nests->count && nest_repeats(nests, end);)
        end++;
    return end > begin + 1 ? (struct nest_range){begin, end} : (struct nest_range){0, 0};
}

/* Takes them together if their weights and the values between them then stay in L1. */
static void find_together(struct view *v)
{
    const struct nests *nests = v->subject->nests;
    struct plan plan = {.together = first_repeating(nests)};
    int64_t bytes = 0, own = 0;
    for (int64_t i = plan.together.begin; i < plan.together.end; i++)
        bytes += nest_weight_bytes(&nests->nest[i]);
    for (const struct buffer *local = nests->kernel->locals; local; local = local->next)
        if (plan_keeps_to_pixel(&plan, nests, local))
            own += buffer_bytes(local);
    if (own && bytes + own <= v->subject->target->l1_bytes) {
        v->tile_bytes -= own;
        v->together_bytes = own;
        v->together = plan.together;
    }
}

/* A plan for all pixels: whole tiles, shared by the threads, and a smaller one for the rest. */
static double plan_all(const struct view *v, int64_t tile, struct plan *plan)
{
    struct plan rest;
    int64_t pixels = v->subject->nests->pixel_count, tiles = pixels / tile;
    int64_t threads = v->subject->m->threads;
    double cycles = (double)((tiles + threads - 1) / threads) * plan_tile(v, tile, plan);
    if (pixels % tile)
        cycles +=
            (v->subject->target->lanes <= 8 ? REST_CYCLES : 0) + plan_tile(v, pixels % tile, &rest);
    return cycles;
}

enum { MAX_TILE = 128 };

void processor_enumerate(const struct subject *subject, plan_visitor *visit, void *context)
{
    const struct nests *nests = subject->nests;
    struct view view = {.subject = subject, .width = 1, .tile_bytes = nests->local_bytes};
    for (int i = 0; i < nests->count; i++)
        view.sums[i] = (struct sums){nest_can_halve(subject->m, &nests->nest[i], subject->target),
                                     nest_can_pair(subject->m, &nests->nest[i], subject->target),
                                     nest_can_amx(subject->m, &nests->nest[i], subject->target)};
    if (nests->pixels)
        view.width = nests->pixel[2]->extent;
    find_together(&view);
    struct plan plan;
    for (int64_t tile = 1; tile <= MAX_TILE && tile <= nests->pixel_count; tile++) {
        if (tile > 1 && tile * view.tile_bytes > TILE_BYTES)
            break;
        double cycles = plan_all(&view, tile, &plan);
        visit(context, &plan, cycles);
    }
}

struct cheapest {
    double cycles;
    struct plan *plan;
};

static void keep_cheapest(void *context, const struct plan *plan, double cycles)
{
    struct cheapest *cheapest = context;
    if (cycles >= cheapest->cycles)
        return;
    cheapest->cycles = cycles;
    *cheapest->plan = *plan;
}

void processor_choose(const struct subject *subject, struct plan *plan)
{
    struct cheapest cheapest = {HUGE_VAL, plan};
    processor_enumerate(subject, keep_cheapest, &cheapest);
    linear_choose(subject, plan);
    shares_choose(subject, plan);
}
