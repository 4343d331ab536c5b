/* What is left of `what` is a list of products of sets, one set for each group of coordinates. Each
 * of `by` is subtracted from it in turn. */
#include "points_covered.h"
#include "digits.h"
#include "point_set.h"
#include <string.h>

enum { MOST_PRODUCTS = 1 << 12 };

struct product {
    struct set set[MOST_COORDINATES];
};

/* Products with no point in common. */
struct products {
    int count;
    struct product *product;
};

static void product_of(struct query *q, const struct points *points, struct product *product)
{
    for (int i = 0; i < q->groups && !q->unknown; i++)
        product->set[i] = set_of(q, i, points);
}

static void add_product(struct query *q, struct products *to, const struct product *product)
{
    if (to->count == MOST_PRODUCTS) {
        q->unknown = true;
        return;
    }
    if ((to->count & (to->count - 1)) == 0) { /* 0 or a power of two: full */
        struct product *old = to->product;
        size_t room = to->count ? 2 * (size_t)to->count : 1;
        to->product = arena_alloc(q->arena, room * sizeof *old);
        if (to->count)
            memcpy(to->product, old, (size_t)to->count * sizeof *old);
    }
    to->product[to->count++] = *product;
}

static bool products_meet(const struct query *q, const struct product *a, const struct product *b)
{
    for (int i = 0; i < q->groups; i++)
        if (!sets_meet(&a->set[i], &b->set[i]))
            return false;
    return true;
}

/* Adds a without b: the parts of a that agree with b in the first i groups but not in group i. */
static void add_without(struct query *q, struct products *to, struct product a,
                        const struct product *b)
{
    if (!products_meet(q, &a, b)) {
        add_product(q, to, &a);
        return;
    }
    for (int i = 0; i < q->groups && !q->unknown; i++) {
        struct product left = a;
        struct set part[2];
        set_without(q, &a.set[i], &b->set[i], part);
        for (int j = 0; j < 2 && !q->unknown; j++)
            if (!set_is_empty(&part[j])) {
                left.set[i] = part[j];
                add_product(q, to, &left);
            }
        if (!q->unknown)
            a.set[i] = set_common(q, &a.set[i], &b->set[i]);
    }
}

static struct products take_away(struct query *q, const struct products *from,
                                 const struct product *by)
{
    struct products left = {0};
    for (int i = 0; i < from->count && !q->unknown; i++)
        add_without(q, &left, from->product[i], by);
    return left;
}

/* ---- what is missing ------------------------------------------------------------------------- */

static void first_point(const struct query *q, const struct product *product, int64_t *point)
{
    for (int i = 0; i < q->groups; i++) {
        int64_t number = set_first(&product->set[i]);
        for (int j = q->space->count - 1; j >= 0; j--)
            if (q->group[j] == i) {
                point[j] = number % q->space->size[j];
                number /= q->space->size[j];
            }
    }
}

static bool comes_first(const struct query *q, const int64_t *a, const int64_t *b)
{
    int i = 0;
    while (i < q->space->count - 1 && a[i] == b[i])
        i++;
    return a[i] < b[i];
}

static void find_missing(const struct query *q, const struct products *left, int64_t *missing)
{
    int64_t point[MOST_COORDINATES];
    first_point(q, &left->product[0], missing);
    for (int i = 1; i < left->count; i++) {
        first_point(q, &left->product[i], point);
        if (comes_first(q, point, missing))
            memcpy(missing, point, sizeof point);
    }
}

/* ---- coverage -------------------------------------------------------------------------------- */

/* Whether `by` alone covers them all, by the ranges of indices. Mostly it does, and this check is
 * fast. */
static bool covers_alone(struct query *q, const struct points *what, const struct points *by)
{
    bool covers = true;
    groups_begin(q);
    groups_join_sharing(q, by);
    groups_end(q);
    for (int i = 0; i < q->groups && covers; i++) {
        int64_t least, most;
        struct set all;
        covers = set_interval(q, i, by, &all);
        affine_range(group_number(q, i, what), &least, &most);
        covers = covers && !q->unknown && least >= all.least && most <= all.most;
    }
    q->unknown = false;
    return covers;
}

static void join_pieces(struct query *q, const struct pieces *pieces)
{
    for (int i = 0; i < pieces->count; i++)
        groups_join_sharing(q, &pieces->piece[i].points);
}

/* `count` + 1 pieces: those of `what` first. */
static enum answer pieces_covered(struct query *q, const struct pieces *pieces, int count,
                                  int64_t *missing)
{
    struct products left = {0};
    struct product product;
    groups_begin(q);
    for (int i = 0; i <= count; i++)
        join_pieces(q, &pieces[i]);
    groups_end(q);
    for (int i = 0; i < pieces[0].count && !q->unknown; i++) {
        product_of(q, &pieces[0].piece[i].points, &product);
        add_product(q, &left, &product);
    }
    for (int i = count; i > 0 && left.count > 0; i--) /* the last one most likely covers it */
        for (int j = 0; j < pieces[i].count && !q->unknown; j++) {
            product_of(q, &pieces[i].piece[j].points, &product);
            if (!q->unknown)
                left = take_away(q, &left, &product);
        }
    if (q->unknown)
        return ANSWER_UNKNOWN;
    if (!left.count)
        return ANSWER_YES;
    find_missing(q, &left, missing);
    return ANSWER_NO;
}

static enum answer answer_covered(struct query *q, const struct points *what,
                                  const struct points *by, int count, int64_t *missing)
{
    struct pieces *pieces = arena_alloc(q->arena, (size_t)(count + 1) * sizeof *pieces);
    struct points plain = *what;
    int known = 0;
    points_without_lookups(q->arena, q->space, &plain);
    points_split(q->arena, q->space, &plain, NULL, &pieces[0]);
    for (int i = 0; i < count; i++)
        if (!points_have_lookups(q->space, &by[i]))
            points_split(q->arena, q->space, &by[i], NULL, &pieces[++known]);
    return pieces_covered(q, pieces, known, missing);
}

enum answer points_covered(struct effort *effort, const struct space *space,
                           const struct points *what, const struct points *by, int count,
                           int64_t *missing)
{
    struct query q = {.arena = arena_new(), .effort = effort, .space = space};
    enum answer answer = ANSWER_NO;
    for (int i = count - 1; i >= 0 && answer == ANSWER_NO; i--)
        if (!points_have_lookups(space, &by[i]) && covers_alone(&q, what, &by[i]))
            answer = ANSWER_YES;
    if (answer == ANSWER_NO)
        answer = answer_covered(&q, what, by, count, missing);
    arena_free(q.arena);
    return answer;
}
