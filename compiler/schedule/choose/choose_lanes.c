/* Pixels as lanes: for kernels whose pixels have so few channels that these fill only a part of a
 * vector.
 *
 * The first nests of a kernel may do so, as long as they store to the stack: up to the aggregation,
 * which has many channels. It has a cost: in maps the channels are consecutive, so that a vector of
 * pixels takes one load per pixel; and in the tile a later nest with channels as lanes finds its
 * neighbours apart. Costs are those of choose_processor.c, in cycles of a tile. */
#include "choose_lanes.h"
#include "core_model.h"
#include "segments.h"

enum { ROWS_CYCLES = 4, LEAST_LANES = 8 };
/* The most vectors that are written out where there is no sum: more exponentials would not stay in
 * registers. */
enum { MOST_VECTORS = 8, MOST_EXPONENTIALS = 2 };

/* ---- costs ----------------------------------------------------------------------------------- */

/* Loads of a register tile, in each step of its reduction. */
struct reading {
    const struct kernel_nest *nest;
    struct var *const *pixel;
    int64_t lanes, rows, vectors; /* of a register tile */
    double loads;
};

/* How many different elements a load has in `rows` consecutive rows. */
static double different(const struct kernel_nest *s, const struct expr *load, int64_t rows)
{
    double values = 1;
    for (int i = s->loops.vars - 1; i >= 0 && rows > 1; i--) {
        int64_t extent = s->loops.var[i]->extent, covered = rows < extent ? rows : extent;
        values *= expr_uses_var(load, s->loops.var[i]) ? (double)covered : 1;
        rows = (rows + extent - 1) / extent;
    }
    return values;
}

/* The cost of loading a vector of pixels, in loads: one for neighbours; for consecutive channels a
 * transposition, four at a time; else one per pixel. */
static double loads_of(const struct reading *r, const struct expr *load)
{
    enum { FOUR = 4 };
    int last = load->buffer->shape.rank - 1;
    int64_t stride = load->buffer->shape.dim[last];
    if (load->buffer->place == PLACE_STACK || load->buffer->place == PLACE_WEIGHTS ||
        !expr_uses_var(load, r->pixel[2]))
        return 1;
    for (int i = 0; i < load->index[last]->count; i++) {
        const struct term *term = &load->index[last]->term[i];
        if (term->kind == TERM_VAR && term->var == r->pixel[2])
            stride = term->factor;
    }
    if (stride == 1)
        return 1;
    return (double)(stride % FOUR == 0 && r->rows >= FOUR ? r->lanes / 2 : r->lanes);
}

static void visit_reading(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct reading *r = context;
    bool wide = load->buffer->place == PLACE_STACK || expr_uses_var(load, r->pixel[2]);
    double values = different(r->nest, load, r->rows);
    r->loads += values * (double)(wide ? r->vectors : 1) * loads_of(r, load);
}

static double block_cycles(const struct target *t, const struct kernel_nest *s,
                           struct var *const *pixel, const struct nest_plan *plan, int64_t rows)
{
    struct reading r = {s, pixel, plan->lanes, rows, plan->columns / plan->lanes, 0};
    double work = (double)(rows * r.vectors);
    expr_visit_loads(s->reduce ? s->reduce->in[0] : s->loops.store->value, 1, visit_reading, &r);
    if (!s->reduce) /* exponentials hide where a block begins */
        return fmax(r.loads / LOADS_PER_CYCLE, 2 * work) + (s->exponentials ? 0 : ROWS_CYCLES);
    return core_step_cycles(t, work, r.loads) * (double)nest_depth(s) + 2 * work + BLOCK_CYCLES;
}

/* Half of the registers are kept for operands, few of which rows share. */
static int64_t most_vectors(const struct target *t, const struct kernel_nest *s)
{
    if (s->reduce)
        return t->registers / 2;
    return s->exponentials ? MOST_EXPONENTIALS : MOST_VECTORS;
}

/* The best register tile of a nest with pixels as lanes. */
static double plan_nest(const struct target *t, const struct kernel_nest *s,
                        struct var *const *pixel, int64_t tile, int64_t lanes,
                        struct nest_plan *best)
{
    struct nest_size size = nest_measure_lanes(s, tile);
    double least = HUGE_VAL;
    for (int64_t vectors = 1; vectors * lanes <= tile; vectors++) {
        if (tile % (vectors * lanes))
            continue;
        for (int64_t rows = 1; rows <= size.rows && rows * vectors <= most_vectors(t, s); rows++) {
            struct nest_plan plan = {.rows = rows, .columns = vectors * lanes, .lanes = lanes};
            struct segment row[MAX_SEGMENTS];
            if (!nest_even_rows(s, s->loops.vars, false, rows))
                continue;
            int segments = segments_of_rows(size.rows, rows, row);
            double cycles = 0;
            for (int i = 0; i < segments; i++)
                cycles += (double)row[i].count * block_cycles(t, s, pixel, &plan, row[i].size);
            cycles *= (double)tile / (double)plan.columns;
            if (cycles <= least) { /* of equal ones the largest */
                least = cycles;
                *best = plan;
            }
        }
    }
    return least;
}

/* The cost, for a nest with channels as lanes, of reading tiles whose last dimension is the pixel:
 * one element is spread as usual, two and a blend cost one more load, more are loaded one by one.
 */
struct after {
    const struct nests *nests;
    const struct kernel_nest *nest;
    const struct plan *plan;
    int64_t lanes;
    bool together; /* several terms are added at once */
    double cycles; /* of a row */
};

static int64_t values_of_columns(const struct expr *load, const struct var *column, int64_t lanes)
{
    int64_t values = 1;
    for (int i = 0; i < load->buffer->shape.rank; i++)
        for (int j = 0; j < load->index[i]->count; j++) {
            const struct term *term = &load->index[i]->term[j];
            if (term->kind == TERM_VAR ? term->var == column : affine_uses(term->inner, column))
                values = term->kind == TERM_MOD && term->divisor < lanes ? term->divisor : lanes;
        }
    return values;
}

static void visit_after(void *context, const struct expr *load, int64_t iterations)
{
    struct after *a = context;
    if (!nest_has_columns(a->nest) || !plan_has_lanes(a->plan, a->nests, load->buffer))
        return;
    if (a->together) /* the terms are no neighbours there */
        a->cycles = HUGE_VAL;
    int64_t values = values_of_columns(load, nest_column(a->nest), a->lanes);
    double one = values == 1 ? 0 : values == 2 ? 0.75 : (double)a->lanes / LOADS_PER_CYCLE;
    a->cycles += one * (double)iterations;
}

static double after_cycles(const struct nests *nests, int nest, const struct plan *plan)
{
    const struct nest_plan *n = &plan->nest[nest];
    struct after a = {nests, &nests->nest[nest], plan, n->lanes, n->pairs || n->amx, 0};
    struct nest_size size = nest_measure(a.nest, plan->tile);
    expr_visit_loads(a.nest->loops.store->value, 1, visit_after, &a);
    return a.cycles * (double)(size.rows * size.repeats);
}

double lanes_choose(const struct subject *subject, const double *without, struct plan *plan)
{
    const struct nests *nests = subject->nests;
    int64_t lanes = subject->target->lanes;
    struct plan with = *plan, best = *plan;
    double front = 0, least = 0;
    for (int i = 0; i < plan->nests; i++)
        least += without[i];
    while (lanes > 1 && plan->tile % lanes)
        lanes /= 2;
    with.together = (struct nest_range){0, 0};
    for (int end = 1;
         lanes >= LEAST_LANES && end < plan->nests && nest_stays(&nests->nest[end - 1]); end++) {
        with.lanes.end = end;
        double cycles = front += plan_nest(subject->target, &nests->nest[end - 1], nests->pixel,
                                           plan->tile, lanes, &with.nest[end - 1]);
        for (int i = end; i < plan->nests; i++)
            cycles += without[i] + after_cycles(nests, i, &with);
        if (cycles < least) {
            least = cycles;
            best = with;
        }
    }
    *plan = best;
    return least;
}
