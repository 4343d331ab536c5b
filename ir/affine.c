#include "affine.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Canonical: terms differ in all but their factor, factors are not 0, the largest factors come
 * first, and div and mod stand only where the ranges leave no simpler form. */

enum { MAX_TERMS = 64 };

/* A sum under construction. */
struct sum {
    int64_t constant;
    int count;
    struct term term[MAX_TERMS];
};

static int compare(const struct affine *a, const struct affine *b);

/* By name. A pass may hold two variables of one name until it renames them: these are ordered by
 * when they were made. The verifier's own variables have no number and are never printed. */
static int compare_vars(const struct var *a, const struct var *b)
{
    if (a == b)
        return 0;
    int order = strcmp(a->name, b->name);
    if (!order)
        order = (a->serial > b->serial) - (a->serial < b->serial);
    return order ? order : (uintptr_t)a < (uintptr_t)b ? -1 : 1;
}

/* Orders terms apart from their factor; never by address, so that text is reproducible. */
static int compare_terms(const struct term *a, const struct term *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == TERM_VAR)
        return compare_vars(a->var, b->var);
    if (a->divisor != b->divisor)
        return a->divisor < b->divisor ? -1 : 1;
    if (a->kind == TERM_LOOKUP && a->table != b->table)
        return strcmp(a->table->name, b->table->name);
    return compare(a->inner, b->inner);
}

static int compare(const struct affine *a, const struct affine *b)
{
    if (a == b)
        return 0;
    if (a->constant != b->constant)
        return a->constant < b->constant ? -1 : 1;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int i = 0; i < a->count; i++) {
        if (a->term[i].factor != b->term[i].factor)
            return a->term[i].factor < b->term[i].factor ? -1 : 1;
        int order = compare_terms(&a->term[i], &b->term[i]);
        if (order)
            return order;
    }
    return 0;
}

static int by_factor(const void *a, const void *b)
{
    const struct term *p = a, *q = b;
    if (p->factor != q->factor)
        return p->factor > q->factor ? -1 : 1;
    return compare_terms(p, q);
}

static const struct affine *finish(struct arena *arena, struct sum *sum)
{
    int kept = 0;
    for (int i = 0; i < sum->count; i++)
        if (sum->term[i].factor)
            sum->term[kept++] = sum->term[i];
    qsort(sum->term, (size_t)kept, sizeof *sum->term, by_factor);
    struct affine *a = arena_alloc(arena, sizeof *a + (size_t)kept * sizeof *a->term);
    a->constant = sum->constant;
    a->count = kept;
    memcpy(a->term, sum->term, (size_t)kept * sizeof *a->term);
    return a;
}

static void accumulate(struct sum *sum, const struct affine *a, int64_t factor);

/* x div d * d f + x mod d * f is x f. True if `term` found its other half in the sum. */
static bool recombine(struct sum *sum, const struct term *term)
{
    if (term->kind != TERM_DIV && term->kind != TERM_MOD)
        return false;
    for (int i = 0; i < sum->count; i++) {
        struct term *other = &sum->term[i];
        const struct term *div = term->kind == TERM_DIV ? term : other;
        const struct term *mod = term->kind == TERM_DIV ? other : term;
        if (other->factor && div->kind == TERM_DIV && mod->kind == TERM_MOD &&
            div->divisor == mod->divisor && div->factor == mod->factor * mod->divisor &&
            compare(div->inner, mod->inner) == 0) {
            int64_t factor = mod->factor;
            const struct affine *inner = mod->inner;
            other->factor = 0;
            accumulate(sum, inner, factor);
            return true;
        }
    }
    return false;
}

static void accumulate_term(struct sum *sum, const struct term *term)
{
    for (int i = 0; i < sum->count; i++)
        if (sum->term[i].factor && compare_terms(&sum->term[i], term) == 0) {
            struct term merged = sum->term[i];
            merged.factor += term->factor;
            sum->term[i].factor = 0;
            if (merged.factor)
                accumulate_term(sum, &merged);
            return;
        }
    if (recombine(sum, term))
        return;
    int i = 0;
    while (i < sum->count && sum->term[i].factor) /* a slot that merging left free, or the end */
        i++;
    assert(i < MAX_TERMS);
    sum->term[i] = *term;
    sum->count += i == sum->count;
}

static void accumulate(struct sum *sum, const struct affine *a, int64_t factor)
{
    if (!factor)
        return;
    sum->constant += factor * a->constant;
    for (int i = 0; i < a->count; i++) {
        struct term term = a->term[i];
        term.factor *= factor;
        accumulate_term(sum, &term);
    }
}

const struct affine *affine_constant(struct arena *arena, int64_t value)
{
    struct sum sum = {.constant = value};
    return finish(arena, &sum);
}

const struct affine *affine_var(struct arena *arena, struct var *var)
{
    struct sum sum = {0};
    if (var->extent > 1)
        sum.term[sum.count++] = (struct term){.factor = 1, .kind = TERM_VAR, .var = var};
    return finish(arena, &sum);
}

const struct affine *affine_add(struct arena *arena, const struct affine *a, const struct affine *b)
{
    struct sum sum = {0};
    accumulate(&sum, a, 1);
    accumulate(&sum, b, 1);
    return finish(arena, &sum);
}

const struct affine *affine_offset(struct arena *arena, const struct affine *a, int64_t value)
{
    struct sum sum = {.constant = value};
    accumulate(&sum, a, 1);
    return finish(arena, &sum);
}

const struct affine *affine_scale(struct arena *arena, const struct affine *a, int64_t factor)
{
    struct sum sum = {0};
    accumulate(&sum, a, factor);
    return finish(arena, &sum);
}

static void term_range(const struct term *term, int64_t *least, int64_t *most)
{
    switch (term->kind) {
    case TERM_VAR:
        *least = 0;
        *most = term->var->extent - 1;
        break;
    case TERM_DIV:
        affine_range(term->inner, least, most);
        *least /= term->divisor;
        *most /= term->divisor;
        break;
    case TERM_MOD:
    case TERM_LOOKUP:
        *least = 0;
        *most = term->divisor - 1;
        break;
    }
}

void affine_range(const struct affine *a, int64_t *least, int64_t *most)
{
    *least = *most = a->constant;
    for (int i = 0; i < a->count; i++) {
        int64_t low = 0, high = 0, factor = a->term[i].factor;
        term_range(&a->term[i], &low, &high);
        *least += factor * (factor > 0 ? low : high);
        *most += factor * (factor > 0 ? high : low);
    }
}

static bool within(const struct affine *a, int64_t limit)
{
    int64_t least, most;
    affine_range(a, &least, &most);
    return least >= 0 && most < limit;
}

static int64_t gcd(int64_t a, int64_t b)
{
    a = a < 0 ? -a : a;
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* a = multiple * divisor + rest, term by term. */
static void split_multiple(struct arena *arena, const struct affine *a, int64_t divisor,
                           const struct affine **multiple, const struct affine **rest)
{
    struct sum whole = {0}, part = {0};
    int64_t quotient = floor_div(a->constant, divisor);
    whole.constant = quotient;
    part.constant = a->constant - quotient * divisor;
    for (int i = 0; i < a->count; i++) {
        struct term term = a->term[i];
        if (term.factor % divisor == 0) {
            term.factor /= divisor;
            whole.term[whole.count++] = term;
        } else {
            part.term[part.count++] = term;
        }
    }
    *multiple = finish(arena, &whole);
    *rest = finish(arena, &part);
}

/* Finds g > 1 dividing the divisor so that a = g * high + low with 0 <= low < g. */
static bool split_tile(struct arena *arena, const struct affine *a, int64_t divisor, int64_t *g,
                       const struct affine **high, const struct affine **low)
{
    int64_t common = divisor;
    for (int i = 0; i < a->count; i++) {
        common = gcd(a->term[i].factor, common);
        if (common == 1)
            return false;
        if (i + 1 < a->count && a->term[i + 1].factor % common == 0)
            continue;
        split_multiple(arena, a, common, high, low);
        if (within(*low, common)) {
            *g = common;
            return true;
        }
    }
    return false;
}

const struct affine *affine_div(struct arena *arena, const struct affine *a, int64_t divisor)
{
    assert(divisor > 0);
    if (divisor == 1)
        return a;
    const struct affine *multiple, *rest, *high, *low;
    int64_t g, least, most;
    split_multiple(arena, a, divisor, &multiple, &rest);
    affine_range(rest, &least, &most);
    if (least < 0) { /* div rounds down only where nothing is negative: leave it whole */
        multiple = affine_constant(arena, 0);
        rest = a;
    }
    if (within(rest, divisor))
        return multiple;
    if (split_tile(arena, rest, divisor, &g, &high, &low))
        return affine_add(arena, multiple, affine_div(arena, high, divisor / g));
    if (rest->count == 1 && !rest->constant && rest->term[0].factor == 1 &&
        rest->term[0].kind == TERM_DIV) {
        const struct term *t = &rest->term[0];
        return affine_add(arena, multiple, affine_div(arena, t->inner, t->divisor * divisor));
    }
    struct sum sum = {0};
    sum.term[sum.count++] =
        (struct term){.factor = 1, .kind = TERM_DIV, .inner = rest, .divisor = divisor};
    return affine_add(arena, multiple, finish(arena, &sum));
}

const struct affine *affine_mod(struct arena *arena, const struct affine *a, int64_t divisor)
{
    assert(divisor > 0);
    const struct affine *multiple, *rest, *high, *low;
    int64_t g, least, most;
    split_multiple(arena, a, divisor, &multiple, &rest);
    affine_range(rest, &least, &most);
    if (least < 0) /* mod, too, is only for what is not negative */
        rest = affine_offset(arena, rest, (divisor - 1 - least) / divisor * divisor);
    if (within(rest, divisor))
        return rest;
    if (split_tile(arena, rest, divisor, &g, &high, &low))
        return affine_add(arena, affine_scale(arena, affine_mod(arena, high, divisor / g), g), low);
    if (rest->count == 1 && !rest->constant && rest->term[0].factor == 1 &&
        rest->term[0].kind == TERM_MOD && rest->term[0].divisor % divisor == 0)
        return affine_mod(arena, rest->term[0].inner, divisor);
    struct sum sum = {0};
    sum.term[sum.count++] =
        (struct term){.factor = 1, .kind = TERM_MOD, .inner = rest, .divisor = divisor};
    return finish(arena, &sum);
}

const struct affine *affine_lookup(struct arena *arena, struct buffer *table,
                                   const struct affine *inner, int64_t limit)
{
    struct sum sum = {.count = 1};
    sum.term[0] = (struct term){
        .factor = 1, .kind = TERM_LOOKUP, .inner = inner, .divisor = limit, .table = table};
    return finish(arena, &sum);
}

const struct affine *affine_substitute(struct arena *arena, const struct affine *a,
                                       const struct var *var, const struct affine *with)
{
    if (!affine_uses(a, var))
        return a;
    struct sum sum = {.constant = a->constant};
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        if (t->kind == TERM_VAR) {
            if (t->var == var)
                accumulate(&sum, with, t->factor);
            else
                accumulate_term(&sum, t);
            continue;
        }
        const struct affine *inner = affine_substitute(arena, t->inner, var, with);
        const struct affine *made = t->kind == TERM_DIV ? affine_div(arena, inner, t->divisor)
                                    : t->kind == TERM_MOD
                                        ? affine_mod(arena, inner, t->divisor)
                                        : affine_lookup(arena, t->table, inner, t->divisor);
        accumulate(&sum, made, t->factor);
    }
    return finish(arena, &sum);
}

bool affine_equal(const struct affine *a, const struct affine *b)
{
    return compare(a, b) == 0;
}

bool affine_uses(const struct affine *a, const struct var *var)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind == TERM_VAR ? a->term[i].var == var
                                        : affine_uses(a->term[i].inner, var))
            return true;
    return false;
}

bool affine_step(const struct affine *a, const struct var *var, int64_t *step)
{
    *step = 0;
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind == TERM_VAR && a->term[i].var == var)
            *step = a->term[i].factor;
        else if (a->term[i].kind != TERM_VAR && affine_uses(a->term[i].inner, var))
            return false;
    return true;
}

bool affine_is_constant(const struct affine *a)
{
    return a->count == 0;
}

const struct affine *affine_linearize(struct arena *arena, const struct shape *shape,
                                      const struct affine *const *index)
{
    struct sum sum = {0};
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        accumulate(&sum, index[i], stride);
        stride *= shape->dim[i];
    }
    return finish(arena, &sum);
}
