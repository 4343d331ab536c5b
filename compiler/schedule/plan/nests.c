#include "nests.h"
#include "target.h"
#include <assert.h>

/* ---- which kernels can have schedules -------------------------------------------------------- */

static struct stmt *first_nest(const struct kernel *kernel, int *pixels, struct var **pixel)
{
    struct stmt **nests;
    bool found = kernel_pixels(kernel, pixel, &nests);
    *pixels = found ? 3 : 0;
    return found ? *nests : kernel->body;
}

/* The first statement alone, without those after it. */
static bool first_nest_of(struct stmt *stmt, struct nest *nest)
{
    struct stmt alone = *stmt;
    alone.next = NULL;
    bool found = nest_of(&alone, nest);
    if (found && nest->store == &alone)
        nest->store = stmt; /* without loops */
    return found;
}

static const char *why_no_nest(struct stmt *stmt)
{
    struct nest nest;
    if (!first_nest_of(stmt, &nest))
        return "a nest that is no loops around one store";
    for (int i = 0; i < nest.vars; i++)
        if (nest.loop[i] != LOOP_SERIAL)
            return "a loop that is not serial";
    const struct expr *value = nest.store->value;
    return expr_has_reduce(value) && !expr_find_reduce(value) ? "two reductions in one nest" : NULL;
}

/* Why a kernel whose nests begin with `nest` cannot have a schedule, or NULL. */
static const char *why_no_nests(const struct kernel *kernel, struct stmt *nest, int *count)
{
    const char *why = kernel->target ? "a target of its own" : NULL;
    int locals = 0;
    for (; nest && !why; nest = nest->next, (*count)++)
        why = why_no_nest(nest);
    for (const struct buffer *local = kernel->locals; local && !why; local = local->next, locals++)
        why = local->place == PLACE_STACK ? NULL : "a local buffer that is not on the stack";
    if (!why && (*count > MAX_NESTS || locals > MAX_NESTS))
        why = "more nests or local buffers than 64";
    return why;
}

/* ---- one nest -------------------------------------------------------------------------------- */

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
    const struct nests *nests;
    const struct kernel_nest *nest;
    bool serves_all;
};

static void visit_operand(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct operands *o = context;
    if (load->buffer->place == PLACE_STACK)
        return; /* private to a pixel */
    for (int i = 0; i < o->nests->pixels; i++)
        if (expr_uses_var(load, o->nests->pixel[i]))
            return;
    for (int i = 0; i < o->nest->rows; i++)
        if (expr_uses_var(load, o->nest->loops.var[i]))
            return;
    o->serves_all = true;
}

static bool differs_by_rows(const struct nests *nests, const struct kernel_nest *nest,
                            const struct expr *factor)
{
    bool found = false;
    for (int v = 0; v < nest->rows; v++)
        found |= expr_uses_var(factor, nest->loops.var[v]);
    for (int v = 0; v < nests->pixels; v++)
        found |= expr_uses_var(factor, nests->pixel[v]);
    return found;
}

static const struct expr *find_row_factor(const struct nests *nests, const struct kernel_nest *nest)
{
    const struct expr *reduce = nest->reduce;
    if (!reduce || reduce->op != SCALAR_sum || reduce->vars != 1 ||
        reduce->in[0]->op != SCALAR_mul || !nest_has_columns(nest))
        return NULL;
    const struct var *column = nest_column(nest);
    for (int i = 0; i < 2; i++) {
        const struct expr *row = reduce->in[0]->in[i], *other = reduce->in[0]->in[1 - i];
        if (!expr_uses_var(row, column) && !expr_has_reduce(row) &&
            !differs_by_rows(nests, nest, other) && expr_uses_var(other, column))
            return row;
    }
    return NULL;
}

static bool has_exp(const struct expr *expr)
{
    bool found = expr->op == SCALAR_exp;
    for (int i = 0; i < 3 && !found; i++)
        found = expr->in[i] && has_exp(expr->in[i]);
    return found;
}

/* The loop over groups of a grouped linear, on a processor, where each group's sums stay in the
 * kernel: it goes around all that is done for a linear. */
static struct var *take_group_loop(struct module *m, struct kernel_nest *nest)
{
    const struct expr *sum = nest->reduce;
    struct nest *loops = &nest->loops;
    if (loops->vars != 2 || !nest_stays(nest) || !sum || sum->op != SCALAR_sum || sum->vars != 1 ||
        sum->in[0]->op != SCALAR_mul || !expr_uses_var(sum->in[0]->in[0], loops->var[0]))
        return NULL;
    const struct expr *w = sum->in[0]->in[1];
    bool weights = w->op == SCALAR_load && w->buffer->place == PLACE_WEIGHTS &&
                   expr_uses_var(w, loops->var[0]) && expr_uses_var(w, loops->var[1]);
    for (int i = 0; i < m->targets; i++)
        weights &= !target_is_gpu(m->target[i]);
    if (!weights)
        return NULL;
    struct var *group = loops->var[0];
    loops->var[0] = loops->var[1];
    loops->vars = 1;
    return group;
}

static void describe(struct module *m, const struct nests *nests, struct kernel_nest *nest)
{
    nest->reduce = expr_find_reduce(nest->loops.store->value);
    nest->group = take_group_loop(m, nest);
    nest->rows = nest->loops.vars - store_is_contiguous(m, &nest->loops);
    struct operands operands = {nests, nest, false};
    if (nest->reduce)
        expr_visit_loads(nest->reduce->in[0], 1, visit_operand, &operands);
    nest->multiply = operands.serves_all;
    nest->exponentials = has_exp(nest->loops.store->value);
    nest->row_factor = find_row_factor(nests, nest);
}

/* ---- all nests ------------------------------------------------------------------------------- */

struct nests *nests_find(struct module *m, const struct kernel *kernel)
{
    struct var *pixel[3];
    int pixels, count = 0;
    struct stmt *first = first_nest(kernel, &pixels, pixel);
    const char *why = why_no_nests(kernel, first, &count);
    if (why) {
        module_fail(m, kernel->at, "kernel %s cannot have a schedule: it has %s", kernel->name,
                    why);
        return NULL;
    }
    struct nests *nests =
        arena_alloc(m->arena, sizeof *nests + (size_t)count * sizeof *nests->nest);
    nests->kernel = kernel;
    nests->pixels = pixels;
    nests->pixel_count = 1;
    for (int i = 0; i < pixels; i++)
        nests->pixel_count *= (nests->pixel[i] = pixel[i])->extent;
    for (const struct buffer *local = kernel->locals; local; local = local->next)
        nests->local_bytes += buffer_bytes(local);
    for (struct stmt *s = first; s; s = s->next) {
        struct kernel_nest *nest = &nests->nest[nests->count++];
        bool found = first_nest_of(s, &nest->loops);
        assert(found);
        (void)found;
        describe(m, nests, nest);
    }
    return nests;
}

struct nests *nests_copy(struct module *m, const struct nests *nests)
{
    return arena_copy(m->arena, nests, sizeof *nests + (size_t)nests->count * sizeof *nests->nest);
}

/* Whether there is one sum of many terms, as a classifier is: its results are too few for a thread
 * each to keep a GPU busy. */
static bool is_deep_sum(const struct nests *nests)
{
    enum { DEEP = 256 };
    return nests->count == 1 && nests->nest[0].multiply && nest_depth(&nests->nest[0]) >= DEEP &&
           nests->nest[0].reduce->vars == 1;
}

bool nests_are_list(const struct nests *nests)
{
    return !nests->kernel->locals && !nests->pixels && !is_deep_sum(nests);
}

bool nest_has_columns(const struct kernel_nest *nest)
{
    return nest->rows < nest->loops.vars;
}

struct var *nest_column(const struct kernel_nest *nest)
{
    assert(nest_has_columns(nest));
    return nest->loops.var[nest->rows];
}

bool nest_stays(const struct kernel_nest *nest)
{
    return nest->loops.store->buffer->place == PLACE_STACK;
}

struct buffer *nest_row_local(const struct kernel_nest *nest)
{
    const struct expr *factor = nest->row_factor;
    if (!factor || factor->op != SCALAR_load || factor->buffer->place != PLACE_STACK ||
        factor->buffer->shape.rank != 1)
        return NULL;
    const struct affine *k = factor->index[0];
    bool plain = k->count == 1 && !k->constant && k->term[0].kind == TERM_VAR &&
                 k->term[0].factor == 1 && k->term[0].var == nest->reduce->var[0] &&
                 k->term[0].var->extent == factor->buffer->shape.dim[0];
    return plain ? factor->buffer : NULL;
}

struct nest_size nest_measure(const struct kernel_nest *nest, int64_t tile)
{
    struct nest_size size = {1, 1, tile};
    for (int i = 0; i < nest->loops.vars; i++)
        *(i < nest->rows ? &size.rows : &size.columns) *= nest->loops.var[i]->extent;
    if (size.rows < OWN_ROWS) {
        size.rows *= tile;
        size.repeats = 1;
    }
    return size;
}

struct nest_size nest_measure_lanes(const struct kernel_nest *nest, int64_t tile)
{
    struct nest_size size = {1, tile, 1};
    for (int i = 0; i < nest->loops.vars; i++)
        size.rows *= nest->loops.var[i]->extent;
    return size;
}

bool nest_even_rows(const struct kernel_nest *nest, int vars, bool pixels, int64_t rows)
{
    for (int i = vars - 1; i >= (pixels ? 0 : 1) && rows > 1; i--) {
        int64_t extent = nest->loops.var[i]->extent;
        if (rows % extent)
            return extent % rows == 0;
        rows /= extent;
    }
    return true;
}

int64_t nest_groups(const struct kernel_nest *nest)
{
    return nest->group ? nest->group->extent : 1;
}

int64_t nest_depth(const struct kernel_nest *nest)
{
    int64_t depth = 1;
    for (int i = 0; nest->reduce && i < nest->reduce->vars; i++)
        depth *= nest->reduce->var[i]->extent;
    return depth;
}

static void visit_weights(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    if (load->buffer->place == PLACE_WEIGHTS)
        *(int64_t *)context += buffer_bytes(load->buffer);
}

int64_t nest_weight_bytes(const struct kernel_nest *nest)
{
    int64_t bytes = 0;
    if (nest->reduce)
        expr_visit_loads(nest->reduce->in[0], 1, visit_weights, &bytes);
    return bytes;
}
