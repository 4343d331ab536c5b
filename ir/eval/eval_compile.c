/* A kernel to steps: which loops become lanes, and where every access lies.
 *
 * The innermost loops around nothing but stores become lanes, if running their iterations together
 * gives the same as running them in order: each iteration reads and writes an element of its own of
 * whatever is stored to. So the kinds of loops change nothing here. */
#include "affine.h"
#include "eval_loops.h"
#include <assert.h>
#include <string.h>

enum { MOST_LOOPS = 16 };

struct compiler {
    struct arena *arena;
    const struct memories *memories;
    bool single;
    int slots, room;
    const struct var **var; /* by slot */
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
    if (c->slots == c->room) {
        const struct var **old = c->var;
        c->room = 2 * c->room + 32;
        c->var = arena_alloc(c->arena, (size_t)c->room * sizeof *c->var);
        for (int i = 0; i < c->slots; i++)
            c->var[i] = old[i];
    }
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

/* Elements from one iteration of var to the next, where its terms are linear. */
static int64_t stride_of(const struct buffer *buffer, const struct affine *const *index,
                         const struct var *var)
{
    int64_t stride = 0, scale = 1;
    for (int d = buffer->shape.rank - 1; d >= 0; scale *= buffer->shape.dim[d--])
        for (int i = 0; i < index[d]->count; i++)
            if (index[d]->term[i].kind == TERM_VAR && index[d]->term[i].var == var)
                stride += scale * index[d]->term[i].factor;
    return stride;
}

/* Whether each iteration of the lanes' loops stores to a different element: true only where every
 * stride is longer than the reach of all shorter ones together. */
static bool store_is_injective(const struct group *g, const struct stmt *store)
{
    int64_t stride[MAX_RANK], extent[MAX_RANK];
    int left = 0;
    for (int i = g->loops - g->lanes; i < g->loops; i++, left++) {
        const struct var *var = g->loop[i]->var;
        if (!access_is_linear(store->buffer, store->index, var))
            return false;
        stride[left] = magnitude(stride_of(store->buffer, store->index, var));
        extent[left] = var->extent;
    }
    for (int64_t reach = 0; left; left--) {
        int least = 0;
        for (int i = 1; i < left; i++)
            least = stride[i] < stride[least] ? i : least;
        if (stride[least] <= reach)
            return false;
        reach += stride[least] * (extent[least] - 1);
        stride[least] = stride[left - 1];
        extent[least] = extent[left - 1];
    }
    return true;
}

/* Iterations may even store to the same element, if nothing else in the group touches it: lanes are
 * stored in order. */
static bool store_allows_lanes(const struct group *g, const struct stmt *store)
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
    return !others || store_is_injective(g, store);
}

static bool group_allows_lanes(const struct group *g)
{
    for (const struct stmt *store = g->stores; store; store = store->next)
        if (!store_allows_lanes(g, store))
            return false;
    return true;
}

/* Loops join the lanes from the innermost outwards. Only the innermost may need a gather: with a
 * gather, more lanes are no faster. Returns the chunk of the outermost one. */
static int64_t choose_lanes(struct group *g)
{
    int64_t inner = 1, chunk = 1;
    while (g->lanes < g->loops && g->lanes < MAX_RANK && inner * 2 <= MOST_LANES) {
        const struct var *var = g->loop[g->loops - 1 - g->lanes]->var;
        if (g->lanes && !group_is_linear(g, var))
            break;
        g->lanes++;
        if (!group_allows_lanes(g)) {
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

/* Adds a term, times `scale`. */
static void compile_term(struct compiler *c, const struct term *term, int64_t scale,
                         struct index *index)
{
    int64_t factor = scale * term->factor;
    if (term->kind == TERM_VAR) {
        index->linear[index->linears++] = (struct linear){slot_of(c, term->var), factor};
        return;
    }
    struct nonlinear *made = &index->nonlinear[index->nonlinears++];
    *made = (struct nonlinear){.factor = factor, .kind = term->kind, .divisor = term->divisor};
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
        compile_term(c, &from->term[i], 1, index);
}

static bool term_uses(const struct term *term, const struct var *var)
{
    return term->kind == TERM_VAR ? term->var == var : affine_uses(term->inner, var);
}

static bool lanes_use(const struct group *g, const struct term *term)
{
    for (int i = g->loops - g->lanes; i < g->loops; i++)
        if (term_uses(term, g->loop[i]->var))
            return true;
    return false;
}

/* A gather watches the variables of its terms. The lanes' variables are 0 whenever it looks, all
 * but the outermost loop's, so those are left out. */
static void gather_watch(struct compiler *c, const struct group *g, const struct term *term,
                         struct gather *gather)
{
    for (int slot = 0; slot < c->slots; slot++) {
        bool watched = term_uses(term, c->var[slot]);
        for (int i = g->loops - g->lanes + 1; i < g->loops; i++)
            watched = watched && c->var[slot] != g->loop[i]->var;
        for (int i = 0; i < gather->watched; i++)
            watched = watched && gather->slot[i] != slot;
        if (watched)
            gather->slot[gather->watched++] = slot;
    }
}

static bool needs_gather(const struct group *g, const struct buffer *buffer,
                         const struct affine *const *index)
{
    for (int i = g->loops - g->lanes; i < g->loops; i++)
        if (!access_is_linear(buffer, index, g->loop[i]->var))
            return true;
    return false;
}

static struct gather *gather_new(struct compiler *c, int terms)
{
    struct gather *gather = ARENA_NEW(c->arena, struct gather);
    gather->index = index_new(c, terms);
    return gather;
}

/* The row-major offset: terms that differ between lanes go to the gather, where there is one. */
static void compile_offset(struct compiler *c, const struct group *g, const struct buffer *buffer,
                           const struct affine *const *index, struct access *access)
{
    struct gather *gather = access->gather;
    int64_t scale = 1;
    for (int d = buffer->shape.rank - 1; d >= 0; scale *= buffer->shape.dim[d--]) {
        access->index.constant += scale * index[d]->constant;
        for (int i = 0; i < index[d]->count; i++) {
            const struct term *term = &index[d]->term[i];
            bool moves = gather && lanes_use(g, term);
            compile_term(c, term, scale, moves ? &gather->index : &access->index);
        }
    }
    if (!gather)
        return;
    gather->slot = arena_alloc(c->arena, (size_t)c->slots * sizeof *gather->slot);
    gather->seen = arena_alloc(c->arena, (size_t)c->slots * sizeof *gather->seen);
    for (int d = 0; d < buffer->shape.rank; d++)
        for (int i = 0; i < index[d]->count; i++)
            if (lanes_use(g, &index[d]->term[i]))
                gather_watch(c, g, &index[d]->term[i], gather);
}

/* The lanes' loops as dimensions, those merged that follow one another in memory. */
static void compile_strides(const struct group *g, const struct buffer *buffer,
                            const struct affine *const *index, struct access *access)
{
    access->dims = 1;
    access->extent[0] = 1;
    for (int i = 0; i < g->lanes; i++) {
        const struct var *var = g->loop[g->loops - g->lanes + i]->var;
        int64_t stride = stride_of(buffer, index, var), extent = i ? var->extent : 1;
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
    int terms = 0;
    for (int d = 0; d < buffer->shape.rank; d++)
        terms += index[d]->count;
    access.index = index_new(c, terms);
    access.gather = needs_gather(g, buffer, index) ? gather_new(c, terms) : NULL;
    compile_offset(c, g, buffer, index, &access);
    if (!access.gather)
        compile_strides(g, buffer, index, &access);
    return access;
}

/* ---- expressions, steps ---------------------------------------------------------------------- */

static struct node *compile_expr(struct compiler *c, const struct group *g, const struct expr *expr)
{
    struct node *node = ARENA_NEW(c->arena, struct node);
    node->op = expr->op;
    node->out = arena_alloc(c->arena, MOST_LANES * sizeof *node->out);
    for (int i = 0; expr->op == SCALAR_constant && i < MOST_LANES; i++)
        node->out[i] = c->single ? single_of(expr->value) : expr->value;
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
        } while (!only_stores(at) && at->kind == STMT_FOR && !at->next && g.loops < MOST_LOOPS);
        if (!only_stores(at))
            return compile_loop(c, stmt->var, compile_stmts(c, stmt->body));
        g.stores = at;
    }
    int64_t chunk = choose_lanes(&g);
    struct step *step = compile_lanes(c, &g, chunk);
    for (int i = g.loops - g.lanes - 1; i >= 0; i--)
        step = compile_loop(c, g.loop[i]->var, step);
    return step;
}

static struct step *compile_stmts(struct compiler *c, const struct stmt *stmt)
{
    struct step *first = NULL, **end = &first;
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_BARRIER || stmt->kind == STMT_PREFETCH)
            continue; /* threads run in turn here, and a prefetch changes no value */
        *end = compile_stmt(c, stmt);
        end = &(*end)->next;
    }
    return first;
}

void kernel_compile(const struct kernel *kernel, const struct memories *memories, bool single,
                    struct arena *arena, struct program *program)
{
    struct compiler c = {.arena = arena, .memories = memories, .single = single};
    *program = (struct program){.arena = arena, .single = single};
    program->steps = compile_stmts(&c, kernel->body);
    program->slots = c.slots;
}
