/* Cycles of a kernel, from its loops and the description of a target.
 *
 * Every operation belongs to the innermost loop that it depends on or that changes what it loads
 * (LLVM moves it out to there), once for each value of the unrolled loops that it depends on, as a
 * vector where it depends on a vector loop. A loop's operations run at the rate of the ports that
 * they need most, or of their longest chain, and each time an inner loop begins, a pipeline fills.
 * Bytes that L1 or L2 do not hold are fetched meanwhile; the machine hides most of the shorter of both times. */
#include "predict.h"
#include "affine.h"
#include "core_model.h"
#include "cost.h"
#include "matrix.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_CHAIN = 64 }; /* the most loops around a statement that the backend takes */

/* The cycles that a loop's own statements need of each resource in one run; and entries. */
struct need {
    double fma, vector, load, store, divide, issue, chain;
    double l1_bytes;
};

struct level {
    const struct stmt *loop;
    int region; /* of a loop that stays a loop; -1: unrolled or vector */
};

struct view {
    const struct target *target;
    int wide; /* which column of the core's description */
    struct arena *arena;
    int depth;
    struct level chain[MAX_CHAIN];
    int regions, room;
    struct loop_cost *region;
    struct need *need;
};

/* ---- regions --------------------------------------------------------------------------------- */

static int region_new(struct view *v, const struct stmt *loop, int parent, double runs)
{
    if (v->regions == v->room) {
        v->room = v->room ? 2 * v->room : 16;
        v->region = allocate_again(v->region, v->room, sizeof *v->region);
        v->need = allocate_again(v->need, v->room, sizeof *v->need);
    }
    v->region[v->regions] = (struct loop_cost){.loop = loop, .parent = parent, .runs = runs};
    v->need[v->regions] = (struct need){0};
    return v->regions++;
}

static int innermost(const struct view *v)
{
    for (int i = v->depth; i-- > 0;)
        if (v->chain[i].region >= 0)
            return v->chain[i].region;
    return 0;
}

/* Where an operation that depends on these loops of the chain runs: its loop, how often per run of
 * that loop, and in how many lanes (0: a scalar). */
struct placed {
    struct need *need;
    double count;
    int64_t lanes;
};

static struct placed place(struct view *v, uint64_t loops)
{
    struct placed placed = {&v->need[0], 1, 0};
    for (int i = 0; i < v->depth; i++) {
        const struct stmt *loop = v->chain[i].loop;
        if (!(loops >> i & 1))
            continue;
        if (v->chain[i].region >= 0)
            placed.need = &v->need[v->chain[i].region];
        else if (loop->loop == LOOP_VECTOR)
            placed.lanes = loop->var->extent;
        else if (loop->loop != LOOP_MATRIX) /* one instruction takes all of its terms */
            placed.count *= (double)loop->var->extent;
    }
    return placed;
}

/* The registers that `lanes` lanes take. */
static double registers(const struct view *v, int64_t lanes)
{
    return lanes <= v->target->lanes ? 1
                                     : (double)((lanes + v->target->lanes - 1) / v->target->lanes);
}

/* ---- accesses -------------------------------------------------------------------------------- */

static uint64_t index_loops(const struct view *v, const struct affine *index)
{
    uint64_t loops = 0;
    for (int i = 0; i < v->depth; i++)
        if (v->chain[i].loop->var->extent > 1 && affine_uses(index, v->chain[i].loop->var))
            loops |= UINT64_C(1) << i;
    return loops;
}

/* Divisions, remainders and lookups are scalar arithmetic where their variables change. */
static void need_index(struct view *v, const struct affine *index)
{
    enum { INSTRUCTIONS = 5 };
    for (int i = 0; i < index->count; i++) {
        const struct term *term = &index->term[i];
        if (term->kind == TERM_VAR)
            continue;
        struct placed at = place(v, index_loops(v, term->inner));
        at.need->issue += INSTRUCTIONS * at.count;
        at.need->load += term->kind == TERM_LOOKUP ? at.count : 0;
    }
}

/* The terms that one instruction adds to a lane. */
static int64_t terms_at_once(const struct view *v)
{
    return v->depth > 1 && v->chain[v->depth - 2].loop->loop == LOOP_MATRIX ? PAIR : 1;
}

/* How the lanes' elements lie in memory. */
enum step {
    STEP_SAME,
    STEP_NEIGHBOURS,
    STEP_REPEATED, /* a few */
    STEP_TWO,
    STEP_FOURS, /* apart, but one load brings four of a lane, for four vectors */
    STEP_APART
};

static enum step step_of_mod(const struct view *v, const struct term *mod)
{
    if ((mod->divisor - 1) * mod->factor < v->target->lanes * terms_at_once(v))
        return STEP_REPEATED;
    return mod->divisor == 2 ? STEP_TWO : STEP_APART;
}

static bool is_written_out(const struct view *v, const struct var *var)
{
    for (int i = 0; i < v->depth; i++)
        if (v->chain[i].loop->var == var)
            return v->chain[i].region < 0;
    return false;
}

/* Whether it is known which of four neighbours each lane touches. */
static bool in_fours(const struct view *v, const struct affine *index)
{
    for (int i = 0; i < index->count; i++) {
        const struct term *term = &index->term[i];
        if (term->factor % 4 && !(term->kind == TERM_VAR && is_written_out(v, term->var)))
            return false;
    }
    return true;
}

static enum step lane_step(const struct view *v, const struct affine *index)
{
    const struct var *lane = v->depth ? v->chain[v->depth - 1].loop->var : NULL;
    if (!lane || v->chain[v->depth - 1].loop->loop != LOOP_VECTOR || !affine_uses(index, lane))
        return STEP_SAME;
    for (int i = 0; i < index->count; i++) {
        const struct term *term = &index->term[i];
        if (term->kind == TERM_VAR && term->var == lane)
            return term->factor == terms_at_once(v)              ? STEP_NEIGHBOURS
                   : term->factor % 4 == 0 && in_fours(v, index) ? STEP_FOURS
                                                                 : STEP_APART;
        if (term->kind == TERM_MOD && affine_uses(term->inner, lane))
            return step_of_mod(v, term);
    }
    return STEP_APART;
}

static void need_access(struct view *v, const struct buffer *buffer, const struct affine *index,
                        struct placed at, bool store)
{
    enum step step = lane_step(v, index);
    int64_t bytes = dtype_bytes[buffer->dtype] * terms_at_once(v);
    double parts = registers(v, at.lanes), lanes = at.lanes ? (double)at.lanes : 1;
    double *port = store ? &at.need->store : &at.need->load;
    if (step == STEP_FOURS && lanes >= 8 && !store) { /* shuffles are three of four operations */
        *port += at.count * lanes / 4;
        at.need->vector += at.count * lanes * 3 / 8;
        at.need->issue += at.count * lanes / 2;
    } else if (step >= STEP_FOURS || (step == STEP_TWO && store)) {
        *port += at.count * lanes;
        at.need->vector += at.count * lanes;
        at.need->issue += 2 * at.count * lanes;
    } else {
        *port += at.count * (step == STEP_TWO ? 2 : step == STEP_SAME && !store ? 1 : parts);
        at.need->vector += step == STEP_REPEATED || step == STEP_TWO ? at.count * parts : 0;
        at.need->issue += at.count * parts * (store ? 1 : 0.5); /* most loads are part of another */
    }
    at.need->l1_bytes += (double)bytes * at.count * (step == STEP_SAME && !store ? 1 : lanes);
}

/* Whether the statements store to the buffer, or prefetch it. */
static bool reach(const struct stmt *stmt, enum stmt_kind kind, const struct buffer *buffer)
{
    bool found = false;
    for (; stmt && !found; stmt = stmt->next)
        found = stmt->kind == STMT_FOR
                    ? reach(stmt->body, kind, buffer)
                    : stmt->kind == kind &&
                          (kind == STMT_STORE ? stmt->buffer : stmt->value->buffer) == buffer;
    return found;
}

/* The loops that change what a tile on the stack holds, as those over blocks of sums do. */
static uint64_t changed_by(const struct view *v, const struct buffer *buffer)
{
    uint64_t loops = 0;
    for (int i = 0; i < v->depth; i++)
        if (v->chain[i].region >= 0 && reach(v->chain[i].loop->body, STMT_STORE, buffer))
            loops |= UINT64_C(1) << i;
    return loops;
}

static uint64_t need_load(struct view *v, const struct expr *load)
{
    const struct affine *index = affine_linearize(v->arena, &load->buffer->shape, load->index);
    uint64_t loops = index_loops(v, index);
    if (load->buffer->place != PLACE_REGISTERS) {
        loops |= load->buffer->place == PLACE_STACK ? changed_by(v, load->buffer) : 0;
        need_index(v, index);
        need_access(v, load->buffer, index, place(v, loops), false);
        return loops;
    }
    for (int i = 0; i < v->depth; i++) /* its contents change with every loop around */
        if (v->chain[i].region >= 0)
            loops |= UINT64_C(1) << i;
    return loops;
}

/* ---- expressions ----------------------------------------------------------------------------- */

/* A maximum of two variables also checks whether the first is NaN, which it then keeps. */
static double operations_of(const struct view *v, const struct expr *expr)
{
    bool constant = expr->op == SCALAR_max &&
                    (expr->in[0]->op == SCALAR_constant || expr->in[1]->op == SCALAR_constant);
    if (expr->op == SCALAR_exp)
        return v->wide ? EXP_OPERATIONS_SCALED : EXP_OPERATIONS;
    return expr->op == SCALAR_max && !constant ? 3 : 1;
}

static void need_operation(struct view *v, const struct expr *expr, struct placed at)
{
    enum scalar_op op = expr->op;
    double parts = at.count * registers(v, at.lanes), operations = operations_of(v, expr);
    if (op == SCALAR_fma || op == SCALAR_exp)
        at.need->fma += parts * (op == SCALAR_exp ? EXP_FMAS : 1);
    if (op == SCALAR_div || op == SCALAR_sqrt)
        at.need->divide += parts * v->target->core->divide[at.lanes > 8];
    at.need->vector += parts * operations;
    at.need->issue += parts * operations;
}

/* The loops of the chain that the expression depends on. */
static uint64_t need_expr(struct view *v, const struct expr *expr)
{
    if (expr->op == SCALAR_constant)
        return 0;
    if (expr->op == SCALAR_load)
        return need_load(v, expr);
    uint64_t loops = 0;
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            loops |= need_expr(v, expr->in[i]);
    need_operation(v, expr, place(v, loops));
    return loops;
}

static bool reads_register(const struct expr *expr, const struct stmt *store)
{
    if (expr->op == SCALAR_load && expr->buffer == store->buffer)
        return true;
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && reads_register(expr->in[i], store))
            return true;
    return false;
}

/* Each step of a sum in registers waits for the step before: one wait per term of an element. */
static void need_chain(struct view *v, const struct stmt *store, uint64_t loops)
{
    double steps = v->target->fma_latency;
    if (store->buffer->place != PLACE_REGISTERS || !reads_register(store->value, store))
        return;
    for (int i = 0; i < v->depth; i++)
        if (v->chain[i].region < 0 && v->chain[i].loop->loop != LOOP_VECTOR &&
            v->chain[i].loop->loop != LOOP_MATRIX && !(loops >> i & 1))
            steps *= (double)v->chain[i].loop->var->extent;
    struct need *need = &v->need[innermost(v)];
    need->chain = steps > need->chain ? steps : need->chain;
}

static void need_store(struct view *v, const struct stmt *store)
{
    const struct affine *index = affine_linearize(v->arena, &store->buffer->shape, store->index);
    uint64_t loops = index_loops(v, index);
    need_expr(v, store->value);
    need_chain(v, store, loops);
    if (store->buffer->place == PLACE_REGISTERS)
        return;
    need_index(v, index);
    for (int i = 0; i < v->depth; i++)
        loops |= UINT64_C(1) << i;
    need_access(v, store->buffer, index, place(v, loops), true);
}

static void need_prefetch(struct view *v, const struct expr *line)
{
    const struct affine *index = affine_linearize(v->arena, &line->buffer->shape, line->index);
    struct placed at = place(v, index_loops(v, index));
    need_index(v, index);
    at.need->load += at.count;
    at.need->issue += at.count;
}

/* A tile's rows between registers and memory: one access each. */
static void need_rows(struct view *v, const struct buffer *buffer, const struct affine *const *of,
                      int64_t rows, int64_t bytes, bool store)
{
    const struct affine *index = affine_linearize(v->arena, &buffer->shape, of);
    struct placed at = place(v, index_loops(v, index));
    need_index(v, index);
    *(store ? &at.need->store : &at.need->load) += at.count * (double)rows;
    at.need->issue += at.count;
    at.need->l1_bytes += at.count * (double)(rows * bytes);
}

/* The matrix loops of a tile, which are one instruction and what it loads. */
static void need_tile(struct view *v, const struct stmt *rows)
{
    const struct stmt *inner = rows->body->body;
    int64_t m = rows->var->extent, columns = rows->body->var->extent;
    const struct stmt *store = inner->kind == STMT_FOR ? inner->body : inner;
    const struct expr *value = store->value;
    if (inner->kind == STMT_FOR) {
        int64_t terms = inner->var->extent, half = dtype_bytes[DTYPE_BF16];
        const struct affine *sum = affine_linearize(v->arena, &store->buffer->shape, store->index);
        struct placed at = place(v, index_loops(v, sum));
        at.need = &v->need[innermost(v)];
        at.need->fma += at.count * (double)(m * TILE_ROW_CYCLES * v->target->fma_per_cycle);
        at.need->issue += at.count;
        need_rows(v, value->in[0]->buffer, value->in[0]->index, m, terms * half, false);
        need_rows(v, value->in[1]->buffer, value->in[1]->index, terms / PAIR, columns * PAIR * half,
                  false);
    } else if (store->buffer->place != PLACE_REGISTERS) {
        need_rows(v, store->buffer, store->index, m, columns * dtype_bytes[DTYPE_F32], true);
    } else if (value->op == SCALAR_load) {
        need_rows(v, value->buffer, value->index, m, columns * dtype_bytes[DTYPE_F32], false);
    }
}

static void need_stmts(struct view *v, const struct stmt *stmt, int region, double runs)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR && v->target->amx && matrix_is_tile(stmt)) {
            need_tile(v, stmt);
            continue;
        }
        if (stmt->kind == STMT_STORE)
            need_store(v, stmt);
        if (stmt->kind == STMT_PREFETCH)
            need_prefetch(v, stmt->value);
        if (stmt->kind != STMT_FOR || v->depth == MAX_CHAIN) /* the backend refuses more */
            continue;
        bool written_out = stmt->loop == LOOP_UNROLL || stmt->loop == LOOP_VECTOR ||
                           stmt->loop == LOOP_MATRIX || stmt->var->extent == 1;
        double inside = written_out ? runs : runs * (double)stmt->var->extent;
        int inner = written_out ? region : region_new(v, stmt, region, inside);
        v->chain[v->depth++] = (struct level){stmt, written_out ? -1 : inner};
        need_stmts(v, stmt->body, inner, inside);
        v->depth--;
    }
}

/* ---- cycles ---------------------------------------------------------------------------------- */

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double region_cycles(struct view *v, int i, struct prediction *p)
{
    const struct core *core = v->target->core;
    const struct need *need = &v->need[i];
    struct loop_cost *region = &v->region[i];
    double limit[BOUND_COUNT] = {0};
    limit[BOUND_FMA] = need->fma / v->target->fma_per_cycle;
    limit[BOUND_VECTOR] = larger(need->vector / core->vector[v->wide], need->divide);
    limit[BOUND_L1] = larger(need->load / core->load[v->wide], need->store / core->store[v->wide]);
    limit[BOUND_LATENCY] = larger(need->chain, (need->issue + 2) / core->issue);
    double most = 0;
    for (int b = 0; b < BOUND_COUNT; b++) {
        p->alone[b] += region->runs * limit[b];
        if (limit[b] > most) {
            most = limit[b];
            region->bound = (enum bound)b;
        }
    }
    double entries = region->parent < 0 ? 0 : region->runs / (double)region->loop->var->extent;
    region->cycles = region->runs * most;
    p->cycles_of[region->bound] += region->cycles;
    p->cycles_of[BOUND_LATENCY] += entries * core->begin;
    region->cycles += entries * core->begin;
    p->cost.l1_bytes += (int64_t)(need->l1_bytes * region->runs);
    return region->cycles;
}

/* Bytes from beyond a cache of that size; *ahead: those among them that belong to buffers that
 * `body` prefetches. */
static double beyond(const struct work *work, int64_t cache, const struct stmt *body, double *ahead)
{
    double bytes = 0, *each = allocate(work->buffers + 1, sizeof *each);
    work_misses(work, cache, each);
    *ahead = 0;
    for (int i = 0; i < work->buffers; i++) {
        bytes += each[i];
        *ahead += each[i] > 0 && reach(body, STMT_PREFETCH, work->buffer[i]) ? each[i] : 0;
    }
    free(each);
    return bytes;
}

static double add_beside(double cycles, double stream, double hidden)
{
    double behind = hidden * stream;
    return cycles + stream - (behind < cycles ? behind : cycles);
}

static void count_cost(const struct work *work, struct cost *cost)
{
    int64_t *bytes = allocate(work->buffers + 1, sizeof *bytes);
    cost->flops = work_flops(work);
    cost->exps = work->ops[SCALAR_exp];
    work_footprint(work, ACCESS_READ | ACCESS_WRITE, bytes);
    for (int i = 0; i < work->buffers; i++)
        cost->bytes += work->buffer[i]->place >= PLACE_STACK ? 0 : bytes[i];
    free(bytes);
}

static void predict(const struct kernel *kernel, const struct work *work,
                    const struct target *target, double kept, struct prediction *p)
{
    *p = (struct prediction){0};
    count_cost(work, &p->cost);
    if (!target || !target->core || work->ops[SCALAR_sum] || work->ops[SCALAR_maximum])
        return; /* not scheduled */
    struct view v = {.target = target, .wide = target->lanes > 8, .arena = arena_new()};
    need_stmts(&v, kernel->body, region_new(&v, NULL, -1, 1), 1);
    double cycles = 0;
    for (int i = 0; i < v.regions; i++)
        cycles += region_cycles(&v, i, p);
    double ahead, any;
    double memory = larger(0, beyond(work, target->l2_bytes, kernel->body, &ahead) - kept);
    p->cost.l2_bytes = (int64_t)beyond(work, target->l1_bytes, kernel->body, &any);
    p->cost.memory_bytes = (int64_t)memory;
    p->cycles_of[BOUND_L2] = (double)p->cost.l2_bytes / target->core->l2_bytes;
    p->cycles_of[BOUND_MEMORY] = memory / target->core->memory_bytes;
    p->alone[BOUND_L2] = p->cycles_of[BOUND_L2];
    p->alone[BOUND_MEMORY] = p->cycles_of[BOUND_MEMORY];
    for (int b = 0; b < BOUND_COUNT; b++)
        if (p->cycles_of[b] > p->cycles_of[p->cost.bound])
            p->cost.bound = (enum bound)b;
    cycles = add_beside(cycles, p->cycles_of[BOUND_L2], L2_HIDDEN);
    double share = ahead < memory ? ahead / memory : memory > 0;
    cycles = add_beside(cycles, p->cycles_of[BOUND_MEMORY],
                        share * AHEAD_HIDDEN + (1 - share) * MEMORY_HIDDEN);
    p->cost.cycles = (int64_t)larger(1, cycles);
    p->loops = v.regions;
    p->loop = v.region;
    free(v.need);
    arena_free(v.arena);
}

void kernel_predict(const struct kernel *kernel, const struct target *target, double kept,
                    struct prediction *prediction)
{
    struct work *work = work_new(kernel);
    predict(kernel, work, target, kept, prediction);
    work_free(work);
}

void prediction_free(struct prediction *prediction)
{
    free(prediction->loop);
}
