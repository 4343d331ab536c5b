/* Loops whose iterations run at once: no iteration may write an element that another one touches.
 * Equal values are no exception: two workers that write one element at once are a race. */
#include "verify_races.h"
#include "points_collide.h"

struct pair {
    struct effort *effort;
    const struct buffer *buffer;
    const struct scope *around; /* loops in which both are in the same iteration */
    struct var *var;            /* the loop in which they are in different ones */
    const struct access *store, *other;
};

static bool is_in(const struct scope *scope, const struct scope *of)
{
    while (scope->depth > of->depth)
        scope = scope->up;
    return scope == of;
}

static bool uses_outer_only(const struct affine *a, const struct scope *around)
{
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        if (t->kind == TERM_LOOKUP || (t->kind != TERM_VAR && !uses_outer_only(t->inner, around)))
            return false;
        bool outer = false;
        for (const struct scope *up = around; t->kind == TERM_VAR && up->up; up = up->up)
            outer |= up->loop->var == t->var;
        if (t->kind == TERM_VAR && !outer)
            return false;
    }
    return true;
}

static const struct affine *one_term(struct arena *arena, const struct term *term)
{
    struct affine *a = arena_alloc(arena, sizeof *a + sizeof *term);
    a->count = 1;
    a->term[0] = *term;
    return a;
}

/* The box around the elements of both accesses. */
static struct shape box_of(const struct pair *p, int64_t *first)
{
    struct shape box = {.rank = p->buffer->shape.rank};
    for (int i = 0; i < box.rank; i++) {
        int64_t least, most, other_least, other_most;
        affine_range(p->store->index[i], &least, &most);
        affine_range(p->other->index[i], &other_least, &other_most);
        first[i] = least < other_least ? least : other_least;
        box.dim[i] = (most > other_most ? most : other_most) - first[i] + 1;
    }
    return box;
}

/* x div 6 mod 28 and 28 (x div 168), times a factor: x div 6. */
static const struct affine *join_digits(struct arena *arena, const struct affine *number)
{
    for (int i = 0; i < number->count; i++)
        for (int j = 0; j < number->count; j++) {
            const struct term *high = &number->term[i], *low = &number->term[j];
            if (high->kind != TERM_DIV || low->kind != TERM_MOD || low->inner->count != 1 ||
                low->inner->constant || low->inner->term[0].kind != TERM_DIV ||
                low->inner->term[0].factor != 1)
                continue;
            const struct term *whole = &low->inner->term[0];
            if (high->divisor != whole->divisor * low->divisor ||
                high->factor != low->factor * low->divisor ||
                !affine_equal(high->inner, whole->inner))
                continue;
            const struct affine *both =
                affine_add(arena, one_term(arena, high), one_term(arena, low));
            const struct affine *rest = affine_add(arena, number, affine_scale(arena, both, -1));
            return affine_add(arena, rest, affine_scale(arena, low->inner, low->factor));
        }
    return number;
}

/* The element's number in the box, where tiles of pixels are in a row again. */
static const struct affine *number_of(struct arena *arena, const struct pair *p,
                                      const struct access *access)
{
    const struct affine *index[MAX_RANK], *number = NULL, *joined;
    int64_t first[MAX_RANK];
    struct shape box = box_of(p, first);
    for (int i = 0; i < box.rank; i++)
        index[i] = affine_offset(arena, access->index[i], -first[i]);
    joined = affine_linearize(arena, &box, index);
    while (number != joined) {
        number = joined;
        joined = join_digits(arena, number);
    }
    return number;
}

/* The number of an access' element: step * var + outer + what is from least to most. */
struct stride {
    int64_t step, least, most;
    const struct affine *outer; /* of loops in which both accesses are in the same iteration */
};

/* False: var is not in plain terms alone. */
static bool find_stride(struct arena *arena, const struct pair *p, const struct access *access,
                        struct stride *s)
{
    const struct var *var = p->var;
    int terms = 0;
    for (int i = 0; i < p->buffer->shape.rank; i++)
        terms += index_terms(access->index[i]);
    if (terms > MOST_TERMS)
        return false;
    const struct affine *number = number_of(arena, p, access);
    *s = (struct stride){0, number->constant, number->constant, affine_constant(arena, 0)};
    for (int i = 0; i < number->count; i++) {
        const struct affine *term = one_term(arena, &number->term[i]);
        int64_t least, most;
        affine_range(term, &least, &most);
        if (number->term[i].kind == TERM_VAR && number->term[i].var == var) {
            s->step = number->term[i].factor;
        } else if (affine_uses(term, var)) {
            return false;
        } else if (uses_outer_only(term, p->around)) {
            s->outer = affine_add(arena, s->outer, term);
        } else {
            s->least += least;
            s->most += most;
        }
    }
    return true;
}

/* Whether a step from one iteration to the next is longer than all that the inner loops reach. */
static bool strides_apart(struct arena *arena, const struct pair *p)
{
    struct stride a, b;
    int64_t least, most;
    if (!find_stride(arena, p, p->store, &a) || !find_stride(arena, p, p->other, &b) ||
        a.step != b.step || !a.step)
        return false;
    affine_range(affine_add(arena, b.outer, affine_scale(arena, a.outer, -1)), &least, &most);
    least += b.least - a.most;
    most += b.most - a.least;
    int64_t step = a.step < 0 ? -a.step : a.step;
    int64_t reach = step * (p->var->extent - 1);
    return (most < step && least > -step) || least > reach || most < -reach;
}

/* The loops around, then the dimensions. */
static bool make_points(struct arena *arena, const struct pair *p, struct space *space,
                        struct points *a, struct points *b)
{
    int rank = p->buffer->shape.rank;
    space->count = 0;
    for (const struct scope *up = p->around; up->up; up = up->up) {
        struct var *var = up->loop->var;
        bool used = false;
        for (int i = 0; i < rank; i++)
            used |= affine_uses(p->store->index[i], var) || affine_uses(p->other->index[i], var);
        if (!used)
            continue;
        if (space->count == MOST_COORDINATES - rank)
            return false;
        space->size[space->count] = var->extent;
        a->at[space->count] = b->at[space->count] = affine_var(arena, var);
        space->count++;
    }
    for (int i = 0; i < rank; i++, space->count++) {
        space->size[space->count] = p->buffer->shape.dim[i];
        a->at[space->count] = p->store->index[i];
        b->at[space->count] = p->other->index[i];
    }
    return true;
}

enum answer accesses_meet(struct effort *effort, const struct buffer *buffer,
                          const struct scope *around, struct var *var, const struct access *store,
                          const struct access *other)
{
    struct pair pair = {effort, buffer, around, var, store, other};
    struct space space;
    struct points a, b;
    struct arena *arena = arena_new();
    enum answer answer = ANSWER_UNKNOWN;
    effort->left--;
    if (strides_apart(arena, &pair))
        answer = ANSWER_NO;
    else if (make_points(arena, &pair, &space, &a, &b))
        answer = points_collide(effort, &space, space.count - buffer->shape.rank, &a, &b, var);
    arena_free(arena);
    return answer;
}

static bool verify_pair(struct verifier *verifier, const struct buffer *buffer,
                        const struct scope *scope, const struct access *store,
                        const struct access *other)
{
    const struct stmt *loop = scope->loop;
    enum answer race = accesses_meet(&verifier->effort, buffer, scope->up, loop->var, store, other);
    /* A GPU's loops that are too large to check here are checked by tests that run them
     * (tests/gpu). */
    bool device = (loop->loop == LOOP_BLOCK || loop->loop == LOOP_THREAD ||
                   loop->loop == LOOP_WARP || loop->loop == LOOP_MATRIX) &&
                  loop != verifier->changed;
    if (race == ANSWER_NO || (race == ANSWER_UNKNOWN && device))
        return true;
    verifier->at = loop->at;
    return wrong(verifier,
                 "loop %s: %s, but %sone iteration writes what another %s: an element of %s",
                 loop->var->name, loop_kind_name[loop->loop],
                 race == ANSWER_UNKNOWN ? "too large to see whether " : "",
                 other->store ? "writes" : "reads", buffer->name);
}

static bool verify_store_in(struct verifier *verifier, const struct usage *usage,
                            const struct access *store, const struct scope *scope)
{
    for (const struct access *other = usage->first; other; other = other->next)
        if ((!other->store || other->at >= store->at) && is_in(other->in, scope) &&
            !verify_pair(verifier, usage->buffer, scope, store, other))
            return false;
    return true;
}

bool verify_races(struct verifier *verifier, const struct usage *usage)
{
    for (const struct access *store = usage->first; store; store = store->next)
        for (const struct scope *scope = store->in; store->store && scope->up; scope = scope->up)
            if (runs_at_once(scope) && scope->loop->var->extent > 1 &&
                !is_private(usage->buffer->place, scope->loop->loop) &&
                !verify_store_in(verifier, usage, store, scope))
                return false;
    return true;
}
