#include "matrix.h"
#include "rules_gpu.h"
#include "segments.h"
#include <string.h>

static const struct refusal none;

struct refusal rule_none(const struct subject *s, const struct plan *plan, int nest)
{
    (void)s;
    (void)plan;
    (void)nest;
    return none;
}

/* ---- tile, nest ------------------------------------------------------------------------------ */

struct refusal rule_tile(const struct subject *s, const struct plan *plan, int nest)
{
    (void)nest;
    int64_t bytes = s->nests->local_bytes;
    if (plan->tile == 1 || bytes * plan->tile <= MOST_TILE_BYTES)
        return none;
    const char *why =
        arena_printf(s->m->arena, "%lld pixels of %lld bytes each are a tile of more than %d bytes",
                     (long long)plan->tile, (long long)bytes, (int)MOST_TILE_BYTES);
    return (struct refusal){why, 0};
}

/* Sums stay in registers, a vector each, while their reduction runs. */
static struct refusal check_registers(const struct subject *s, const struct kernel_nest *nest,
                                      const struct nest_plan *plan)
{
    long long rows = plan->rows, vectors = plan->columns / plan->lanes;
    const char *why = NULL;
    if (nest->reduce && !plan->amx && rows * vectors > s->target->registers)
        why = arena_printf(s->m->arena, "%lld rows of %lld vectors need %lld registers, %s has %d",
                           rows, vectors, rows * vectors, s->target->name, s->target->registers);
    else if (rows * vectors > MOST_VECTORS)
        why = arena_printf(s->m->arena,
                           "%lld rows of %lld vectors, at most %d vectors are written out", rows,
                           vectors, MOST_VECTORS);
    return (struct refusal){why, 2};
}

struct refusal rule_nest(const struct subject *s, const struct plan *plan, int nest)
{
    const struct nest_plan *n = &plan->nest[nest];
    if (n->lanes & (n->lanes - 1))
        return (struct refusal){arena_printf(s->m->arena,
                                             "a vector of %lld lanes, must be a power of two",
                                             (long long)n->lanes),
                                6};
    if (n->columns % n->lanes)
        return (struct refusal){arena_printf(s->m->arena,
                                             "%lld columns, must be whole vectors of %lld",
                                             (long long)n->columns, (long long)n->lanes),
                                4};
    return check_registers(s, &s->nests->nest[nest], n);
}

/* ---- split ----------------------------------------------------------------------------------- */

/* Loads of what the kernel itself stores: with them, columns must not be computed separately. */
struct stored {
    const struct nests *nests;
    bool own; /* all loads are of their store's own columns */
    const struct kernel_nest *at;
};

static bool is_column(const struct kernel_nest *nest, const struct affine *index)
{
    return index->count == 1 && !index->constant && index->term[0].kind == TERM_VAR &&
           index->term[0].factor == 1 && index->term[0].var == nest->loops.var[nest->rows];
}

static void visit_stored(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct stored *s = context;
    if (load->buffer->place == PLACE_STACK)
        return;
    for (int i = 0; i < s->nests->count; i++)
        if (s->nests->nest[i].loops.store->buffer == load->buffer)
            s->own &=
                !nest_stays(s->at) && is_column(s->at, load->index[load->buffer->shape.rank - 1]);
}

static bool stores_columns(const struct kernel_nest *nest)
{
    const struct stmt *store = nest->loops.store;
    return nest_has_columns(nest) && store->buffer->shape.rank &&
           is_column(nest, store->index[store->buffer->shape.rank - 1]);
}

/* Loads of what a nest leaves on the stack. */
struct left {
    const struct nests *nests;
    int from, at; /* the nest that stores, the one that loads */
    bool shared;
};

static void visit_left(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct left *l = context;
    const struct kernel_nest *from = &l->nests->nest[l->from], *to = &l->nests->nest[l->at];
    if (load->buffer != from->loops.store->buffer)
        return;
    l->shared &= l->at > l->from && nest_is_shared(l->nests, l->at) && nest_has_columns(to) &&
                 nest_column(to)->extent == nest_column(from)->extent &&
                 is_column(to, load->index[load->buffer->shape.rank - 1]);
}

bool nest_is_shared(const struct nests *nests, int nest)
{
    struct left left = {nests, nest, 0, true};
    if (!nest_stays(&nests->nest[nest]))
        return true;
    for (left.at = 0; left.at < nests->count && stores_columns(&nests->nest[nest]); left.at++) {
        expr_visit_loads(nests->nest[left.at].loops.store->value, 1, visit_left, &left);
        if (!left.shared)
            return false;
    }
    return stores_columns(&nests->nest[nest]);
}

int64_t nests_split_columns(const struct nests *nests)
{
    struct stored stored = {nests, true, NULL};
    int64_t columns = 0;
    for (int i = 0; i < nests->count; i++) {
        const struct kernel_nest *nest = &nests->nest[i];
        if (nest_stays(nest))
            continue;
        int64_t own = stores_columns(nest) ? nest_column(nest)->extent : 0;
        if (!own || (columns && own != columns))
            return 0;
        columns = own;
    }
    for (int i = 0; i < nests->count && stored.own; i++) {
        stored.at = &nests->nest[i];
        expr_visit_loads(stored.at->loops.store->value, 1, visit_stored, &stored);
    }
    return stored.own ? columns : 0;
}

static const char *why_no_shares(const struct subject *s, const struct plan *plan)
{
    int64_t columns = nests_shared_columns(s->nests);
    if (columns && columns % plan->split == 0)
        return NULL;
    return columns
               ? arena_printf(s->m->arena, "found %lld, must divide the last nest's %lld columns",
                              (long long)plan->split, (long long)columns)
               : "a split, which needs a last nest that has columns and is the only one with "
                 "results";
}

static const char *why_no_split(const struct nests *nests, const struct plan *plan)
{
    int64_t columns = nests_split_columns(nests);
    if (!columns || plan->split > columns)
        return "split is for kernels whose results have that many columns, computed apart";
    return nests->pixels && columns % plan->split ? "split has to divide the columns" : NULL;
}

struct refusal rule_split(const struct subject *s, const struct plan *plan, int nest)
{
    (void)nest;
    return (struct refusal){s->target->gpu ? why_no_shares(s, plan) : why_no_split(s->nests, plan),
                            0};
}

/* ---- depth ----------------------------------------------------------------------------------- */

struct refusal rule_depth(const struct subject *s, const struct plan *plan, int nest)
{
    const struct kernel_nest *of = &s->nests->nest[nest];
    const struct nest_plan *n = &plan->nest[nest];
    const char *why = NULL;
    if (s->target->gpu)
        return rule_blocks_of_terms(s, plan, nest);
    if (!s->nests->pixels || nest_measure(of, plan->tile).repeats != 1 || !of->row_factor) {
        why = "depth is for sums over one variable of rows times columns";
    } else if (of->reduce->var[0]->extent % n->depth || n->depth % n->lanes) {
        why = "depth has to divide the reduction, and to be whole vectors";
    } else {
        int64_t columns =
            plan->split && nest_is_shared(s->nests, nest) ? plan->split : nest_column(of)->extent;
        int64_t width = n->columns > PANEL ? n->columns : PANEL;
        if (columns % width || width % n->columns)
            why = "depth needs columns in whole panels of 32, in blocks that divide them or are "
                  "whole panels";
    }
    return (struct refusal){why, 1};
}

struct refusal rule_ahead(const struct subject *s, const struct plan *plan, int nest)
{
    return s->target->gpu ? rule_blocks_ahead(s, plan, nest) : none;
}

/* ---- halves ---------------------------------------------------------------------------------- */

/* The terms of a sum, number k: `at_once` times that of a step, and the number within the step. */
struct step_of {
    struct var *k, *step, *inside;
    int64_t at_once;
};

static struct step_of steps_of(struct module *m, const struct kernel_nest *nest, int64_t at_once)
{
    struct var *k = nest->reduce->var[nest->reduce->vars - 1];
    return (struct step_of){k, var_new(m, "k", k->extent / at_once), var_new(m, "d", at_once),
                            at_once};
}

/* The index where a variable is `times` another one, and `inside` more. */
static void take_apart(struct module *m, int rank, const struct affine **index,
                       const struct var *var, struct var *outer, int64_t times, struct var *inside)
{
    const struct affine *value = affine_scale(m->arena, affine_var(m->arena, outer), times);
    if (times > 1)
        value = affine_add(m->arena, value, affine_var(m->arena, inside));
    for (int i = 0; i < rank; i++)
        index[i] = affine_substitute(m->arena, index[i], var, value);
}

/* The place in memory of what a load takes, by steps. */
static const struct affine *flat_index(struct module *m, const struct expr *load,
                                       const struct step_of *s)
{
    const struct affine *index[MAX_RANK];
    int rank = load->buffer->shape.rank;
    memcpy(index, load->index, (size_t)rank * sizeof *index);
    take_apart(m, rank, index, s->k, s->step, s->at_once, s->inside);
    return affine_linearize(m->arena, &load->buffer->shape, index);
}

/* Whether each step of the sum moves a load by `by_step` elements, each column by `by_column`. */
static bool moves_by(struct module *m, const struct kernel_nest *nest, const struct expr *load,
                     const struct step_of *s, int64_t by_step, int64_t by_column)
{
    int64_t step, column;
    if (load->op != SCALAR_load)
        return false;
    const struct affine *flat = flat_index(m, load, s);
    return affine_step(flat, s->step, &step) && step == by_step &&
           affine_step(flat, nest_column(nest), &column) && column == by_column;
}

static bool is_sum_of_products(const struct kernel_nest *nest)
{
    const struct expr *reduce = nest->reduce;
    return nest->multiply && reduce->op == SCALAR_sum && reduce->in[0]->op == SCALAR_mul &&
           nest_has_columns(nest);
}

bool nest_can_halve(struct module *m, const struct kernel_nest *nest, const struct target *target)
{
    if (!is_sum_of_products(nest))
        return false;
    int64_t columns = nest_column(nest)->extent,
            at_once = nest_can_pair(m, nest, target) ? PAIR : 1;
    struct step_of s = steps_of(m, nest, at_once);
    if (2 * columns > target->lanes || (columns & (columns - 1)) || s.k->extent % (2 * at_once))
        return false;
    for (int i = 0; i < 2; i++) {
        const struct expr *x = nest->reduce->in[0]->in[i], *w = nest->reduce->in[0]->in[1 - i];
        if (moves_by(m, nest, x, &s, at_once, 0) &&
            moves_by(m, nest, w, &s, at_once * columns, at_once))
            return true;
    }
    return false;
}

struct refusal rule_halves(const struct subject *s, const struct plan *plan, int nest)
{
    const struct nest_plan *n = &plan->nest[nest];
    const char *why = NULL;
    if (!nest_can_halve(s->m, &s->nests->nest[nest], s->target))
        why = "halves is for sums of an even number of x[.., k] * w[k, column], with at most half "
              "as many columns as lanes";
    else if (n->lanes != plan_nest_columns(plan, s->nests, nest) || n->depth || n->ahead)
        why = "halves needs all columns in one vector, and neither depth nor ahead";
    return (struct refusal){why, 0};
}

/* ---- pairs ----------------------------------------------------------------------------------- */

/* Whether both factors of a sum are of type bf16, their terms in pairs. */
static bool is_in_pairs(struct module *m, const struct kernel_nest *nest)
{
    if (!is_sum_of_products(nest) || nest->reduce->vars > 1 ||
        nest->reduce->var[0]->extent % PAIR || nest_column(nest)->extent < LEAST_PAIR_LANES)
        return false;
    struct step_of s = steps_of(m, nest, PAIR);
    for (int i = 0; i < 2; i++) {
        const struct expr *load = nest->reduce->in[0]->in[i];
        int64_t inside;
        if (load->op != SCALAR_load || load->buffer->dtype != DTYPE_BF16 ||
            !affine_step(flat_index(m, load, &s), s.inside, &inside) || inside != 1)
            return false;
    }
    return true;
}

bool nest_can_pair(struct module *m, const struct kernel_nest *nest, const struct target *target)
{
    return target->pairs && is_in_pairs(m, nest);
}

bool nest_can_amx(struct module *m, const struct kernel_nest *nest, const struct target *target)
{
    if (!target->amx || !is_in_pairs(m, nest) || !nest->row_factor)
        return false;
    const struct expr *const *factor = nest->reduce->in[0]->in;
    const struct expr *weights = factor[factor[0] == nest->row_factor];
    struct step_of s = steps_of(m, nest, PAIR);
    struct var *column = nest_column(nest), *lane = var_new(m, "v", TILE_COLUMNS);
    struct var *block = var_new(m, "b", (column->extent + TILE_COLUMNS - 1) / TILE_COLUMNS);
    const struct affine *index[MAX_RANK];
    int rank = weights->buffer->shape.rank;
    int64_t step;
    memcpy(index, weights->index, (size_t)rank * sizeof *index);
    take_apart(m, rank, index, s.k, s.step, PAIR, s.inside);
    take_apart(m, rank, index, column, block, TILE_COLUMNS, lane);
    const struct affine *flat = affine_linearize(m->arena, &weights->buffer->shape, index);
    return affine_step(flat, lane, &step) && step == PAIR && affine_step(flat, s.step, &step);
}

/* Whether the sum reads a tile whose last dimension is the pixel. */
static bool reads_lanes(const struct plan *plan, const struct nests *nests, int nest)
{
    const struct expr *product = nests->nest[nest].reduce->in[0];
    return plan_has_lanes(plan, nests, product->in[0]->buffer) ||
           plan_has_lanes(plan, nests, product->in[1]->buffer);
}

struct refusal rule_pairs(const struct subject *s, const struct plan *plan, int nest)
{
    const struct nest_plan *n = &plan->nest[nest];
    const char *why = NULL;
    if (!s->target->pairs)
        why = arena_printf(s->m->arena, "%s has no unit that adds two products of bf16",
                           s->target->name);
    else if (!nest_can_pair(s->m, &s->nests->nest[nest], s->target))
        why = "pairs is for sums of an even number of x[.., k] * w[k div 2, column, k mod 2], both "
              "of type bf16";
    else if (n->lanes < LEAST_PAIR_LANES || n->depth % PAIR || range_has(&plan->lanes, nest) ||
             reads_lanes(plan, s->nests, nest))
        why = "pairs needs vectors of at least 4 columns, an even depth, and no pixels as columns";
    return (struct refusal){why, 0};
}

/* ---- amx ------------------------------------------------------------------------------------- */

struct refusal rule_amx(const struct subject *s, const struct plan *plan, int nest)
{
    const struct nest_plan *n = &plan->nest[nest];
    const char *why = NULL;
    if (!s->target->amx)
        why = arena_printf(s->m->arena, "%s has no AMX", s->target->name);
    else if (!nest_can_amx(s->m, &s->nests->nest[nest], s->target))
        why = "amx is for sums of an even number of x[.., k] * w[k div 2, column, k mod 2], both "
              "of type bf16";
    else if (n->lanes < LEAST_PAIR_LANES || n->depth % PAIR || n->halves ||
             range_has(&plan->lanes, nest) || reads_lanes(plan, s->nests, nest))
        why = "amx needs vectors of at least 4 columns, an even depth, neither halves nor pixels "
              "as columns";
    else if (segments_tiles(n->rows, 0) * (n->columns / n->lanes) > MOST_TILES)
        why = arena_printf(s->m->arena,
                           "amx needs sums in at most %d tiles, of at most %d rows and a vector",
                           MOST_TILES, TILE_ROWS);
    return (struct refusal){why, 0};
}

/* ---- together, lanes ------------------------------------------------------------------------- */

bool nest_repeats(const struct nests *nests, int64_t nest)
{
    return nests->pixels && nest_measure(&nests->nest[nest], 2).repeats != 1;
}

struct refusal rule_together(const struct subject *s, const struct plan *plan, int nest)
{
    (void)nest;
    bool fits = true;
    for (int64_t i = plan->together.begin; i < plan->together.end; i++)
        fits = fits && nest_repeats(s->nests, i);
    const char *why = "together is for nests that take the pixels of a tile one by one";
    return (struct refusal){fits ? NULL : why, OPERAND_NONE};
}

static const char *why_no_lanes(const struct nests *nests, const struct plan *plan, int nest)
{
    const struct nest_plan *n = &plan->nest[nest];
    bool blocks = n->depth || n->ahead || n->halves, lanes = range_has(&plan->lanes, nest);
    if (lanes && (!nest_stays(&nests->nest[nest]) || blocks))
        return "lanes is for nests that store to the stack, with neither depth, ahead nor halves";
    if (lanes && range_has(&plan->together, nest))
        return "a nest cannot be in lanes and in together";
    const struct buffer *rows = n->depth ? nest_row_local(&nests->nest[nest]) : NULL;
    return rows && plan_has_lanes(plan, nests, rows)
               ? "lanes and depth want different layouts of one tile"
               : NULL;
}

struct refusal rule_lanes(const struct subject *s, const struct plan *plan, int nest)
{
    (void)nest;
    const struct nests *nests = s->nests;
    const char *why = NULL;
    if (!nests->pixels || nests->pixel[2]->extent % plan->tile)
        why = "lanes needs a tile that divides a line of pixels";
    for (int i = 0; i < plan->nests && !why; i++)
        why = why_no_lanes(nests, plan, i);
    return (struct refusal){why, OPERAND_NONE};
}
