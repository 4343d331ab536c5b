/* Writes a schedule for every kernel and target: register tiles by shape, pixels per tile by what
 * serves all nests of a kernel. Only writes it; apply_schedules carries it out, so that a person
 * who edits a dump goes the same way.
 *
 * The cost of a plan is an estimate in cycles: vector FMAs, loads, the latency of a chain of FMAs,
 * weights that come from L2 or beyond, and what every block costs to begin and to end. */
#include "gpu.h"
#include "tiles.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

pass_function schedule;

static bool store_is_contiguous(struct module *m, const struct nest *nest)
{
    if (!nest->vars)
        return false;
    struct var *last = nest->var[nest->vars - 1];
    const struct affine *flat =
        affine_linearize(m->arena, &nest->store->buffer->shape, nest->store->index);
    for (int i = 0; i < flat->count; i++)
        if (flat->term[i].kind == TERM_VAR && flat->term[i].var == last)
            return flat->term[i].factor == 1;
    return false;
}

struct operands {
    const struct kernel_stage *stage;
    struct var *const *pixel;
    int pixels;
    bool serves_all;
};

static bool load_uses(const struct expr *load, const struct var *var)
{
    return expr_uses_var(load, var);
}

static void visit_operand(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct operands *o = context;
    if (load->buffer->place == PLACE_STACK)
        return; /* private to a pixel */
    for (int i = 0; i < o->pixels; i++)
        if (load_uses(load, o->pixel[i]))
            return;
    for (int i = 0; i < o->stage->rows; i++)
        if (load_uses(load, o->stage->nest.var[i]))
            return;
    o->serves_all = true;
}

static const struct stmt *stages_of(const struct kernel *kernel, int *pixels, struct var **pixel)
{
    struct stmt **stages;
    bool found = kernel_stages(kernel, pixel, &stages);
    *pixels = found ? 3 : 0;
    return found ? *stages : kernel->body;
}

static const char *why_no_stage(const struct stmt *stage)
{
    struct stmt alone = *stage;
    struct nest nest;
    alone.next = NULL;
    if (!nest_of(&alone, &nest))
        return "a nest that is no loops around one store";
    for (int i = 0; i < nest.vars; i++)
        if (nest.loop[i] != LOOP_SERIAL)
            return "a loop that is not serial";
    const struct expr *value = nest.store->value;
    return expr_has_reduce(value) && !expr_find_reduce(value) ? "two reductions in one nest" : NULL;
}

bool kernel_check_schedulable(struct module *m, const struct kernel *kernel)
{
    struct var *pixel[3];
    int pixels, stages = 0, locals = 0;
    const char *why = kernel->target ? "a target of its own" : NULL;
    for (const struct stmt *s = stages_of(kernel, &pixels, pixel); s && !why; s = s->next, stages++)
        why = why_no_stage(s);
    for (const struct buffer *local = kernel->locals; local && !why; local = local->next, locals++)
        why = local->place == PLACE_STACK ? NULL : "a local buffer that is not on the stack";
    if (!why && (stages > MAX_STAGES_OF_KERNEL || locals > MAX_STAGES_OF_KERNEL))
        why = "more nests or local buffers than 64";
    if (!why)
        return true;
    m->error =
        arena_printf(m->arena, "kernel %s cannot have a schedule: it has %s", kernel->name, why);
    m->error_at = kernel->at;
    return false;
}

int kernel_list_stages(struct module *m, const struct kernel *kernel, int *pixels,
                       struct var **pixel, struct kernel_stage *stage)
{
    int count = 0;
    for (const struct stmt *s = stages_of(kernel, pixels, pixel); s; s = s->next, count++) {
        assert(count < MAX_STAGES_OF_KERNEL);
        struct kernel_stage *made = &stage[count];
        *made = (struct kernel_stage){.alone = *s};
        made->alone.next = NULL;
        bool nest = nest_of(&made->alone, &made->nest);
        assert(nest);
        (void)nest;
        made->reduce = expr_find_reduce(made->nest.store->value);
        made->rows = made->nest.vars - store_is_contiguous(m, &made->nest);
        struct operands operands = {made, pixel, *pixels, false};
        if (made->reduce)
            expr_visit_loads(made->reduce->in[0], 1, visit_operand, &operands);
        made->multiply = operands.serves_all;
    }
    return count;
}

struct stage_size stage_size(const struct kernel_stage *stage, int64_t tile)
{
    struct stage_size size = {1, 1, tile};
    for (int i = 0; i < stage->nest.vars; i++)
        *(i < stage->rows ? &size.rows : &size.columns) *= stage->nest.var[i]->extent;
    if (size.rows < OWN_ROWS) {
        size.rows *= tile;
        size.repeats = 1;
    }
    return size;
}

int segments_of_rows(int64_t total, int64_t block, struct segment *segment)
{
    int count = 0;
    if (total / block)
        segment[count++] = (struct segment){0, block, total / block, 1, 0};
    if (total % block)
        segment[count++] =
            (struct segment){total - total % block, total % block, 1, 1, total / block};
    return count;
}

int segments_of_columns(int64_t total, int64_t columns, int64_t lanes, struct segment *segment)
{
    int count = 0;
    int64_t at = 0;
    while (lanes > 1 && lanes > total)
        lanes /= 2;
    if (columns < lanes)
        columns = lanes;
    columns -= columns % lanes;
    while (at < total) {
        while (lanes > total - at)
            lanes /= 2;
        int64_t left = total - at;
        int64_t size = left >= columns ? columns : left - left % lanes;
        segment[count] = (struct segment){at, size, left / size, lanes, 0};
        at += size * segment[count++].count;
        columns = lanes > 1 ? columns : 1;
    }
    return count;
}

struct schedule *schedule_of(const struct kernel *kernel, const char *target)
{
    for (struct schedule *s = kernel->schedules; s; s = s->next)
        if (strcmp(s->target, target) == 0)
            return s;
    return NULL;
}

/* ---- costs ----------------------------------------------------------------------------------- */

enum { FAR_WEIGHTS = 2 << 20 /* bytes; more than this come from memory again at each inference */ };

enum { BLOCK_CYCLES = 12, LOADS_PER_CYCLE = 2, L2_BYTES_PER_CYCLE = 32, L3_BYTES_PER_CYCLE = 10 };
/* Of a pixel in a tile that is no part of a line nor whole lines; of a smaller last tile, whose code is
 * not in the caches yet. */
enum { STRADDLE_CYCLES = 24, REST_CYCLES = 300 };

struct sizes {
    struct stage_size of;
    int64_t depth;   /* of the reduction */
    int64_t weights; /* bytes that it reads */
};

static void visit_weight_bytes(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    if (load->buffer->place == PLACE_WEIGHTS)
        *(int64_t *)context += shape_elements(&load->buffer->shape) * 4;
}

static struct sizes sizes_of(const struct kernel_stage *s, int64_t tile)
{
    struct sizes sizes = {stage_size(s, tile), 1, 0};
    for (int i = 0; s->reduce && i < s->reduce->vars; i++)
        sizes.depth *= s->reduce->var[i]->extent;
    if (s->reduce)
        expr_visit_loads(s->reduce->in[0], 1, visit_weight_bytes, &sizes.weights);
    return sizes;
}

static double at_least(double a, double b)
{
    return a > b ? a : b;
}

/* One register tile, its reduction included. */
static double block_cycles(const struct target *t, const struct kernel_stage *s, int64_t rows,
                           int64_t vectors, int64_t depth, bool halves)
{
    double work = (double)(rows * vectors);
    if (!s->reduce)
        return 2 * work;
    double loads = s->multiply ? (double)(rows + vectors) : work + (double)rows;
    double step = at_least(work / t->fma_per_cycle, loads / LOADS_PER_CYCLE);
    step = at_least(step, t->fma_latency);
    if (halves) /* half the steps; at the end two shuffles and an addition */
        return step * (double)(depth / 2) + 4 * work + BLOCK_CYCLES;
    return step * (double)depth + 2 * work + BLOCK_CYCLES;
}

static double nest_cycles(const struct target *t, const struct kernel_stage *s,
                          const struct sizes *sizes, const struct nest_plan *plan)
{
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
    int rows = segments_of_rows(sizes->of.rows, plan->rows, row);
    int columns = segments_of_columns(sizes->of.columns, plan->columns, plan->lanes, column);
    double cycles = 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            cycles += (double)(row[i].count * column[j].count) *
                      block_cycles(t, s, row[i].size, column[j].size / column[j].lanes,
                                   sizes->depth, plan->halves);
    double rate = sizes->weights > t->l2_bytes / 2 ? L3_BYTES_PER_CYCLE : L2_BYTES_PER_CYCLE;
    /* Weights that L1 does not hold are one stream, which the machine fetches ahead while it
     * computes, if not for nothing. Rows are many short ones: they have to be in L1 when the next
     * column block comes back to them, and the fewer there are the better. */
    double stream = sizes->weights > t->l1_bytes ? (double)sizes->weights / rate : 0;
    int64_t row_bytes = s->multiply ? sizes->of.rows * sizes->depth * 4 : 0;
    if (row_bytes > t->l1_bytes)
        cycles *= 1.05;
    if (row_bytes && sizes->of.repeats == 1)
        cycles *= 1 + 0.02 * (double)(sizes->of.rows / plan->rows - 1);
    double hidden = sizes->weights > FAR_WEIGHTS ? 0.5 : 0.875;
    return cycles * (double)sizes->of.repeats + (1 - hidden) * stream;
}

/* Rows and vectors of register tiles: accumulators, a row's operands and the columns' fit the file.
 */
static bool fits_registers(const struct target *t, const struct kernel_stage *s, int64_t rows,
                           int64_t vectors)
{
    if (!s->reduce)
        return rows == 1 && vectors <= 4;
    if (!s->multiply)
        return rows * vectors <= 8;
    return rows * vectors + vectors + (vectors > 1) <= t->registers - (vectors > 1 ? 0 : 1);
}

/* Sets *plan to halves of the nest's sum where that is cheaper. */
static void plan_halves(const struct target *t, const struct kernel_stage *s,
                        const struct sizes *sizes, struct nest_plan *plan, double *best)
{
    for (int64_t rows = 1; rows <= t->registers - t->registers / 4 && rows <= sizes->of.rows;
         rows++) {
        struct nest_plan halves = {rows, sizes->of.columns, sizes->of.columns, 0, false, true};
        double cycles = nest_cycles(t, s, sizes, &halves);
        if (cycles < *best) {
            *best = cycles;
            *plan = halves;
        }
    }
}

static struct nest_plan plan_nest(const struct target *t, const struct kernel_stage *s,
                                  bool may_halve, int64_t tile, double *best)
{
    struct sizes sizes = sizes_of(s, tile);
    int64_t lanes = t->lanes;
    while (lanes > 1 && lanes > sizes.of.columns)
        lanes /= 2;
    struct nest_plan found = {1, lanes, lanes, 0, false, false};
    *best = HUGE_VAL;
    for (int64_t vectors = 1; vectors <= 8; vectors++)
        for (int64_t rows = 1; rows <= 30 && rows <= sizes.of.rows; rows++) {
            if (!fits_registers(t, s, rows, vectors) ||
                (vectors > 1 && vectors * lanes > sizes.of.columns) ||
                (s->multiply && PANEL % (vectors * lanes) && vectors * lanes % PANEL))
                continue;
            struct nest_plan plan = {rows, vectors * lanes, lanes, 0, false, false};
            double cycles = nest_cycles(t, s, &sizes, &plan);
            if (cycles < *best) {
                *best = cycles;
                found = plan;
            }
        }
    if (may_halve)
        plan_halves(t, s, &sizes, &found, best);
    return found;
}

struct kernel_view {
    const struct target *target;
    int64_t pixels, width; /* in all; of a line, 1 where there are none */
    struct var *pixel[3];
    int64_t bytes; /* of tiles per pixel */
    int64_t threads;
    int64_t together[2], together_bytes; /* nests that take pixels one by one; of their own tiles */
    int stages;
    struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    bool may_halve[MAX_STAGES_OF_KERNEL];
};

static double plan_tile(const struct kernel_view *k, int64_t tile, struct plan *plan)
{
    double cycles = 0, without[MAX_STAGES_OF_KERNEL];
    plan->tile = tile;
    plan->split = 0;
    memset(plan->lanes, 0, sizeof plan->lanes);
    plan->nests = k->stages;
    memcpy(plan->together, k->together, sizeof plan->together);
    for (int i = 0; i < k->stages; i++) {
        plan->nest[i] = plan_nest(k->target, &k->stage[i], k->may_halve[i], tile, &without[i]);
        cycles += without[i];
    }
    int64_t bytes = tile * k->bytes + k->together_bytes;
    int64_t lanes_bytes = tile * (k->bytes + k->together_bytes);
    if (k->width % tile == 0 && lanes_bytes <= k->target->l1_bytes / 2) /* beside lines of maps */
        cycles = plan_lanes(k->target, k->stage, k->pixel, without, plan);
    if (plan->lanes[1])
        bytes = lanes_bytes;
    bool narrow = k->target->lanes <= 8; /* measured on a Zen 3; 512 bits on a Sapphire Rapids */
    if (bytes > k->target->l1_bytes)
        cycles *= narrow ? 1.02 : 1.05;
    if (bytes > k->target->l2_bytes)
        cycles *= 1.05;
    if (narrow && k->width % tile && tile % k->width) /* each pixel's place by divisions */
        cycles += STRADDLE_CYCLES * (double)tile;
    return cycles;
}

/* Takes together the first nests that take pixels one by one anyway, if their weights and what they
 * hand on among each other stay in L1 so. */
static void find_together(struct kernel_view *k, int pixels, const struct buffer *locals)
{
    int64_t at[2] = {0, 1}, bytes = 0;
    while (at[0] + 1 < k->stages && !stages_together(k->stage, k->stages, pixels, at))
        at[1] = ++at[0] + 1;
    for (int64_t next[2] = {at[0], at[1]}; next[1] < k->stages; next[1]++)
        if (stages_together(k->stage, k->stages, pixels, next))
            at[1] = next[1];
        else
            break;
    if (!stages_together(k->stage, k->stages, pixels, at))
        return;
    for (int64_t i = at[0]; i <= at[1]; i++)
        bytes += sizes_of(&k->stage[i], 1).weights;
    for (const struct buffer *local = locals; local; local = local->next)
        if (stages_own(k->stage, k->stages, at, local))
            k->together_bytes += shape_elements(&local->shape) * 4;
    if (k->together_bytes && bytes + k->together_bytes <= k->target->l1_bytes) {
        k->bytes -= k->together_bytes;
        memcpy(k->together, at, sizeof k->together);
    } else {
        k->together_bytes = 0;
    }
}

/* A plan for all pixels: whole tiles, shared by the threads, and one smaller one for what is left.
 */
static double plan_all(const struct kernel_view *k, int64_t tile, struct plan *plan)
{
    struct plan rest;
    int64_t tiles = k->pixels / tile;
    double cycles = (double)((tiles + k->threads - 1) / k->threads) * plan_tile(k, tile, plan);
    if (k->pixels % tile)
        cycles += (k->target->lanes <= 8 ? REST_CYCLES : 0) + plan_tile(k, k->pixels % tile, &rest);
    return cycles;
}

enum { MAX_TILE = 128 };

static void plan_kernel(struct module *m, const struct kernel *kernel, const struct target *target,
                        struct plan *best)
{
    static struct kernel_view view; /* too large for the stack; filled in anew each time */
    int pixels;
    view = (struct kernel_view){.target = target, .pixels = 1, .width = 1, .threads = m->threads};
    view.stages = kernel_list_stages(m, kernel, &pixels, view.pixel, view.stage);
    for (int i = 0; i < view.stages; i++)
        view.may_halve[i] = stage_halves(m, &view.stage[i], target);
    for (int i = 0; i < pixels; i++)
        view.pixels *= view.width = view.pixel[i]->extent;
    for (const struct buffer *local = kernel->locals; local; local = local->next)
        view.bytes += shape_elements(&local->shape) * 4;
    find_together(&view, pixels, kernel->locals);
    double least = HUGE_VAL;
    struct plan plan = {0};
    for (int64_t tile = 1; tile <= MAX_TILE && tile <= view.pixels; tile++) {
        if (tile > 1 && tile * view.bytes > TILE_BYTES)
            break;
        double cycles = plan_all(&view, tile, &plan);
        if (cycles < least) {
            least = cycles;
            *best = plan;
        }
    }
}

int schedule(struct module *m)
{
    int changes = 0;
    char why[256];
    const struct rounding *rounding = rounding_new(m, m->arena);
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        if (!kernel_check_schedulable(m, kernel))
            break;
        for (int i = 0; i < m->targets; i++) {
            const struct target *target = target_find(m->target[i], why, sizeof why);
            assert(target); /* the command line was checked */
            if (schedule_of(kernel, m->target[i]))
                continue;
            struct plan plan = {0};
            if (target->gpu) {
                gpu_plan(m, kernel, target, rounding, &plan);
            } else {
                plan_kernel(m, kernel, target, &plan);
                plan_linear(m, kernel, target, &plan);
                plan_shares(m, kernel, target, &plan);
            }
            schedule_write(m, kernel, m->target[i], &plan);
            changes++;
        }
    }
    return changes;
}
