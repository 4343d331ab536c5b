/* Reads and writes of one buffer, one by one and in the order of the loops: for what sets do not
 * show, such as a loop that reads what its previous iteration wrote. */
#include "verify_replay.h"
#include "digits.h"
#include "verify_lives.h"
#include <string.h>

static const int64_t MOST_ELEMENTS_REPLAYED = INT64_C(1) << 24;
enum { STEP_EFFORT = 16 /* a step costs as much as so many points of a set */ };

struct replay {
    struct verifier *verifier;
    const struct buffer *buffer;
    struct arena *arena;
    uint64_t *written; /* a bit for each element */
    int64_t elements;
    struct names touching;     /* loops and stores with accesses in them, by their address */
    const struct stmt *around; /* the innermost loop around all accesses, or NULL */
    bool checks;               /* reads */
    bool unknown;
    int64_t missing; /* the first element read before it is written; -1 */
    int vars;
    const struct var *var[2 * MOST_SCOPE];
    int64_t value[2 * MOST_SCOPE];
};

static void forget(struct replay *r)
{
    memset(r->written, 0, (size_t)(r->elements / 64 + 1) * sizeof *r->written);
}

static int64_t value_of(const struct replay *r, const struct affine *a)
{
    int64_t sum = a->constant;
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        int64_t value = 0;
        if (t->kind == TERM_VAR) {
            int at = r->vars - 1;
            while (r->var[at] != t->var)
                at--;
            value = r->value[at];
        } else {
            int64_t inner = value_of(r, t->inner);
            value = t->kind == TERM_DIV ? inner / t->divisor : inner % t->divisor;
        }
        sum += t->factor * value;
    }
    return sum;
}

/* The number of the element; -1: not known, and the replay ends. */
static int64_t element_of(struct replay *r, const struct affine *const *index)
{
    int64_t element = 0;
    r->verifier->effort.left -= STEP_EFFORT;
    for (int i = 0; i < r->buffer->shape.rank && !r->unknown; i++) {
        r->unknown = index_has_lookup(index[i]) || r->verifier->effort.left <= 0;
        if (!r->unknown)
            element = element * r->buffer->shape.dim[i] + value_of(r, index[i]);
    }
    return r->unknown ? -1 : element;
}

static bool stopped(const struct replay *r)
{
    return r->unknown || r->missing >= 0;
}

static void replay_loads(struct replay *r, const struct expr *expr);

static void replay_reduction(struct replay *r, const struct expr *expr, int var)
{
    if (var == expr->vars) {
        replay_loads(r, expr->in[0]);
        return;
    }
    int at = r->vars++;
    r->var[at] = expr->var[var];
    for (int64_t i = 0; i < expr->var[var]->extent && !stopped(r); i++) {
        r->value[at] = i;
        replay_reduction(r, expr, var + 1);
    }
    r->vars = at;
}

static bool has_load(const struct expr *expr, const struct buffer *buffer)
{
    if (expr->op == SCALAR_load)
        return expr->buffer == buffer;
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && has_load(expr->in[i], buffer))
            return true;
    return false;
}

static void replay_loads(struct replay *r, const struct expr *expr)
{
    if (stopped(r) || !has_load(expr, r->buffer))
        return;
    if (expr->op == SCALAR_load) {
        int64_t element = element_of(r, expr->index);
        if (element >= 0 && !(r->written[element >> 6] >> (element & 63) & 1))
            r->missing = element;
        return;
    }
    for (int i = expr->vars > 0; i < 3; i++)
        if (expr->in[i])
            replay_loads(r, expr->in[i]);
    if (expr->vars)
        replay_reduction(r, expr, 0);
}

static bool touches(const struct replay *r, const struct stmt *stmt)
{
    return names_find(&r->touching, (const char *)&stmt, sizeof stmt) != NULL;
}

static void replay_stmts(struct replay *r, const struct stmt *stmt);

static void replay_loop(struct replay *r, const struct stmt *stmt)
{
    bool anew = r->buffer->place >= PLACE_STACK &&
                (stmt == r->around || is_private(r->buffer->place, stmt->loop));
    int at = r->vars++;
    r->var[at] = stmt->var;
    for (int64_t i = 0; i < stmt->var->extent && !stopped(r); i++) {
        r->value[at] = i;
        if (anew)
            forget(r);
        replay_stmts(r, stmt->body);
    }
    if (anew)
        forget(r);
    r->vars = at;
}

static void replay_stmts(struct replay *r, const struct stmt *stmt)
{
    for (; stmt && !stopped(r); stmt = stmt->next) {
        if (!touches(r, stmt))
            continue;
        if (stmt->kind == STMT_FOR) {
            replay_loop(r, stmt);
            continue;
        }
        if (r->checks)
            replay_loads(r, stmt->value);
        int64_t element = stmt->buffer == r->buffer ? element_of(r, stmt->index) : -1;
        if (element >= 0)
            r->written[element >> 6] |= UINT64_C(1) << (element & 63);
    }
}

static void add_touching(struct replay *r, const struct stmt *const *stmt)
{
    if (!names_find(&r->touching, (const char *)stmt, sizeof *stmt))
        names_add(&r->touching, (const char *)stmt, sizeof *stmt, r);
}

static void replay_usage(struct replay *r, const struct usage *usage, bool checks)
{
    r->touching = (struct names){.arena = r->arena};
    r->checks = checks;
    r->around = usage->buffer->place >= PLACE_STACK ? scope_around(usage)->loop : NULL;
    for (const struct access *access = usage->first; access; access = access->next) {
        add_touching(r, &access->of);
        for (const struct scope *scope = access->in; scope->up; scope = scope->up)
            add_touching(r, &scope->loop);
    }
    replay_stmts(r, usage->kernel->body);
}

enum answer replay_reads(struct verifier *verifier, const struct usage *usage,
                         const struct written *before, int64_t *missing)
{
    struct replay r = {.verifier = verifier, .buffer = usage->buffer, .missing = -1};
    r.elements = shape_elements(&usage->buffer->shape);
    if (r.elements > MOST_ELEMENTS_REPLAYED)
        return ANSWER_UNKNOWN;
    r.arena = arena_new();
    r.written = arena_alloc(r.arena, (size_t)(r.elements / 64 + 1) * sizeof *r.written);
    for (; before && !r.unknown; before = before->next)
        replay_usage(&r, before->usage, false);
    if (!r.unknown)
        replay_usage(&r, usage, true);
    arena_free(r.arena);
    *missing = r.missing;
    return r.unknown ? ANSWER_UNKNOWN : r.missing < 0 ? ANSWER_YES : ANSWER_NO;
}
