#include "digits.h"
#include "index.h"

enum { MOST_VARS = 64, MOST_SPLITS = 64 };

/* ---- variables ------------------------------------------------------------------------------- */

/* Makes variables: the arena, and how many it has made. */
struct maker {
    struct arena *arena;
    const struct space *space;
    const char *name;
    int made;
};

static const struct affine *new_var(struct maker *maker, int64_t extent)
{
    struct var *var = ARENA_NEW(maker->arena, struct var);
    *var = (struct var){maker->name, extent, ++maker->made};
    return affine_var(maker->arena, var);
}

static bool add_vars(const struct affine *a, struct var **var, int *count)
{
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        int at = 0;
        if (t->kind != TERM_VAR) {
            if (!add_vars(t->inner, var, count))
                return false;
            continue;
        }
        while (at < *count && var[at] != t->var)
            at++;
        if (at == MOST_VARS)
            return false;
        var[at] = t->var;
        *count += at == *count;
    }
    return true;
}

static int count_uses(const struct affine *a, const struct var *var)
{
    int uses = 0;
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind == TERM_VAR)
            uses += a->term[i].var == var;
        else
            uses += count_uses(a->term[i].inner, var);
    return uses;
}

/* Whether there is room for another term wherever the variable stands. */
static bool has_room(const struct affine *a, const struct var *var)
{
    return index_terms(a) + count_uses(a, var) <= MOST_TERMS;
}

static bool piece_has_room(const struct maker *maker, const struct piece *piece,
                           const struct var *var)
{
    for (int i = 0; i < maker->space->count; i++)
        if (!has_room(piece->points.at[i], var))
            return false;
    return !piece->value || has_room(piece->value, var);
}

static void replace(const struct maker *maker, struct points *points, const struct var *var,
                    const struct affine *with)
{
    for (int i = 0; i < maker->space->count; i++)
        points->at[i] = affine_substitute(maker->arena, points->at[i], var, with);
}

/* ---- look-ups -------------------------------------------------------------------------------- */

bool index_has_lookup(const struct affine *a)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind == TERM_LOOKUP ||
            (a->term[i].kind != TERM_VAR && index_has_lookup(a->term[i].inner)))
            return true;
    return false;
}

bool points_have_lookups(const struct space *space, const struct points *points)
{
    for (int i = 0; i < space->count; i++)
        if (index_has_lookup(points->at[i]))
            return true;
    return false;
}

static const struct affine *without_lookups(struct maker *maker, const struct affine *a)
{
    struct arena *arena = maker->arena;
    if (!index_has_lookup(a))
        return a;
    const struct affine *sum = affine_constant(arena, a->constant);
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        const struct affine *term;
        if (t->kind == TERM_VAR)
            term = affine_var(arena, t->var);
        else if (t->kind == TERM_LOOKUP)
            term = new_var(maker, t->divisor);
        else if (t->kind == TERM_DIV)
            term = affine_div(arena, without_lookups(maker, t->inner), t->divisor);
        else
            term = affine_mod(arena, without_lookups(maker, t->inner), t->divisor);
        sum = affine_add(arena, sum, affine_scale(arena, term, t->factor));
    }
    return sum;
}

void points_without_lookups(struct arena *arena, const struct space *space, struct points *points)
{
    struct maker maker = {arena, space, "held", 0};
    for (int i = 0; i < space->count; i++)
        points->at[i] = without_lookups(&maker, points->at[i]);
}

/* ---- merging --------------------------------------------------------------------------------- */

/* Whether a's factor is the same positive multiple of b's wherever a or b occurs. */
static bool is_multiple(const struct affine *index, const struct var *a, const struct var *b,
                        int64_t *multiple)
{
    int64_t of_a = 0, of_b = 0;
    for (int i = 0; i < index->count; i++) {
        const struct term *t = &index->term[i];
        if (t->kind != TERM_VAR) {
            if (!is_multiple(t->inner, a, b, multiple))
                return false;
        } else if (t->var == a) {
            of_a = t->factor;
        } else if (t->var == b) {
            of_b = t->factor;
        }
    }
    if (!of_a && !of_b)
        return true;
    if (!of_b || of_a % of_b || of_a / of_b <= 0 || (*multiple && of_a / of_b != *multiple))
        return false;
    *multiple = of_a / of_b;
    return true;
}

/* Whether the kept value is still known after a and b become one variable. */
static bool keeps_value(const struct piece *piece, const struct var *a, const struct var *b,
                        int64_t multiple)
{
    return !piece->value || b->extent == multiple ||
           (!affine_uses(piece->value, a) && !affine_uses(piece->value, b));
}

/* multiple * a + b becomes one variable. */
static bool merge_pair(struct maker *maker, struct piece *piece, const struct var *a,
                       const struct var *b)
{
    struct arena *arena = maker->arena;
    int64_t multiple = 0;
    for (int i = 0; i < maker->space->count; i++)
        if (!is_multiple(piece->points.at[i], a, b, &multiple))
            return false;
    if (!multiple || b->extent < multiple || !keeps_value(piece, a, b, multiple))
        return false;
    const struct affine *one = new_var(maker, b->extent + (a->extent - 1) * multiple);
    replace(maker, &piece->points, b, one); /* first: without a, a div may be 0 */
    replace(maker, &piece->points, a, affine_constant(arena, 0));
    if (!piece->value || b->extent != multiple)
        return true;
    piece->value = affine_substitute(arena, piece->value, b, affine_mod(arena, one, multiple));
    piece->value = affine_substitute(arena, piece->value, a, affine_div(arena, one, multiple));
    return true;
}

static bool merge_some(struct maker *maker, struct piece *piece)
{
    struct var *var[MOST_VARS];
    int count = 0;
    for (int i = 0; i < maker->space->count; i++)
        if (!add_vars(piece->points.at[i], var, &count))
            return false;
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++)
            if (a != b && piece_has_room(maker, piece, var[a]) &&
                piece_has_room(maker, piece, var[b]) && merge_pair(maker, piece, var[a], var[b]))
                return true;
    return false;
}

const struct affine *index_merged(struct arena *arena, const struct affine *index)
{
    const struct space line = {.count = 1};
    struct maker maker = {arena, &line, "merged", 0};
    struct piece piece = {.points.at[0] = index};
    while (merge_some(&maker, &piece))
        ;
    return piece.points.at[0];
}

/* ---- splitting ------------------------------------------------------------------------------- */

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* How a variable is taken apart: its first values first, or, where `first` is 0, into digits, the
 * lower one of `size` values. */
struct cut {
    struct var *var;
    int64_t first, size;
};

/* Where (3*v + 6) mod 12 begins anew: at v = 2. */
static bool cuts_first(const struct affine *dividend, int64_t divisor, struct cut *cut)
{
    const struct term *term = &dividend->term[0];
    int64_t missing = divisor - dividend->constant % divisor;
    if (dividend->count != 1 || term->kind != TERM_VAR || term->factor < 0 || missing == divisor ||
        missing % term->factor || missing / term->factor >= term->var->extent)
        return false;
    *cut = (struct cut){term->var, missing / term->factor, 0};
    return true;
}

/* Finds a cut for a variable of a dividend; innermost first. */
static bool find_cut(const struct affine *a, struct cut *cut)
{
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        if (t->kind == TERM_VAR)
            continue;
        if (find_cut(t->inner, cut) || cuts_first(t->inner, t->divisor, cut))
            return true;
        for (int j = 0; j < t->inner->count; j++) {
            const struct term *inner = &t->inner->term[j];
            if (inner->kind != TERM_VAR)
                continue;
            *cut = (struct cut){inner->var, 0, t->divisor / gcd(inner->factor, t->divisor)};
            if (cut->size > 1 && cut->size < inner->var->extent)
                return true;
        }
    }
    return false;
}

static void piece_replace(const struct maker *maker, struct piece *piece, const struct var *var,
                          const struct affine *with)
{
    replace(maker, &piece->points, var, with);
    if (piece->value)
        piece->value = affine_substitute(maker->arena, piece->value, var, with);
}

/* Adds a piece in which var has `count` values from `first` on. False: there is no room. */
static bool add_part(struct maker *maker, struct pieces *pieces, const struct piece *piece,
                     const struct var *var, int64_t first, int64_t count)
{
    if (pieces->count == MOST_PIECES)
        return false;
    struct piece *part = &pieces->piece[pieces->count++];
    *part = *piece;
    piece_replace(maker, part, var, affine_offset(maker->arena, new_var(maker, count), first));
    return true;
}

/* Into digits: var = size * high + low. The values beyond the last whole multiple are a piece of
 * their own. */
static bool split_var(struct maker *maker, struct pieces *pieces, struct piece *piece,
                      const struct cut *cut)
{
    const struct var *var = cut->var;
    struct arena *arena = maker->arena;
    const struct affine *with;
    if (!piece_has_room(maker, piece, var))
        return false;
    if (cut->first) {
        if (!add_part(maker, pieces, piece, var, 0, cut->first))
            return false;
        with = affine_offset(arena, new_var(maker, var->extent - cut->first), cut->first);
    } else {
        int64_t whole = var->extent / cut->size, rest = var->extent % cut->size;
        if (rest && !add_part(maker, pieces, piece, var, whole * cut->size, rest))
            return false;
        with = affine_scale(arena, new_var(maker, whole), cut->size);
        with = affine_add(arena, with, new_var(maker, cut->size));
    }
    piece_replace(maker, piece, var, with);
    return true;
}

static bool split_some(struct maker *maker, struct pieces *pieces, struct piece *piece)
{
    struct cut cut;
    for (int i = 0; i < maker->space->count; i++)
        if (find_cut(piece->points.at[i], &cut))
            return split_var(maker, pieces, piece, &cut);
    return false;
}

void points_split(struct arena *arena, const struct space *space, const struct points *points,
                  struct var *var, struct pieces *pieces)
{
    struct maker maker = {arena, space, "digit", 0};
    pieces->count = 1;
    pieces->piece[0] = (struct piece){*points, var ? affine_var(arena, var) : NULL};
    for (int i = 0; i < pieces->count; i++) {
        struct piece *piece = &pieces->piece[i];
        int splits = 0;
        do
            while (merge_some(&maker, piece))
                ;
        while (splits++ < MOST_SPLITS && split_some(&maker, pieces, piece));
    }
}
