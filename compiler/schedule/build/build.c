#include "build.h"
#include "rules.h"
#include "units.h"
#include <string.h>

void build_begin_kernel(struct kernel_build *k, const struct subject *s, const struct plan *plan,
                        const char *suffix)
{
    const struct nests *nests = s->nests;
    int locals = nests->count + 8; /* see build_depth.c, build_staging.c, build_blocks.c */
    for (const struct buffer *local = nests->kernel->locals; local; local = local->next)
        locals++;
    *k = (struct kernel_build){.m = s->m,
                               .nests = nests,
                               .plan = plan,
                               .registers = s->target->gpu ? 0 : s->target->registers,
                               .tile = 1,
                               .split = 1};
    k->local = arena_alloc(s->m->arena, (size_t)locals * sizeof *k->local);
    build_next_kernel(k, s->target->name, suffix);
}

void build_next_kernel(struct kernel_build *k, const char *target, const char *suffix)
{
    const struct kernel *from = k->nests->kernel;
    k->to = ARENA_NEW(k->m->arena, struct kernel);
    k->to->name = arena_printf(k->m->arena, "%s%s", from->name, suffix);
    k->to->label = from->label;
    k->to->at = from->at;
    k->to->target = target;
    k->accumulators = 0;
}

static const struct expr *load_local(struct rewriter *r, const struct expr *load)
{
    affine_ref index[MAX_RANK];
    struct buffer *local = build_local_index(r->context, load->buffer, load->index, index);
    return local == load->buffer ? load : expr_load(r->m, local, index);
}

void build_begin_nest(struct nest_build *b, struct kernel_build *k, const struct kernel_nest *nest,
                      const struct nest_plan *plan)
{
    *b = (struct nest_build){.k = k,
                             .nest = nest,
                             .plan = plan,
                             .r = {.m = k->m, .load = load_local},
                             .row_pixels = k->tile > 1 ? k->tile : 1,
                             .parts = 1};
    b->r.context = b;
    b->first_column = b->first_row = affine_constant(k->m->arena, 0);
    b->terms = (struct piece){1, b->first_row};
}

void build_map_pixel(struct nest_build *b, affine_ref p)
{
    const struct nests *nests = b->k->nests;
    struct arena *arena = b->k->m->arena;
    affine_ref flat = affine_add(arena, b->k->first, p);
    b->p = p;
    for (int i = nests->pixels - 1; i >= 0; i--) {
        int64_t extent = nests->pixel[i]->extent;
        rewriter_map(&b->r, nests->pixel[i], i ? affine_mod(arena, flat, extent) : flat);
        flat = affine_div(arena, flat, extent);
    }
}

/* ---- buffers --------------------------------------------------------------------------------- */

struct buffer *build_local_index(const struct nest_build *b, struct buffer *buffer,
                                 const affine_ref *from, affine_ref *to)
{
    const struct kernel_build *k = b->k;
    struct arena *arena = k->m->arena;
    const struct local_build *local = k->local;
    int front = 0, rank = buffer->shape.rank;
    while (local < k->local + k->locals && local->from != buffer)
        local++;
    if (local == k->local + k->locals) {
        memcpy(to, from, (size_t)rank * sizeof *to);
        return buffer;
    }
    if (local->layout == LAYOUT_DEPTH) {
        to[0] = affine_div(arena, from[0], local->depth);
        to[1] = b->p;
        to[2] = affine_mod(arena, from[0], local->depth);
        return local->to;
    }
    if (local->to->place == PLACE_WORKSPACE)
        to[front++] = k->block;
    if (k->nests->pixels && local->layout != LAYOUT_LANES && !local->no_pixels)
        to[front++] = local->layout == LAYOUT_ONE_PIXEL ? affine_constant(arena, 0) : b->p;
    memcpy(to + front, from, (size_t)rank * sizeof *to);
    if (local->layout == LAYOUT_LANES)
        to[rank] = b->p;
    if (local->layout == LAYOUT_COLUMNS)
        to[front + rank - 1] =
            affine_add(arena, from[rank - 1], affine_scale(arena, b->first_column, -1));
    return local->to;
}

struct stmt *build_store(struct nest_build *b, const struct expr *value)
{
    const struct stmt *store = b->nest->loops.store;
    affine_ref from[MAX_RANK], index[MAX_RANK];
    for (int i = 0; i < store->buffer->shape.rank; i++)
        from[i] = rewrite_affine(&b->r, store->index[i]);
    struct buffer *local = build_local_index(b, store->buffer, from, index);
    return stmt_store(b->k->m, local, index, value);
}

/* ---- sums ------------------------------------------------------------------------------------ */

struct buffer *build_accumulators(struct kernel_build *k, struct shape shape)
{
    const char *name = arena_printf(k->m->arena, "acc%d", k->accumulators++);
    return buffer_new(k->m, &k->to->locals, name, PLACE_REGISTERS, shape);
}

const struct expr *build_initial(struct nest_build *b)
{
    const struct expr *reduce = b->nest->reduce;
    bool some = reduce->in[1] && (b->parts == 1 || b->sums_done);
    double none = reduce->op == SCALAR_sum ? 0 : -HUGE_VAL;
    return some ? rewrite_expr(&b->r, reduce->in[1]) : expr_constant(b->k->m, none);
}

const struct expr *build_step(struct nest_build *b, const struct expr *old)
{
    struct module *m = b->k->m;
    const struct expr *reduce = b->nest->reduce, *body = reduce->in[0];
    if (reduce->op == SCALAR_sum && body->op == SCALAR_mul) {
        int first = b->tile_terms && body->in[1] == b->nest->row_factor;
        const struct expr *row =
            b->row_factor ? b->row_factor : rewrite_expr(&b->r, body->in[first]);
        return expr_op(m, SCALAR_fma, row, rewrite_expr(&b->r, body->in[!first]), old);
    }
    return expr_op(m, reduce->op == SCALAR_sum ? SCALAR_add : SCALAR_max, old,
                   rewrite_expr(&b->r, body), NULL);
}

int64_t build_terms(const struct nest_build *b, const struct var *var)
{
    return var->extent / (b->parts * b->terms.count);
}

affine_ref build_first_term(const struct nest_build *b, int64_t terms)
{
    return affine_scale(b->k->m->arena, b->parts > 1 ? b->part : b->terms.number, terms);
}

struct stmt *build_partial(struct nest_build *b, affine_ref row, affine_ref column,
                           const struct expr *value)
{
    affine_ref at[3] = {b->part, row, column};
    return stmt_store(b->k->m, b->sums, at, value);
}

const struct expr *build_total(struct nest_build *b)
{
    struct module *m = b->k->m;
    affine_ref at[3] = {b->at_row, b->at_column};
    if (b->sums->shape.rank == 2)
        return expr_load(m, b->sums, at);
    const struct expr *total = build_initial(b);
    at[1] = b->at_row;
    at[2] = b->at_column;
    for (int64_t i = 0; i < b->sums->shape.dim[0]; i++) {
        at[0] = affine_constant(m->arena, i);
        total = expr_op(m, b->nest->reduce->op == SCALAR_sum ? SCALAR_add : SCALAR_max, total,
                        expr_load(m, b->sums, at), NULL);
    }
    return total;
}

const struct expr *build_final(struct nest_build *b, const struct expr *total)
{
    /* the expression around the reduction is rewritten; the total is in new variables already */
    const struct expr *value = b->nest->loops.store->value;
    return rewrite_expr(&b->r, expr_replace(b->k->m, value, b->nest->reduce, total));
}

bool build_in_tiles(const struct nest_build *b, const struct segment *columns)
{
    return b->tile_terms && columns->lanes >= LEAST_PAIR_LANES;
}

int64_t build_step_terms(const struct nest_build *b, const struct segment *columns)
{
    if (build_in_tiles(b, columns))
        return b->tile_terms;
    return b->plan->pairs && columns->lanes >= LEAST_PAIR_LANES ? PAIR : 1;
}

int64_t build_terms_together(const struct nest_build *b)
{
    const struct expr *product = b->nest->reduce->in[0];
    int64_t most = 1;
    for (int i = 0; i < 2 && product->op == SCALAR_mul; i++) {
        const struct expr *factor = product->in[i];
        int64_t terms = factor->op == SCALAR_load ? weights_together(factor->buffer) : 1;
        most = terms > most ? terms : most;
    }
    return most;
}

int64_t build_line_terms(const struct nest_build *b, const struct var *var)
{
    int64_t line = expr_divisors(b->nest->reduce->in[0], var).largest;
    return line > build_terms_together(b) && line < var->extent ? line : 0;
}

int64_t build_steps_at_once(const struct nest_build *b, int64_t steps, int64_t rows,
                            const struct segment *columns)
{
    enum { MOST_WRITTEN = 128 /* multiply-adds */ };
    int64_t across = columns->size / columns->lanes, sums = rows * across;
    int64_t spare = b->k->registers / 16;
    int64_t together = build_terms_together(b), least = 1;
    if (build_in_tiles(b, columns))
        return 1;
    if (build_step_terms(b, columns) == 1 &&
        steps % together == 0) /* which of the terms together is then known */
        least = together;
    if (!b->nest->row_factor || across < 2 || sums + across + 1 > b->k->registers - spare)
        return least;
    for (int64_t count = MOST_AT_ONCE; count >= LEAST_AT_ONCE; count /= 2)
        if (steps > count && steps % count == 0 && count * sums <= MOST_WRITTEN)
            return count;
    return least;
}

/* ---- loops ----------------------------------------------------------------------------------- */

struct stmt *build_loop(struct module *m, struct var *var, enum loop_kind kind, struct stmt *stmt)
{
    return var->extent > 1 ? stmt_for(m, var, kind, stmt) : stmt;
}

struct stmt *build_tile_loops(struct module *m, struct var *row, struct var *group,
                              struct var *lane, struct stmt *stmt)
{
    stmt = build_loop(m, lane, LOOP_VECTOR, stmt);
    stmt = build_loop(m, group, LOOP_UNROLL, stmt);
    return build_loop(m, row, LOOP_UNROLL, stmt);
}
