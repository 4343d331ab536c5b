#include "points_collide.h"
#include "digits.h"
#include "index.h"
#include "point_set.h"

/* ---- digits ---------------------------------------------------------------------------------- */

enum { MOST_PAIRS = 64 };

/* Pairs of variables of a and b that are equal wherever a point of a is a point of b. */
struct pairs {
    int count;
    const struct var *a[MOST_PAIRS], *b[MOST_PAIRS];
};

/* Both are digits of a number, the larger first: a + 4 b + 32 c, b below 8, a below 4. */
static void pair_coordinate(const struct affine *a, const struct affine *b, struct pairs *pairs)
{
    int64_t reach = 0; /* of the digits after */
    if (a->constant != b->constant || a->count != b->count ||
        pairs->count > MOST_PAIRS - MOST_TERMS || a->count > MOST_TERMS)
        return;
    for (int i = a->count - 1; i >= 0; i--) {
        const struct term *p = &a->term[i], *q = &b->term[i];
        if (p->kind != TERM_VAR || q->kind != TERM_VAR || p->factor != q->factor ||
            p->factor <= reach)
            return;
        int64_t most = p->var->extent > q->var->extent ? p->var->extent : q->var->extent;
        reach += p->factor * (most - 1);
    }
    for (int i = 0; i < a->count; i++) {
        pairs->a[pairs->count] = a->term[i].var;
        pairs->b[pairs->count++] = b->term[i].var;
    }
}

/* Whether a's value is made of paired variables as b's is. */
static bool same_value(const struct affine *a, const struct affine *b, const struct pairs *pairs)
{
    if (a->constant != b->constant || a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++) {
        const struct term *p = &a->term[i], *q = &b->term[i];
        bool same = p->kind == q->kind && p->factor == q->factor && p->divisor == q->divisor;
        if (same && p->kind == TERM_VAR) {
            int at = 0;
            while (at < pairs->count && (pairs->a[at] != p->var || pairs->b[at] != q->var))
                at++;
            same = at < pairs->count;
        } else {
            same = same && same_value(p->inner, q->inner, pairs);
        }
        if (!same)
            return false;
    }
    return true;
}

static bool pieces_apart(const struct space *space, const struct piece *a, const struct piece *b)
{
    struct pairs pairs = {0};
    for (int i = 0; i < space->count; i++) {
        int64_t least_a, most_a, least_b, most_b;
        affine_range(a->points.at[i], &least_a, &most_a);
        affine_range(b->points.at[i], &least_b, &most_b);
        if (least_a > most_b || least_b > most_a)
            return true;
        pair_coordinate(a->points.at[i], b->points.at[i], &pairs);
    }
    return same_value(a->value, b->value, &pairs);
}

/* Whether the element determines the value of var, as x[n, y, x] does the pixel and so the tile. */
static bool digits_apart(struct arena *arena, const struct space *space, const struct points *a,
                         const struct points *b, struct var *var)
{
    struct pieces *left = ARENA_NEW(arena, struct pieces);
    struct pieces *right = ARENA_NEW(arena, struct pieces);
    points_split(arena, space, a, var, left);
    points_split(arena, space, b, var, right);
    for (int i = 0; i < left->count; i++)
        for (int j = 0; j < right->count; j++)
            if (!pieces_apart(space, &left->piece[i], &right->piece[j]))
                return false;
    return true;
}

/* Like digits_apart, but by the dimensions alone, so that a loop around may be merged with others.
 */
static bool dimensions_apart(struct arena *arena, const struct space *space, int around,
                             const struct points *a, const struct points *b, struct var *var)
{
    struct space dimensions = {.count = space->count - around};
    struct points left, right;
    for (int i = 0; i < dimensions.count; i++) {
        dimensions.size[i] = space->size[around + i];
        left.at[i] = a->at[around + i];
        right.at[i] = b->at[around + i];
    }
    return digits_apart(arena, &dimensions, &left, &right, var);
}

/* ---- points one by one ----------------------------------------------------------------------- */

enum { NOBODY = 0, SEVERAL = -1 };

/* Finds the owner of each point of the group: the value of var there, plus 1. */
static bool find_owners(struct query *q, int group, const struct points *a, const struct var *var,
                        int32_t *owner)
{
    struct walk walk = {0};
    const struct form *form = form_of(q, &walk, group_number(q, group, a));
    int slot = walk_slot(&walk, var);
    if (q->unknown || !walk_starts(q, &walk))
        return false;
    do {
        int32_t *at = &owner[form_value(form, walk.value)];
        int32_t own = slot < 0 ? SEVERAL : (int32_t)(walk.value[slot] + 1);
        *at = *at == NOBODY || *at == own ? own : SEVERAL;
    } while (walk_goes_on(&walk));
    return true;
}

static bool meets_others(struct query *q, int group, const struct points *b, const struct var *var,
                         const int32_t *owner)
{
    struct walk walk = {0};
    const struct form *form = form_of(q, &walk, group_number(q, group, b));
    int slot = walk_slot(&walk, var);
    if (q->unknown || !walk_starts(q, &walk))
        return false;
    do {
        int32_t at = owner[form_value(form, walk.value)];
        if (at != NOBODY && (at == SEVERAL || slot < 0 || at != walk.value[slot] + 1))
            return true;
    } while (walk_goes_on(&walk));
    return false;
}

static bool collide_in_group(struct query *q, int group, const struct points *a,
                             const struct points *b, const struct var *var)
{
    int64_t size = group_size(q, group);
    if (size > MOST_BITS / 8 || var->extent >= INT32_MAX)
        q->unknown = true;
    if (q->unknown)
        return false;
    int32_t *owner = arena_alloc(q->arena, (size_t)size * sizeof *owner); /* NOBODY */
    return find_owners(q, group, a, var, owner) && meets_others(q, group, b, var, owner);
}

static bool meet_in_group(struct query *q, int group, const struct points *a,
                          const struct points *b)
{
    struct set left = set_of(q, group, a), right = set_of(q, group, b);
    return !q->unknown && sets_meet(&left, &right);
}

static bool collide(struct query *q, const struct points *a, const struct points *b,
                    const struct var *var)
{
    int with = -1; /* a coordinate that moves with var */
    groups_begin(q);
    groups_join_sharing(q, a);
    groups_join_sharing(q, b);
    for (int i = 0; i < q->space->count; i++)
        if (affine_uses(a->at[i], var) || affine_uses(b->at[i], var)) {
            if (with >= 0)
                groups_join(q, with, i);
            with = i;
        }
    groups_end(q);
    for (int i = 0; i < q->groups; i++) {
        bool moves = with >= 0 && q->group[with] == i;
        if (!(moves ? collide_in_group(q, i, a, b, var) : meet_in_group(q, i, a, b)))
            return false;
    }
    return true;
}

enum answer points_collide(struct effort *effort, const struct space *space, int around,
                           const struct points *a, const struct points *b, struct var *var)
{
    struct query q = {.arena = arena_new(), .effort = effort, .space = space};
    struct points left = *a, right = *b;
    points_without_lookups(q.arena, space, &left);
    points_without_lookups(q.arena, space, &right);
    bool found = var->extent > 1 && !dimensions_apart(q.arena, space, around, &left, &right, var) &&
                 (!around || !digits_apart(q.arena, space, &left, &right, var)) &&
                 collide(&q, &left, &right, var);
    arena_free(q.arena);
    return q.unknown ? ANSWER_UNKNOWN : found ? ANSWER_YES : ANSWER_NO;
}
