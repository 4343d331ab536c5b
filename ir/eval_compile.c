/* A kernel to steps: which loops become lanes, and where every access lies.
 *
 * The innermost loops around nothing but stores become lanes where carrying out the iterations
 * together gives what they give one after the other: whatever is stored to is, in each iteration,
 * read and written at an element of its own. So the kinds of loops change nothing here. */
#include "affine.h"
#include "eval_loops.h"
#include <assert.h>
#include <string.h>

enum { MOST_SLOTS = 1024, MOST_LOOPS = 16 };

struct compiler {
    struct arena *arena;
    const struct memories *memories;
    bool single;
    int slots;
    const struct var *var[MOST_SLOTS];
};

/* Loops around stores, and the part of them that becomes lanes. */
struct group {
    int loops;
    const struct stmt *loop[MOST_LOOPS]; /* outermost first; those of one iteration left out */
    const struct stmt *stores;
    int lanes; /* the innermost so many loops */
};

static int slot_of(struct compiler *c, const struct var *var)
{
    for (int i = 0; i < c->slots; i++)
        if (c->var[i] == var)
            return i;
    assert(c->slots < MOST_SLOTS);
    c->var[c->slots] = var;
    return c->slots++;
}

static const struct memory *memory_of(const struct compiler *c, const struct buffer *buffer)
{
    const struct memory *memory = c->memories->memory;
    while (memory->buffer != buffer) {
        memory++;
        assert(memory < c->memories->memory + c->memories->count);
    }
    return memory;
}

/* ---- which loops become lanes ---------------------------------------------------------------- */

static bool uses_nonlinear(const struct affine *index, const struct var *var)
{
    for (int i = 0; i < index->count; i++)
        if (index->term[i].kind != TERM_VAR && affine_uses(index->term[i].inner, var))
            return true;
    return false;
}

static bool access_is_linear(const struct buffer *buffer, const struct affine *const *index,
                             const struct var *var)
{
    for (int i = 0; i < buffer->shape.rank; i++)
        if (uses_nonlinear(index[i], var))
            return false;
    return true;
}

static bool loads_are_linear(const struct expr *expr, const struct var *var)
{
    if (expr->op == SCALAR_load)
        return access_is_linear(expr->buffer, expr->index, var);
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && !loads_are_linear(expr->in[i], var))
            return false;
    return true;
}

static bool group_is_linear(const struct group *g, const struct var *var)
{
    for (const struct stmt *store = g->stores; store; store = store->next)
        if (!access_is_linear(store->buffer, store->index, var) ||
            !loads_are_linear(store->value, var))
            return false;
    return true;
}

static bool same_element(const struct buffer *buffer, const struct affine *const *a,
                         const struct affine *const *b)
{
    for (int i = 0; i < buffer->shape.rank; i++)
        if (!affine_equal(a[i], b[i]))
            return false;
    return true;
}

/* Counts the loads from store's buffer; false if one is from another element. */
static bool loads_agree(const struct expr *expr, const struct stmt *store, int *loads)
{
    if (expr->op == SCALAR_load) {
        *loads += expr->buffer == store->buffer;
        return expr->buffer != store->buffer ||
               same_element(store->buffer, expr->index, store->index);
    }
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && !loads_agree(expr->in[i], store, loads))
            return false;
    return true;
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

static int64_t stride_of(const struct affine *index, const struct var *var)
{
    for (int i = 0; i < index->count; i++)
        if (index->term[i].kind == TERM_VAR && index->term[i].var == var)
            return index->term[i].factor;
    return 0;
}

/* Whether each iteration of the lanes' loops stores to another element: true only where every
 * stride is longer than the reach of all shorter ones together. */
static bool store_is_injective(struct compiler *c, const struct group *g, const struct stmt *store)
{
    const struct affine *index = affine_linearize(c->arena, &store->buffer->shape, store->index);
    const struct var *left[MAX_RANK];
    int count = 0;
    for (int i = g->loops - g->lanes; i < g->loops; i++) {
        left[count++] = g->loop[i]->var;
        if (uses_nonlinear(index, g->loop[i]->var))
            return false;
    }
    for (int64_t reach = 0; count; count--) {
        int least = 0;
        for (int i = 1; i < count; i++)
            if (magnitude(stride_of(index, left[i])) < magnitude(stride_of(index, left[least])))
                least = i;
        int64_t stride = magnitude(stride_of(index, left[least]));
        if (stride <= reach && left[least]->extent > 1)
            return false;
        reach += stride * (left[least]->extent - 1);
        left[least] = left[count - 1];
    }
    return true;
}

/* Stores that nothing else in the group touches may even meet: lanes are stored in order. */
static bool store_allows_lanes(struct compiler *c, const struct group *g, const struct stmt *store)
{
    int others = 0;
    for (const struct stmt *at = g->stores; at; at = at->next) {
        if (!loads_agree(at->value, store, &others))
            return false;
        if (at == store || at->buffer != store->buffer)
            continue;
        others++;
        if (!same_element(store->buffer, at->index, store->index))
            return false;
    }
    return !others || store_is_injective(c, g, store);
}

static bool group_allows_lanes(struct compiler *c, const struct group *g)
{
    for (const struct stmt *store = g->stores; store; store = store->next)
        if (!store_allows_lanes(c, g, store))
            return false;
    return true;
}

/* Loops join the lanes from the innermost outwards. Only the innermost may need a gather: with a
 * gather, more lanes are no faster. Returns the chunk of the outermost one. */
static int64_t choose_lanes(struct compiler *c, struct group *g)
{
    int64_t inner = 1, chunk = 1;
    while (g->lanes < g->loops && g->lanes < MAX_RANK && inner * 2 <= MOST_LANES) {
        const struct var *var = g->loop[g->loops - 1 - g->lanes]->var;
        if (g->lanes && !group_is_linear(g, var))
            break;
        g->lanes++;
        if (!group_allows_lanes(c, g)) {
            g->lanes--;
            break;
        }
        int64_t most = MOST_LANES / inner, parts = (var->extent + most - 1) / most;
        chunk = (var->extent + parts - 1) / parts;
        if (parts > 1)
            break;
        inner *= var->extent;
    }
    return chunk;
}

/* ---- indices, accesses ----------------------------------------------------------------------- */

static void compile_index(struct compiler *c, const struct affine *from, struct index *index);

static void compile_term(struct compiler *c, const struct term *term, struct index *index)
{
    if (term->kind == TERM_VAR) {
        index->linear[index->linears++] = (struct linear){slot_of(c, term->var), term->factor};
        return;
    }
    struct nonlinear *made = &index->nonlinear[index->nonlinears++];
    *made =
        (struct nonlinear){.factor = term->factor, .kind = term->kind, .divisor = term->divisor};
    compile_index(c, term->inner, &made->inner);
    if (term->kind == TERM_LOOKUP)
        made->table = memory_of(c, term->table)->data;
}

static struct index index_new(struct compiler *c, int terms)
{
    struct index index = {0};
    index.linear = arena_alloc(c->arena, (size_t)terms * sizeof *index.linear);
    index.nonlinear = arena_alloc(c->arena, (size_t)terms * sizeof *index.nonlinear);
    return index;
}

static void compile_index(struct compiler *c, const struct affine *from, struct index *index)
{
    *index = index_new(c, from->count);
    index->constant = from->constant;
    for (int i = 0; i < from->count; i++)
        compile_term(c, &from->term[i], index);
}

static bool lanes_use(const struct group *g, const struct term *term)
{
    for (int i = g->loops - g->lanes; i < g->loops; i++)
        if (term->kind == TERM_VAR ? term->var == g->loop[i]->var
                                   : affine_uses(term->inner, g->loop[i]->var))
            return true;
    return false;
}

static bool needs_gather(const struct group *g, const struct affine *index)
{
    for (int i = 0; i < index->count; i++)
        if (index->term[i].kind != TERM_VAR && lanes_use(g, &index->term[i]))
            return true;
    return false;
}

/* All variables of a gather but those that are 0 whenever it is looked at. */
static void watch(struct compiler *c, const struct group *g, const struct affine *index,
                  struct gather *gather)
{
    for (int slot = 0; slot < c->slots; slot++) {
        bool changes = true;
        for (int i = g->loops - g->lanes + 1; i < g->loops; i++)
            changes = changes && c->var[slot] != g->loop[i]->var;
        if (changes && affine_uses(index, c->var[slot]))
            gather->slot[gather->watched++] = slot;
    }
}

static void compile_gather(struct compiler *c, const struct group *g, const struct affine *index,
                           struct access *access)
{
    struct gather *gather = access->gather = ARENA_NEW(c->arena, struct gather);
    access->index = index_new(c, index->count);
    access->index.constant = index->constant;
    gather->index = index_new(c, index->count);
    for (int i = 0; i < index->count; i++)
        compile_term(c, &index->term[i],
                     lanes_use(g, &index->term[i]) ? &gather->index : &access->index);
    gather->slot = arena_alloc(c->arena, (size_t)c->slots * sizeof *gather->slot);
    gather->seen = arena_alloc(c->arena, (size_t)c->slots * sizeof *gather->seen);
    struct affine *moving = arena_alloc(
        c->arena, sizeof *moving + (size_t)gather->index.linears * sizeof *moving->term +
                      (size_t)gather->index.nonlinears * sizeof *moving->term);
    for (int i = 0; i < index->count; i++)
        if (lanes_use(g, &index->term[i]))
            moving->term[moving->count++] = index->term[i];
    watch(c, g, moving, gather);
}

/* The lanes' loops as dimensions, those merged that follow one another in memory. */
static void compile_strides(const struct group *g, const struct affine *index,
                            struct access *access)
{
    access->dims = 1;
    access->extent[0] = 1;
    for (int i = 0; i < g->lanes; i++) {
        const struct var *var = g->loop[g->loops - g->lanes + i]->var;
        int64_t stride = stride_of(index, var), extent = i ? var->extent : 1;
        int last = access->dims - 1;
        if (i && access->stride[last] != stride * extent)
            access->extent[last = access->dims++] = 1;
        access->stride[last] = stride;
        access->extent[last] *= extent;
    }
}

static struct access compile_access(struct compiler *c, const struct group *g,
                                    const struct buffer *buffer, const struct affine *const *index)
{
    struct access access = {.data = memory_of(c, buffer)->data,
                            .elements = shape_elements(&buffer->shape)};
    const struct affine *flat = affine_linearize(c->arena, &buffer->shape, index);
    if (needs_gather(g, flat)) {
        compile_gather(c, g, flat, &access);
        return access;
    }
    compile_index(c, flat, &access.index);
    compile_strides(g, flat, &access);
    return access;
}

/* ---- expressions, steps ---------------------------------------------------------------------- */

static struct node *compile_expr(struct compiler *c, const struct group *g, const struct expr *expr)
{
    struct node *node = ARENA_NEW(c->arena, struct node);
    node->op = expr->op;
    node->out = arena_alloc(c->arena, MOST_LANES * sizeof *node->out);
    for (int i = 0; expr->op == SCALAR_constant && i < MOST_LANES; i++)
        node->out[i] = c->single ? (double)(float)expr->value : expr->value;
    node->vars = expr->vars;
    for (int i = 0; i < expr->vars; i++) {
        node->slot[i] = slot_of(c, expr->var[i]);
        node->extent[i] = expr->var[i]->extent;
    }
    if (expr->op == SCALAR_load)
        node->load = compile_access(c, g, expr->buffer, expr->index);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            node->in[i] = compile_expr(c, g, expr->in[i]);
    return node;
}

static struct step *compile_lanes(struct compiler *c, const struct group *g, int64_t chunk)
{
    struct step *step = ARENA_NEW(c->arena, struct step);
    struct lanes *lanes = step->lanes = ARENA_NEW(c->arena, struct lanes);
    lanes->chunk = chunk;
    for (int i = g->loops - g->lanes; i < g->loops; i++) {
        lanes->slot[lanes->loops] = slot_of(c, g->loop[i]->var);
        lanes->extent[lanes->loops++] = g->loop[i]->var->extent;
    }
    for (const struct stmt *store = g->stores; store; store = store->next)
        lanes->stores++;
    lanes->store = arena_alloc(c->arena, (size_t)lanes->stores * sizeof *lanes->store);
    int i = 0;
    for (const struct stmt *store = g->stores; store; store = store->next, i++) {
        lanes->store[i].value = compile_expr(c, g, store->value);
        lanes->store[i].to = compile_access(c, g, store->buffer, store->index);
    }
    return step;
}

static bool only_stores(const struct stmt *stmt)
{
    while (stmt && stmt->kind == STMT_STORE)
        stmt = stmt->next;
    return !stmt;
}

static struct step *compile_stmts(struct compiler *c, const struct stmt *stmt);

static struct step *compile_loop(struct compiler *c, const struct var *var, struct step *body)
{
    struct step *step = ARENA_NEW(c->arena, struct step);
    step->slot = slot_of(c, var);
    step->extent = var->extent;
    step->body = body;
    return step;
}

static struct step *compile_stmt(struct compiler *c, const struct stmt *stmt)
{
    struct group g = {0};
    const struct stmt *at = stmt;
    struct stmt alone; /* a store in a list of other statements */
    if (stmt->kind == STMT_STORE) {
        alone = *stmt;
        alone.next = NULL;
        g.stores = &alone;
    } else {
        do {
            if (at->var->extent > 1)
                g.loop[g.loops++] = at;
            at = at->body;
        } while (!only_stores(at) && !at->next && g.loops < MOST_LOOPS);
        if (!only_stores(at))
            return compile_loop(c, stmt->var, compile_stmts(c, stmt->body));
        g.stores = at;
    }
    int64_t chunk = choose_lanes(c, &g);
    struct step *step = compile_lanes(c, &g, chunk);
    for (int i = g.loops - g.lanes - 1; i >= 0; i--)
        step = compile_loop(c, g.loop[i]->var, step);
    return step;
}

static struct step *compile_stmts(struct compiler *c, const struct stmt *stmt)
{
    struct step *first = NULL, **end = &first;
    for (; stmt; stmt = stmt->next) {
        *end = compile_stmt(c, stmt);
        end = &(*end)->next;
    }
    return first;
}

struct program kernel_compile(const struct kernel *kernel, const struct memories *memories,
                              bool single, struct arena *arena)
{
    struct compiler c = {.arena = arena, .memories = memories, .single = single};
    struct program program = {.arena = arena};
    program.steps = compile_stmts(&c, kernel->body);
    program.slots = c.slots;
    return program;
}
