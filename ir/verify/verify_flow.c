/* What data does in kernels: every read follows a write, every element of the output is written.
 * Races are in verify_races.c, shared memory in verify_lives.c.
 *
 * Most reads are of elements written in the same iteration of each loop around both, or in an
 * earlier kernel. Sets of elements show this; for the others there is verify_replay.c. What is
 * private to the iterations of a parallel loop must be written in that loop. */
#include "verify_flow.h"
#include "digits.h"
#include "points_covered.h"
#include "verify_async.h"
#include "verify_lives.h"
#include "verify_races.h"
#include "verify_replay.h"
#include <string.h>

/* ---- accesses -------------------------------------------------------------------------------- */

struct collecting {
    struct arena *arena;
    struct flow *flow;
    struct names usages; /* by the bytes of a buffer's address */
    int at;
};

static struct usage *usage_of(struct collecting *c, const struct buffer *buffer)
{
    const struct name_entry *entry = names_find(&c->usages, (const char *)&buffer, sizeof buffer);
    if (entry)
        return entry->value;
    struct usage *usage = ARENA_NEW(c->arena, struct usage);
    struct usage **list = buffer->place >= PLACE_STACK ? &c->flow->locals : &c->flow->globals;
    usage->kernel = c->flow->kernel;
    usage->buffer = buffer;
    usage->end = &usage->first;
    usage->next = *list;
    *list = usage;
    names_add(&c->usages, (const char *)&usage->buffer, sizeof usage->buffer, usage);
    return usage;
}

static void add_access(struct collecting *c, const struct stmt *of, const struct buffer *buffer,
                       const struct affine *const *index, const struct scope *in, bool store)
{
    if (buffer->place == PLACE_WEIGHTS || buffer->place == PLACE_INPUT)
        return;
    struct usage *usage = usage_of(c, buffer);
    struct access *access = ARENA_NEW(c->arena, struct access);
    *access = (struct access){NULL, of, index, in, c->at, store};
    *usage->end = access;
    usage->end = &access->next;
    *(store ? &usage->stores : &usage->loads) += 1;
}

static void add_loads(struct collecting *c, const struct stmt *of, const struct expr *expr,
                      const struct scope *in)
{
    if (expr->op == SCALAR_load)
        add_access(c, of, expr->buffer, expr->index, in, false);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            add_loads(c, of, expr->in[i], in);
}

static void add_stmts(struct collecting *c, const struct stmt *stmt, const struct scope *in)
{
    for (; stmt; stmt = stmt->next) {
        c->at++;
        if (stmt->kind == STMT_BARRIER) {
            struct barrier *barrier = ARENA_NEW(c->arena, struct barrier);
            *barrier = (struct barrier){c->flow->barriers, c->at};
            c->flow->barriers = barrier;
            continue;
        }
        if (stmt->kind == STMT_STORE) {
            add_loads(c, stmt, stmt->value, in);
            add_access(c, stmt, stmt->buffer, stmt->index, in, true);
            continue;
        }
        struct scope *scope = ARENA_NEW(c->arena, struct scope);
        *scope = (struct scope){in, stmt, in->depth + 1, c->at, 0};
        add_stmts(c, stmt->body, scope);
        scope->end = c->at;
    }
}

struct flow *flow_of(struct arena *arena, const struct kernel *kernel)
{
    struct flow *flow = ARENA_NEW(arena, struct flow);
    struct collecting c = {.arena = arena, .flow = flow, .usages = {.arena = arena}};
    flow->kernel = kernel;
    add_stmts(&c, kernel->body, ARENA_NEW(arena, struct scope));
    return flow;
}

/* ---- reads ----------------------------------------------------------------------------------- */

enum { MOST_AROUND = MOST_COORDINATES - MAX_RANK };

/* The writes that come before a read, as points in the read's space. */
struct reading {
    struct verifier *verifier;
    const struct buffer *buffer;
    struct arena *arena;
    struct space space;
    int shared; /* the first coordinates: loops around the read */
    const struct scope *loop[MOST_AROUND];
    int count, room;
    struct points *by;
};

static const struct scope *parallel_around(const struct scope *scope)
{
    while (scope->up && scope->up->up)
        scope = scope->up;
    return scope->up && scope->loop->loop == LOOP_PARALLEL ? scope : NULL;
}

static bool comes_before(const struct reading *r, const struct access *write,
                         const struct access *read)
{
    return write->store && write->at < read->at &&
           (!is_private(r->buffer->place, LOOP_PARALLEL) ||
            parallel_around(write->in) == parallel_around(read->in));
}

static bool index_uses(const struct buffer *buffer, const struct affine *const *index,
                       const struct var *var)
{
    for (int i = 0; i < buffer->shape.rank; i++)
        if (affine_uses(index[i], var))
            return true;
    return false;
}

static bool is_around(const struct scope *loop, const struct scope *scope)
{
    while (scope->depth > loop->depth)
        scope = scope->up;
    return scope == loop;
}

/* Finds the loops around the read on which its element depends, or that of a write inside them. */
static bool find_shared(struct reading *r, const struct access *read, const struct access *writes)
{
    for (const struct scope *loop = read->in; loop->up; loop = loop->up) {
        bool around = false, tells = index_uses(r->buffer, read->index, loop->loop->var);
        for (const struct access *w = writes; w; w = w->next)
            if (comes_before(r, w, read) && is_around(loop, w->in)) {
                around = true;
                tells |= index_uses(r->buffer, w->index, loop->loop->var);
            }
        if (!around || !tells || loop->loop->var->extent == 1)
            continue;
        if (r->shared == MOST_AROUND)
            return false;
        r->loop[r->shared] = loop;
        r->space.size[r->shared++] = loop->loop->var->extent;
    }
    return true;
}

static void add_points(struct reading *r, struct points *points, const struct affine *const *index,
                       const struct scope *in)
{
    for (int i = 0; i < r->shared; i++) {
        struct var *var = r->loop[i]->loop->var;
        if (in && is_around(r->loop[i], in)) {
            points->at[i] = affine_var(r->arena, var);
            continue;
        }
        struct var *any = ARENA_NEW(r->arena, struct var); /* the write serves all iterations */
        *any = (struct var){.name = "any", .extent = var->extent};
        points->at[i] = affine_var(r->arena, any);
    }
    for (int i = 0; i < r->buffer->shape.rank; i++)
        points->at[r->shared + i] = index[i];
}

static void add_write(struct reading *r, const struct affine *const *index, const struct scope *in)
{
    if (r->count == r->room) {
        struct points *old = r->by;
        r->room = 2 * r->room + 8;
        r->by = arena_alloc(r->arena, (size_t)r->room * sizeof *old);
        if (r->count)
            memcpy(r->by, old, (size_t)r->count * sizeof *old);
    }
    add_points(r, &r->by[r->count++], index, in);
}

/* A module's buffer, and the kernels that wrote to it. */
struct state {
    struct state *next;
    const struct buffer *buffer;
    bool full;    /* all of it is written */
    bool changed; /* written to since `full` was computed */
    struct written *written, **end;
};

/* Says what is wrong with an element, given as its number. */
static bool wrong_element(struct verifier *verifier, const struct buffer *buffer, int64_t element,
                          const char *problem)
{
    char text[200] = "";
    int64_t size = shape_elements(&buffer->shape);
    for (int i = 0; i < buffer->shape.rank; i++) {
        size_t used = strlen(text);
        size /= buffer->shape.dim[i];
        snprintf(text + used, sizeof text - used, "%s%lld%s", i ? ", " : "[",
                 (long long)(element / size), i + 1 < buffer->shape.rank ? "" : "]");
        element %= size;
    }
    return wrong(verifier, "%s%s %s", buffer->name, text, problem);
}

static int64_t element_number(const struct buffer *buffer, const int64_t *point)
{
    int64_t number = 0;
    for (int i = 0; i < buffer->shape.rank; i++)
        number = number * buffer->shape.dim[i] + point[i];
    return number;
}

static bool too_large(struct verifier *verifier, const struct buffer *buffer, const char *problem)
{
    return wrong(verifier, "%s: too large to see whether it %s", buffer->name, problem);
}

static void add_kernels_before(struct reading *r, const struct state *state)
{
    for (const struct written *w = state->written; w; w = w->next)
        for (const struct access *store = w->usage->first; store; store = store->next)
            if (store->store)
                add_write(r, store->index, NULL);
}

static enum answer is_full(struct reading *r, const struct state *state, int64_t *missing)
{
    const struct shape *shape = &state->buffer->shape;
    struct points what;
    r->space.count = shape->rank;
    for (int i = 0; i < shape->rank; i++) {
        struct var *all = ARENA_NEW(r->arena, struct var);
        *all = (struct var){.name = "all", .extent = shape->dim[i]};
        r->space.size[i] = shape->dim[i];
        what.at[i] = affine_var(r->arena, all);
    }
    add_kernels_before(r, state);
    return points_covered(&r->verifier->effort, &r->space, &what, r->by, r->count, missing);
}

/* Whether earlier kernels have written all of it. */
static bool state_is_full(struct verifier *verifier, struct state *state)
{
    int64_t missing[MOST_COORDINATES];
    if (state->changed && !state->full) {
        struct reading r = {.verifier = verifier, .buffer = state->buffer, .arena = arena_new()};
        state->full = is_full(&r, state, missing) == ANSWER_YES;
        arena_free(r.arena);
    }
    state->changed = false;
    return state->full;
}

static enum answer is_covered(struct reading *r, const struct access *read, int64_t *missing)
{
    struct points what;
    const struct shape *shape = &r->buffer->shape;
    r->space.count = r->shared + shape->rank;
    memcpy(r->space.size + r->shared, shape->dim, (size_t)shape->rank * sizeof *r->space.size);
    add_points(r, &what, read->index, read->in);
    return points_covered(&r->verifier->effort, &r->space, &what, r->by, r->count, missing);
}

/* Whether earlier kernels have written what is read: then the loops around it do not matter. */
static bool written_before(struct verifier *verifier, const struct access *read,
                           const struct state *state)
{
    struct reading r = {.verifier = verifier, .buffer = state->buffer, .arena = arena_new()};
    int64_t missing[MOST_COORDINATES];
    add_kernels_before(&r, state);
    bool covered = is_covered(&r, read, missing) == ANSWER_YES;
    arena_free(r.arena);
    return covered;
}

/* Whether what is read was written before, in this kernel or in those of `state` (NULL: none);
 * false where that is not known. */
static bool verify_read(struct verifier *verifier, const struct usage *usage,
                        const struct access *read, const struct state *state)
{
    struct reading r = {.verifier = verifier, .buffer = usage->buffer};
    if (state && written_before(verifier, read, state))
        return true;
    r.arena = arena_new();
    int64_t missing[MOST_COORDINATES];
    bool covered = false;
    if (find_shared(&r, read, usage->first)) {
        if (state)
            add_kernels_before(&r, state);
        for (const struct access *w = usage->first; w && w->at < read->at; w = w->next)
            if (comes_before(&r, w, read))
                add_write(&r, w->index, w->in);
        covered = is_covered(&r, read, missing) == ANSWER_YES;
    }
    arena_free(r.arena);
    return covered;
}

/* Whether an element is read that neither an earlier kernel nor this one writes anywhere. */
static bool is_never_written(struct verifier *verifier, const struct usage *usage,
                             const struct access *read, const struct state *state, int64_t *missing)
{
    struct reading r = {.verifier = verifier, .buffer = usage->buffer, .arena = arena_new()};
    int64_t point[MOST_COORDINATES];
    if (state)
        add_kernels_before(&r, state);
    for (const struct access *w = usage->first; w; w = w->next)
        if (w->store)
            add_write(&r, w->index, NULL);
    bool never = is_covered(&r, read, point) == ANSWER_NO;
    for (int i = 0; i < r.count; i++)
        never = never && !points_have_lookups(&r.space, &r.by[i]);
    for (int i = 0; i < usage->buffer->shape.rank; i++)
        never = never && !index_has_lookup(read->index[i]);
    arena_free(r.arena);
    if (never)
        *missing = element_number(usage->buffer, point);
    return never;
}

static bool verify_reads(struct verifier *verifier, const struct usage *usage, struct state *state)
{
    static const char problem[] = "is read before it is written";
    int64_t missing;
    if (!usage->loads || (state && state_is_full(verifier, state)))
        return true;
    const struct access *access = usage->first;
    while (access && (access->store || verify_read(verifier, usage, access, state)))
        access = access->next;
    if (!access)
        return true;
    verifier->at = access->of->at;
    enum answer answer = replay_reads(verifier, usage, state ? state->written : NULL, &missing);
    if (answer == ANSWER_UNKNOWN && !is_never_written(verifier, usage, access, state, &missing))
        return too_large(verifier, usage->buffer, problem);
    return answer == ANSWER_YES || wrong_element(verifier, usage->buffer, missing, problem);
}

/* ---- kernels in order ------------------------------------------------------------------------ */

static struct state *state_of(struct arena *arena, struct names *states,
                              const struct buffer *buffer)
{
    const struct name_entry *entry = names_find(states, (const char *)&buffer, sizeof buffer);
    if (entry)
        return entry->value;
    struct state *state = ARENA_NEW(arena, struct state);
    state->buffer = buffer;
    state->end = &state->written;
    names_add(states, (const char *)&state->buffer, sizeof state->buffer, state);
    return state;
}

static void add_written(struct verifier *verifier, struct state *state, const struct usage *usage)
{
    struct written *written = ARENA_NEW(verifier->scratch, struct written);
    written->usage = usage;
    *state->end = written;
    state->end = &written->next;
    state->changed = true;
}

static bool verify_output(struct verifier *verifier, struct names *states)
{
    const struct buffer *buffer = verifier->module->buffers;
    while (buffer->place != PLACE_OUTPUT)
        buffer = buffer->next;
    struct state *state = state_of(verifier->scratch, states, buffer);
    if (state_is_full(verifier, state))
        return true;
    static const char problem[] = "is never written";
    verifier->at = buffer->at;
    struct reading r = {.verifier = verifier, .buffer = buffer, .arena = arena_new()};
    int64_t missing[MOST_COORDINATES];
    enum answer answer = is_full(&r, state, missing);
    arena_free(r.arena);
    if (answer == ANSWER_UNKNOWN)
        return too_large(verifier, buffer, problem);
    return answer == ANSWER_YES ||
           wrong_element(verifier, buffer, element_number(buffer, missing), problem);
}

/* The kernels that run on a target, in order. */
static bool verify_on(struct verifier *verifier, const struct flow *flows, const char *target)
{
    struct names states = {.arena = verifier->scratch};
    for (const struct flow *flow = flows; flow; flow = flow->next) {
        if (!flow_runs_on(flow, target))
            continue;
        verifier->kernel = flow->kernel;
        verifier->effort.left = MOST_EFFORT;
        for (const struct usage *usage = flow->globals; usage; usage = usage->next)
            if (!verify_reads(verifier, usage, state_of(verifier->scratch, &states, usage->buffer)))
                return false;
        for (const struct usage *usage = flow->globals; usage; usage = usage->next) {
            struct state *state = state_of(verifier->scratch, &states, usage->buffer);
            if (usage->stores && !state->full)
                add_written(verifier, state, usage);
        }
    }
    verifier->kernel = NULL;
    verifier->effort.left = MOST_EFFORT;
    return verify_output(verifier, &states) && verify_workspace(verifier, flows, target);
}

bool verify_kernel_flow(struct verifier *verifier, const struct flow *flow)
{
    verifier->kernel = flow->kernel;
    verifier->effort.left = MOST_EFFORT;
    for (const struct usage *usage = flow->globals; usage; usage = usage->next)
        if (!verify_races(verifier, usage))
            return false;
    for (const struct usage *usage = flow->locals; usage; usage = usage->next)
        if (!verify_races(verifier, usage) || !verify_reads(verifier, usage, NULL))
            return false;
    return verify_async(verifier, flow) && verify_tiles(verifier, flow);
}

bool verify_flow(struct verifier *verifier)
{
    const struct module *module = verifier->module;
    struct flow *flows = NULL, **end = &flows;
    if (!module->kernels)
        return true;
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next) {
        *end = flow_of(verifier->scratch, kernel);
        if (!verify_kernel_flow(verifier, *end))
            return false;
        end = &(*end)->next;
    }
    verifier->kernel = NULL;
    for (int i = 0; i < module->targets; i++)
        if (!verify_on(verifier, flows, module->target[i]))
            return false;
    return module->targets > 0 || verify_on(verifier, flows, NULL);
}
