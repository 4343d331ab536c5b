/* Schedules of kernels with one linear and elementwise work around it: most of a network's
 * arithmetic. This search considers what the general one does not: blocks of the reduction (depth),
 * prefetches, and splitting columns among workers where a map has few pixels. A grouped linear, as
 * of a Winograd transform, counts as one with the columns of all groups.
 *
 * The cycles of a tile of pixels are those of its register tiles (FMAs or loads, whichever take
 * longer, and the beginning and end of each); of rows, which come from L2 again for every block of
 * columns; and of weights, which come from L2 for every block of rows, or from beyond once per
 * tile. The parts of these that computation does not hide were fitted to measured times of SAN's
 * shapes: 512-bit vectors on a Sapphire Rapids, 256-bit vectors on a Zen 3. */
#include "choose_linear.h"
#include "affine.h"
#include "choose_amx.h"
#include "core_model.h"
#include "matrix.h"
#include "rules.h"
#include "segments.h"

#define LOOP_CYCLES 0.5                     /* of a step of the reduction */
enum { WAY_BYTES = 4096, LINE_BYTES = 64 }; /* of L1: all sets of a way, a line */
enum {
    SHARE_CYCLES = 2000, /* until a share's weights arrive; on a Zen 3, like shown_wait */
};
/* Rows of a tile: more rows use weights more often, but no longer fit L1. A small map is one tile,
 * since its weights come from memory. */
enum {
    DEPTH = 128,
    MOST_DEPTH = 512,
    LEAST_DEPTH = 1024,
    MAX_ROWS = 32,
    MAX_ALL_ROWS = 64,
    MAX_GROUPS = 64
};

static const double shown_rows = 0.3, shown_far = 0.1, shown_wait = 0.2;
/* By lanes: 256 bits, 512 bits. */
static const double shown_weights[] = {0.03, 0.15};
static const int64_t most_depth[] = {512, 128};

struct linear {
    const struct subject *subject;
    const struct kernel_nest *nest;
    const struct target *target;
    int64_t pixels, threads, tile_bytes; /* in all; at most; of stack tiles per pixel */
    int64_t own_rows, depth, columns;    /* of the linear: rows per pixel */
    int64_t matrices;       /* that share out the columns: groups of a grouped linear */
    int64_t at_once, bytes; /* terms that a step adds; of a factor */
    int64_t apart;          /* bytes between its rows in a map; 0: they lie in none */
    bool amx;               /* by AMX, at_once terms in a tile */
    int64_t other, shared;  /* elements that the other nests make, per pixel: for every group of
                             * columns, and for all groups together */
    int64_t splittable;     /* columns that may be shared out; 0: none */
    bool depth_allowed,
        copies; /* whether the depth may be in blocks; whether these need a copy of the rows */
};

struct choice {
    int64_t tile, groups, rows, vectors, depth;
};

/* Of one register tile by AMX, its sum in `deep` blocks; whether it stores the results. */
static double tiles_cycles(const struct linear *l, const struct choice *c, int64_t rows,
                           int64_t deep, bool stored)
{
    double steps = (double)((l->depth + l->at_once - 1) / l->at_once);
    double moved = core_tiles_moved(segments_tiles(rows, 0) * c->vectors, rows, c->vectors, stored);
    return steps * core_tiles_cycles(rows, c->vectors, l->at_once) +
           (double)deep * (moved + BLOCK_CYCLES);
}

/* Whether so many rows meet in one set of L1, which has fewer ways: rows of a map that lie a multiple
 * of 4096 bytes apart. Each step then fetches all their lines from L2 again. */
static bool rows_collide(const struct linear *l, const struct choice *c, int64_t rows)
{
    return !c->depth && l->apart && l->apart % WAY_BYTES == 0 &&
           rows > l->target->l1_bytes / WAY_BYTES;
}

static double register_tiles(const struct linear *l, const struct choice *c, int64_t tile,
                             int64_t columns)
{
    int64_t rows = tile * l->own_rows;
    struct segment segment[MAX_SEGMENTS];
    int64_t blocks = columns / (c->vectors * l->target->lanes);
    int64_t deep = c->depth ? l->depth / c->depth : 1;
    int64_t height = segments_height(rows, c->rows, c->vectors);
    int segments = l->amx ? segments_of_tiles(rows, c->rows, height, segment)
                          : segments_of_rows(rows, c->rows, segment);
    double cycles = l->amx && !height ? (double)(segments * blocks * TILE_SETUP_CYCLES) : 0;
    bool stored =
        l->amx && !c->depth && amx_rows(l->subject, l->nest, tile, c->rows, c->vectors).stored;
    for (int i = 0; i < segments; i++) {
        if (l->amx) {
            cycles += (double)(segment[i].count * blocks) *
                      tiles_cycles(l, c, segment[i].size, deep, stored);
            continue;
        }
        double work = (double)(segment[i].size * c->vectors);
        double loads = (double)(segment[i].size + c->vectors + 1);
        double step = core_step_cycles(l->target, work, loads);
        if (rows_collide(l, c, segment[i].size))
            step = fmax(step, (double)(segment[i].size * LINE_BYTES / L2_BYTES_PER_CYCLE));
        step += LOOP_CYCLES;
        cycles += (double)(segment[i].count * blocks) *
                  (step * (double)(l->depth / l->at_once) +
                   (double)deep * ((c->depth ? 3 : 2) * work + BLOCK_CYCLES));
    }
    return cycles;
}

/* Cycles for the rows of a tile that are computed or copied before the sum begins. */
static double moved_cycles(const struct linear *l, const struct choice *c, int64_t tile)
{
    int64_t copied = c->depth && l->copies ? l->own_rows * l->depth : 0;
    int64_t moved = l->other + l->shared / c->groups + copied;
    return 2 * (double)(moved * tile) / (double)l->target->lanes;
}

/* Cycles for rows that come from L2 again for every block of columns. */
static double rows_cycles(const struct linear *l, const struct choice *c, int64_t tile,
                          int64_t columns)
{
    int64_t width = c->vectors * l->target->lanes, panel = width > PANEL ? width : PANEL;
    int64_t at_once = c->depth ? c->depth : l->depth;
    if (l->amx && !c->depth) {
        struct amx_rows rows = amx_rows(l->subject, l->nest, tile, c->rows, c->vectors);
        return amx_rows_cycles(l->subject, l->nest, tile, &rows, columns / width);
    }
    /* a block's rows lie together in memory, and stay while its weights pass by */
    bool near = c->depth ? 2 * c->rows * c->depth * l->bytes <= l->target->l1_bytes
                         : (c->rows + width) * at_once * l->bytes <= l->target->l1_bytes;
    double bytes = (double)(tile * l->own_rows * l->depth * l->bytes);
    return shown_rows * bytes * (double)(columns / (near ? panel : width)) / L2_BYTES_PER_CYCLE;
}

static double tile_cycles(const struct linear *l, const struct choice *c, int64_t tile)
{
    int64_t rows = tile * l->own_rows, columns = l->columns / c->groups;
    int64_t width = c->vectors * l->target->lanes, panel = width > PANEL ? width : PANEL;
    int64_t at_once = c->depth ? c->depth : l->depth;
    double bytes = (double)(l->depth * columns * l->bytes),
           passes = (double)((rows - 1) / c->rows + 2);
    double cycles = register_tiles(l, c, tile, columns);
    cycles += rows_cycles(l, c, tile, columns);
    bool near_weights = at_once * panel * l->bytes <= l->target->l1_bytes / 2;
    cycles += shown_weights[l->target->lanes > 8] * bytes * (near_weights ? 1 : passes) /
              L2_BYTES_PER_CYCLE;
    if (l->depth * l->columns * l->bytes > l->target->l2_bytes / 2)
        cycles += shown_far * bytes / FAR_BYTES_PER_CYCLE;
    if (!c->depth && rows * l->depth * l->bytes > l->target->l2_bytes / 4)
        cycles *= 1.05;
    if (tile * l->tile_bytes > l->target->l2_bytes)
        cycles *= 1.05;
    return cycles + moved_cycles(l, c, tile);
}

static double all_cycles(const struct linear *l, const struct choice *c)
{
    int64_t shares = l->pixels / c->tile * c->groups;
    double cycles = (double)((shares + l->threads - 1) / l->threads) * tile_cycles(l, c, c->tile);
    if (l->pixels % c->tile)
        cycles += (double)((c->groups + l->threads - 1) / l->threads) *
                  tile_cycles(l, c, l->pixels % c->tile);
    return cycles;
}

typedef void choice_visitor(void *context, const struct choice *choice, double cycles);

/* Whether sums of so many rows and vectors fit the registers. */
static bool fits(const struct linear *l, int64_t rows, int64_t vectors)
{
    if (l->amx)
        return segments_tiles(rows, 0) * vectors <= MOST_TILES;
    return rows * vectors + vectors + (vectors > 1) <= l->target->registers - (vectors == 1);
}

/* The choices of rows, vectors and depth for a tile. */
static void visit_blocks(const struct linear *l, struct choice c, choice_visitor *visit,
                         void *context)
{
    const struct target *t = l->target;
    int64_t columns = l->columns / l->matrices / c.groups, rows = c.tile * l->own_rows;
    for (c.vectors = 1; c.vectors <= 4; c.vectors++)
        for (c.rows = 4; c.rows <= (l->amx ? 2 * TILE_ROWS : 28) && c.rows <= rows; c.rows++)
            for (c.depth = 0; c.depth <= (l->amx ? MOST_DEPTH : most_depth[t->lanes > 8]);
                 c.depth = c.depth ? 2 * c.depth : DEPTH) {
                int64_t width = c.vectors * t->lanes, panel = width > PANEL ? width : PANEL;
                if (!fits(l, c.rows, c.vectors) || columns % width ||
                    (PANEL % width && width % PANEL) ||
                    (c.depth && (!l->depth_allowed || l->depth % c.depth || columns % panel)))
                    continue;
                visit(context, &c, all_cycles(l, &c));
            }
}

/* Whether the columns can be divided into `groups` groups of whole panels. */
static bool may_group(const struct linear *l, int64_t groups)
{
    return groups == 1 ||
           (l->splittable && l->splittable % groups == 0 && l->splittable / groups % PANEL == 0);
}

static void visit_choices(const struct linear *l, choice_visitor *visit, void *context)
{
    bool small = l->pixels * l->own_rows <= MAX_ALL_ROWS;
    int64_t most_groups = l->threads > 1 ? 2 * l->threads : 1;
    int64_t most = small ? l->pixels : MAX_ROWS / l->own_rows;
    for (int64_t tile = 1; tile <= most && tile <= l->pixels; tile++) {
        if (tile > 1 && tile * l->tile_bytes > TILE_BYTES)
            break;
        for (int64_t groups = 1; groups <= MAX_GROUPS && groups <= most_groups; groups++)
            if (may_group(l, groups))
                visit_blocks(l, (struct choice){.tile = tile, .groups = groups}, visit, context);
    }
}

struct cheapest {
    double cycles;
    struct choice choice;
};

static void keep_cheapest(void *context, const struct choice *choice, double cycles)
{
    struct cheapest *cheapest = context;
    if (cycles < cheapest->cycles)
        *cheapest = (struct cheapest){cycles, *choice};
}

/* Equally fast threads gain nothing from more groups. Where threads are not equally fast, smaller
 * groups let the faster ones take more. So this weighs a part of the time spent waiting for the
 * slowest thread against the cost of beginning a share, whose rows come from further away than when
 * one thread goes through all of them (measured on a Zen 3). */
static void refine_groups(const struct linear *l, struct choice *best)
{
    double least = HUGE_VAL;
    struct choice c = *best;
    for (c.groups = best->groups; l->threads > 1 && c.groups <= MAX_GROUPS;
         c.groups += best->groups) {
        bool fits = l->columns / c.groups % (c.vectors * l->target->lanes) == 0;
        int64_t shares = (l->pixels / c.tile * c.groups + l->threads - 1) / l->threads;
        double cycles = all_cycles(l, &c) + shown_wait * tile_cycles(l, &c, c.tile) +
                        (double)shares * (SHARE_CYCLES + 3 * moved_cycles(l, &c, c.tile));
        if (may_group(l, c.groups) && fits && cycles < least) {
            least = cycles;
            *best = c;
        }
    }
}

/* The one nest that is a linear, among others that sum nothing, or a grouped one, which does most of
 * its kernel's work; -1: there is none. */
static int find_linear(const struct nests *nests)
{
    int found = -1;
    for (int i = 0; i < nests->count; i++)
        if (nests->nest[i].group && nests->nest[i].row_factor)
            return i;
    for (int i = 0; i < nests->count; i++) {
        const struct kernel_nest *nest = &nests->nest[i];
        if (!nest->reduce || nest->reduce->op != SCALAR_sum)
            continue;
        if (found >= 0 || !nest->row_factor || !nest_weight_bytes(nest))
            return -1;
        found = i;
    }
    return found;
}

/* Whether something from memory is added to the sums, or they begin with it. */
static bool adds_map(const struct kernel_nest *s, const struct expr *value)
{
    if (value == s->reduce)
        return value->in[1] && adds_map(s, value->in[1]);
    if (value->op == SCALAR_load && value->buffer->place == PLACE_WORKSPACE)
        return true;
    for (int i = 0; i < 3; i++)
        if (value->in[i] && adds_map(s, value->in[i]))
            return true;
    return false;
}

/* From a pixel's row of the factor to the next one's. */
static int64_t bytes_apart(const struct subject *subject, const struct kernel_nest *s)
{
    const struct expr *load = s->row_factor;
    int64_t step;
    if (!subject->nests->pixels || load->op != SCALAR_load || nest_row_local(s))
        return 0;
    const struct affine *flat =
        affine_linearize(subject->m->arena, &load->buffer->shape, load->index);
    return affine_step(flat, subject->nests->pixel[2], &step)
               ? step * dtype_bytes[load->buffer->dtype]
               : 0;
}

static struct linear linear_of(const struct subject *subject, int at)
{
    const struct nests *nests = subject->nests;
    const struct kernel_nest *s = &nests->nest[at];
    struct linear l = {.subject = subject,
                       .nest = s,
                       .target = subject->target,
                       .pixels = nests->pixel_count,
                       .threads = subject->m->threads,
                       .tile_bytes = nests->local_bytes,
                       .own_rows = 1};
    l.depth = s->reduce->var[0]->extent;
    l.matrices = nest_groups(s);
    l.columns = nest_column(s)->extent * l.matrices;
    l.amx = nest_can_amx(subject->m, s, subject->target);
    bool pairs = nest_can_pair(subject->m, s, subject->target);
    l.at_once = l.amx ? TILE_TERMS : pairs ? PAIR : 1;
    l.bytes = dtype_bytes[l.at_once > 1 ? DTYPE_BF16 : DTYPE_F32];
    for (int i = 0; i < s->rows; i++)
        l.own_rows *= s->loops.var[i]->extent;
    for (int i = 0; i < nests->count; i++)
        *(nest_is_shared(nests, i) ? &l.shared : &l.other) +=
            i == at ? 0 : nest_measure_lanes(&nests->nest[i], 1).rows;
    l.splittable = nest_is_shared(nests, at) ? nests_split_columns(nests) : 0;
    l.apart = bytes_apart(subject, s);
    l.depth_allowed =
        l.depth % DEPTH == 0 && (l.depth >= LEAST_DEPTH || (l.apart && l.apart % WAY_BYTES == 0));
    l.copies = !nest_row_local(s);
    return l;
}

/* Puts a choice into the plan, whose linear is nest number `at`. */
static void take(const struct linear *l, const struct choice *c, int at, struct plan *plan)
{
    int64_t lanes = l->target->lanes;
    plan->tile = c->tile;
    plan->split = c->groups > 1 ? l->splittable / c->groups : 0;
    plan->nest[at] = (struct nest_plan){.rows = c->rows,
                                        .columns = c->vectors * lanes,
                                        .lanes = lanes,
                                        .depth = c->depth,
                                        .ahead = true,
                                        .pairs = l->at_once == PAIR,
                                        .amx = l->amx};
}

void linear_choose(const struct subject *subject, struct plan *plan)
{
    int at = find_linear(subject->nests);
    if (!subject->nests->pixels || at < 0 || plan->lanes.end)
        return;
    const struct target *target = subject->target;
    const struct kernel_nest *s = &subject->nests->nest[at];
    struct nest_plan *nest = &plan->nest[at];
    if (nest_weight_bytes(s) <= target->l2_bytes / 4) { /* the general search does */
        nest->ahead = nest->rows > 1 && !nest->halves && adds_map(s, s->loops.store->value);
        return;
    }
    struct linear l = linear_of(subject, at);
    struct cheapest cheapest = {.cycles = HUGE_VAL};
    if (l.own_rows < OWN_ROWS)
        visit_choices(&l, keep_cheapest, &cheapest);
    if (cheapest.cycles == HUGE_VAL)
        return;
    refine_groups(&l, &cheapest.choice);
    take(&l, &cheapest.choice, at, plan);
}

struct showing {
    const struct linear *l;
    int at;
    struct plan plan;
    plan_visitor *visit;
    void *context;
};

static void show(void *context, const struct choice *choice, double cycles)
{
    struct showing *s = context;
    take(s->l, choice, s->at, &s->plan);
    s->visit(s->context, &s->plan, cycles);
}

void linear_enumerate(const struct subject *subject, const struct plan *chosen, plan_visitor *visit,
                      void *context)
{
    int at = find_linear(subject->nests);
    if (!subject->nests->pixels || at < 0)
        return;
    struct linear l = linear_of(subject, at);
    struct showing showing = {&l, at, *chosen, visit, context};
    if (l.own_rows < OWN_ROWS && !chosen->lanes.end)
        visit_choices(&l, show, &showing);
}
