#include "index_set.h"
#include "text.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VARS = 64, MOST_SUM = 64 /* terms that affine.c takes */ };
/* Points of a group that have a bit each, and of a whole space that is looked at as one group. */
static const int64_t MOST_BITS = INT64_C(1) << 28, MOST_WHOLE = INT64_C(1) << 24;

struct query {
    struct arena *arena;
    struct effort *effort;
    const struct space *space;
    bool unknown;
    int groups;
    int group[MOST_COORDINATES]; /* of each coordinate */
};

/* ---- groups ---------------------------------------------------------------------------------- */

static bool shares_var(const struct affine *a, const struct affine *b)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind == TERM_VAR ? affine_uses(b, a->term[i].var)
                                        : shares_var(a->term[i].inner, b))
            return true;
    return false;
}

static void join(struct query *q, int i, int j)
{
    int from = q->group[j], to = q->group[i];
    for (int k = 0; k < q->space->count; k++)
        if (q->group[k] == from)
            q->group[k] = to;
}

static void join_sharing(struct query *q, const struct points *points)
{
    for (int i = 0; i < q->space->count; i++)
        for (int j = i + 1; j < q->space->count; j++)
            if (q->group[i] != q->group[j] && shares_var(points->at[i], points->at[j]))
                join(q, i, j);
}

static void begin_groups(struct query *q)
{
    for (int i = 0; i < q->space->count; i++)
        q->group[i] = i;
}

/* Numbers the groups from 0 on. */
static void end_groups(struct query *q)
{
    int number[MOST_COORDINATES];
    memset(number, -1, sizeof number);
    q->groups = 0;
    for (int i = 0; i < q->space->count; i++) {
        int *of = &number[q->group[i]];
        *of = *of < 0 ? q->groups++ : *of;
        q->group[i] = *of;
    }
}

/* How many points a group's space has. */
static int64_t group_size(struct query *q, int group)
{
    int64_t size = 1;
    for (int i = 0; i < q->space->count; i++)
        if (q->group[i] == group) {
            if (size > (INT64_C(1) << 60) / q->space->size[i]) {
                q->unknown = true;
                return 1;
            }
            size *= q->space->size[i];
        }
    return size;
}

/* The number of a point among its group's. */
static const struct affine *group_number(struct query *q, int group, const struct points *points)
{
    const struct affine *sum = affine_constant(q->arena, 0);
    int terms = 0;
    for (int i = 0; i < q->space->count; i++) {
        if (q->group[i] != group)
            continue;
        terms += index_terms(points->at[i]);
        if (terms > MOST_SUM - MOST_TERMS) {
            q->unknown = true;
            return sum;
        }
        sum = affine_add(q->arena, affine_scale(q->arena, sum, q->space->size[i]), points->at[i]);
    }
    return sum;
}

/* ---- numbers of points, one by one ----------------------------------------------------------- */

struct form_term {
    int64_t factor;
    int slot; /* of the variable; -1: */
    bool divides;
    int64_t divisor;
    struct form *inner;
};

/* An affine index over the slots of a walk. */
struct form {
    int64_t constant;
    int count;
    struct form_term term[];
};

/* Variables, with how many values each has. */
struct walk {
    int vars;
    const struct var *var[MOST_VARS];
    int64_t extent[MOST_VARS], value[MOST_VARS];
};

static int slot_of(struct query *q, struct walk *walk, const struct var *var, int64_t extent)
{
    for (int i = 0; var && i < walk->vars; i++)
        if (walk->var[i] == var)
            return i;
    if (walk->vars == MOST_VARS) {
        q->unknown = true;
        return 0;
    }
    walk->var[walk->vars] = var;
    walk->extent[walk->vars] = extent;
    walk->value[walk->vars] = 0;
    return walk->vars++;
}

/* What a table holds is a variable of its own. */
static struct form *form_of(struct query *q, struct walk *walk, const struct affine *a)
{
    size_t bytes = sizeof(struct form) + (size_t)a->count * sizeof(struct form_term);
    struct form *form = arena_alloc(q->arena, bytes);
    form->constant = a->constant;
    form->count = a->count;
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        struct form_term *made = &form->term[i];
        *made = (struct form_term){.factor = t->factor, .slot = -1, .divisor = t->divisor};
        made->divides = t->kind == TERM_DIV;
        if (t->kind == TERM_VAR)
            made->slot = slot_of(q, walk, t->var, t->var->extent);
        else if (t->kind == TERM_LOOKUP)
            made->slot = slot_of(q, walk, NULL, t->divisor);
        else
            made->inner = form_of(q, walk, t->inner);
    }
    return form;
}

static int64_t form_value(const struct form *form, const int64_t *value)
{
    int64_t sum = form->constant;
    for (int i = 0; i < form->count; i++) {
        const struct form_term *t = &form->term[i];
        if (t->slot >= 0) {
            sum += t->factor * value[t->slot];
        } else {
            int64_t inner = form_value(t->inner, value);
            sum += t->factor * (t->divides ? inner / t->divisor : inner % t->divisor);
        }
    }
    return sum;
}

/* Whether slot a's factor is, wherever it stands, the same positive multiple of slot b's. */
static bool is_multiple(const struct form *form, int a, int b, int64_t *multiple)
{
    int64_t of_a = 0, of_b = 0;
    for (int i = 0; i < form->count; i++) {
        const struct form_term *t = &form->term[i];
        if (t->slot == a)
            of_a = t->factor;
        else if (t->slot == b)
            of_b = t->factor;
        else if (t->slot < 0 && !is_multiple(t->inner, a, b, multiple))
            return false;
    }
    if (!of_a && !of_b)
        return true;
    if (!of_b || of_a % of_b || of_a / of_b <= 0 || (*multiple && of_a / of_b != *multiple))
        return false;
    *multiple = of_a / of_b;
    return true;
}

/* 14*m + i, with i below 14 or more, takes all the values that one variable of so many more has. */
static void merge_vars(struct walk *walk, const struct form *form)
{
    for (int a = 0; a < walk->vars; a++)
        for (int b = 0; b < walk->vars && walk->extent[a] > 1; b++) {
            int64_t multiple = 0;
            if (a == b || walk->extent[b] == 1 || !is_multiple(form, a, b, &multiple) ||
                !multiple || walk->extent[b] < multiple)
                continue;
            walk->extent[b] += (walk->extent[a] - 1) * multiple;
            walk->extent[a] = 1;
            b = a = -1; /* from the start: b may be one digit of others now */
            break;
        }
}

static bool walk_starts(struct query *q, struct walk *walk)
{
    int64_t points = 1;
    for (int i = 0; i < walk->vars; i++) {
        walk->value[i] = 0;
        if (points > q->effort->left / walk->extent[i]) {
            q->unknown = true;
            return false;
        }
        points *= walk->extent[i];
    }
    q->effort->left -= points;
    return true;
}

static bool walk_goes_on(struct walk *walk)
{
    for (int i = walk->vars - 1; i >= 0; i--) {
        if (++walk->value[i] < walk->extent[i])
            return true;
        walk->value[i] = 0;
    }
    return false;
}

/* ---- sets ------------------------------------------------------------------------------------ */

/* Of numbers of a group's points: those of bits, or all from least to most. */
struct set {
    int64_t size, least, most;
    uint64_t *bits;
};

static bool has_lookup(const struct affine *a)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind == TERM_LOOKUP ||
            (a->term[i].kind != TERM_VAR && has_lookup(a->term[i].inner)))
            return true;
    return false;
}

static bool is_interval(const struct form *form, const struct walk *walk)
{
    int vars = 0;
    for (int i = 0; i < form->count; i++) {
        if (form->term[i].slot < 0)
            return false;
        if (walk->extent[form->term[i].slot] > 1) {
            vars++;
            if (form->term[i].factor != 1 && form->term[i].factor != -1)
                return false;
        }
    }
    return vars <= 1;
}

/* False: no interval, or not known to be one. */
static bool set_interval(struct query *q, int group, const struct points *points, struct set *set,
                         struct walk *walk, struct form **form)
{
    const struct affine *number = group_number(q, group, points);
    *set = (struct set){.size = group_size(q, group)};
    walk->vars = 0;
    *form = form_of(q, walk, number);
    merge_vars(walk, *form);
    affine_range(number, &set->least, &set->most);
    return is_interval(*form, walk);
}

static uint64_t *new_bits(struct query *q, int64_t size)
{
    if (size > MOST_BITS || size / 64 > q->effort->left) {
        q->unknown = true;
        return NULL;
    }
    q->effort->left -= size / 64;
    return arena_alloc(q->arena, (size_t)(size / 64 + 1) * 8);
}

static void set_bits(uint64_t *bits, int64_t least, int64_t most)
{
    for (int64_t i = least; i <= most; i++)
        bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

static struct set set_of(struct query *q, int group, const struct points *points)
{
    struct set set;
    struct walk walk;
    struct form *form;
    if (set_interval(q, group, points, &set, &walk, &form) || q->unknown)
        return set;
    set.bits = new_bits(q, set.size);
    if (!set.bits || !walk_starts(q, &walk))
        return set;
    do {
        int64_t at = form_value(form, walk.value);
        assert(at >= 0 && at < set.size);
        set.bits[at >> 6] |= UINT64_C(1) << (at & 63);
    } while (walk_goes_on(&walk));
    return set;
}

static bool set_has(const struct set *set, int64_t at)
{
    return set->bits ? set->bits[at >> 6] >> (at & 63) & 1 : at >= set->least && at <= set->most;
}

/* Numbers 64 word to 64 word + 63. */
static uint64_t set_word(const struct set *set, int64_t word)
{
    int64_t least = set->least - 64 * word, most = set->most - 64 * word;
    if (set->bits)
        return set->bits[word];
    if (least > 63 || most < 0)
        return 0;
    uint64_t from = least > 0 ? ~UINT64_C(0) << least : ~UINT64_C(0);
    return most < 63 ? from & ((UINT64_C(2) << most) - 1) : from;
}

/* The least of a that is (or is not) in b; -1: none. */
static int64_t first_of(const struct set *a, const struct set *b, bool in_b)
{
    for (int64_t word = a->least / 64; word <= a->most / 64; word++) {
        uint64_t other = set_word(b, word), found = set_word(a, word) & (in_b ? other : ~other);
        if (found)
            return 64 * word + __builtin_ctzll(found);
    }
    return -1;
}

static bool is_within(const struct set *a, const struct set *b)
{
    if (!a->bits && !b->bits)
        return a->least >= b->least && a->most <= b->most;
    return first_of(a, b, false) < 0;
}

static bool sets_meet(const struct set *a, const struct set *b)
{
    if (!a->bits && !b->bits)
        return a->least <= b->most && b->least <= a->most;
    return first_of(a, b, true) >= 0;
}

static struct set set_union(struct query *q, const struct set *a, const struct set *b)
{
    struct set set = {.size = a->size};
    set.least = a->least < b->least ? a->least : b->least;
    set.most = a->most > b->most ? a->most : b->most;
    if (!a->bits && !b->bits && a->least <= b->most + 1 && b->least <= a->most + 1)
        return set;
    set.bits = new_bits(q, set.size);
    const struct set *both[2] = {a, b};
    for (int i = 0; i < 2 && set.bits; i++)
        for (int64_t word = 0; both[i]->bits && word <= set.size / 64; word++)
            set.bits[word] |= both[i]->bits[word];
    for (int i = 0; i < 2 && set.bits; i++)
        if (!both[i]->bits)
            set_bits(set.bits, both[i]->least, both[i]->most);
    return set;
}

/* ---- coverage -------------------------------------------------------------------------------- */

/* A product of sets, one for each group. */
struct product {
    bool empty;
    struct set set[MOST_COORDINATES];
};

static void product_of(struct query *q, const struct points *points, struct product *product)
{
    product->empty = false;
    for (int i = 0; i < q->groups && !q->unknown; i++)
        product->set[i] = set_of(q, i, points);
}

static bool product_within(const struct query *q, const struct product *a, const struct product *b)
{
    for (int i = 0; i < q->groups; i++)
        if (!is_within(&a->set[i], &b->set[i]))
            return false;
    return true;
}

/* Makes b part of a where both differ in one group at most. */
static bool product_merge(struct query *q, struct product *a, const struct product *b)
{
    int differs = -1;
    if (product_within(q, b, a))
        return true;
    for (int i = 0; i < q->groups; i++)
        if (!is_within(&a->set[i], &b->set[i]) || !is_within(&b->set[i], &a->set[i])) {
            if (differs >= 0)
                return false;
            differs = i;
        }
    a->set[differs] = set_union(q, &a->set[differs], &b->set[differs]);
    return true;
}

static void merge_products(struct query *q, struct product *product, int count)
{
    bool merged = true;
    while (merged && !q->unknown) {
        merged = false;
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count && !product[i].empty; j++)
                if (i != j && !product[j].empty && product_merge(q, &product[i], &product[j]))
                    merged = product[j].empty = true;
    }
}

static bool has_lookups(const struct space *space, const struct points *points)
{
    for (int i = 0; i < space->count; i++)
        if (has_lookup(points->at[i]))
            return true;
    return false;
}

/* Whether `by` alone has them all, from the ranges of indices: most often so, and soon said. */
static bool covers_alone(struct query *q, const struct points *what, const struct points *by)
{
    struct walk walk;
    struct form *form;
    struct set all;
    begin_groups(q);
    join_sharing(q, by);
    end_groups(q);
    for (int i = 0; i < q->groups; i++) {
        int64_t least, most;
        bool interval = set_interval(q, i, by, &all, &walk, &form);
        affine_range(group_number(q, i, what), &least, &most);
        if (!interval || q->unknown || least < all.least || most > all.most) {
            q->unknown = false;
            return false;
        }
    }
    return true;
}

static bool covered_by_products(struct query *q, const struct points *what, const struct points *by,
                                int count, int64_t *missing)
{
    struct product whole, *product = arena_alloc(q->arena, (size_t)count * sizeof *product);
    int made = 0;
    product_of(q, what, &whole);
    for (int i = 0; i < count && !q->unknown; i++)
        if (!has_lookups(q->space, &by[i]))
            product_of(q, &by[i], &product[made++]);
    merge_products(q, product, made);
    for (int i = 0; i < made && !q->unknown; i++)
        if (!product[i].empty && product_within(q, &whole, &product[i]))
            return true;
    if (q->groups != 1 || q->unknown || !missing)
        return false;
    /* one group: its products have been merged to one, if there are any */
    int64_t at = whole.set[0].least;
    for (int i = 0; i < made; i++)
        if (!product[i].empty)
            at = first_of(&whole.set[0], &product[i].set[0], false);
    while (!made && !set_has(&whole.set[0], at))
        at++;
    for (int i = q->space->count - 1; i >= 0; i--) {
        missing[i] = at % q->space->size[i];
        at /= q->space->size[i];
    }
    return false;
}

static enum answer answer_covered(struct query *q, const struct points *what,
                                  const struct points *by, int count, int64_t *missing)
{
    begin_groups(q);
    join_sharing(q, what);
    for (int i = 0; i < count; i++)
        join_sharing(q, &by[i]);
    end_groups(q);
    if (covered_by_products(q, what, by, count, missing))
        return ANSWER_YES;
    if (q->unknown || (q->groups > 1 && !missing))
        return ANSWER_UNKNOWN;
    if (q->groups == 1)
        return ANSWER_NO;
    /* The union of products may be none: look at the space as a whole. */
    begin_groups(q);
    for (int i = 1; i < q->space->count; i++)
        join(q, 0, i);
    end_groups(q);
    int64_t size = group_size(q, 0);
    if (q->unknown || size > MOST_WHOLE)
        return ANSWER_UNKNOWN;
    bool covered = covered_by_products(q, what, by, count, missing);
    return q->unknown ? ANSWER_UNKNOWN : covered ? ANSWER_YES : ANSWER_NO;
}

enum answer points_covered(struct effort *effort, const struct space *space,
                           const struct points *what, const struct points *by, int count,
                           int64_t *missing)
{
    struct query q = {.arena = arena_new(), .effort = effort, .space = space};
    enum answer answer = ANSWER_NO;
    if (missing)
        missing[0] = -1;
    for (int i = count - 1; i >= 0 && answer == ANSWER_NO; i--) /* the last is the likeliest */
        if (!has_lookups(space, &by[i]) && covers_alone(&q, what, &by[i]))
            answer = ANSWER_YES;
    if (answer == ANSWER_NO)
        answer = space->count ? answer_covered(&q, what, by, count, missing) : ANSWER_NO;
    arena_free(q.arena);
    return answer;
}

/* ---- collisions ------------------------------------------------------------------------------ */

enum { NOBODY = -1, SEVERAL = -2 };

/* Whose each point of the group is: the value of var. */
static bool find_owners(struct query *q, int group, const struct points *a, const struct var *var,
                        int64_t *owner)
{
    struct walk walk = {0};
    const struct form *form = form_of(q, &walk, group_number(q, group, a));
    int slot = slot_of(q, &walk, var, 1);
    bool uses = walk.extent[slot] > 1;
    if (q->unknown || !walk_starts(q, &walk))
        return false;
    do {
        int64_t *at = &owner[form_value(form, walk.value)];
        if (!uses || (*at != NOBODY && *at != walk.value[slot]))
            *at = SEVERAL;
        else
            *at = walk.value[slot];
    } while (walk_goes_on(&walk));
    return true;
}

static bool meets_others(struct query *q, int group, const struct points *b, const struct var *var,
                         const int64_t *owner)
{
    struct walk walk = {0};
    const struct form *form = form_of(q, &walk, group_number(q, group, b));
    int slot = slot_of(q, &walk, var, 1);
    bool uses = walk.extent[slot] > 1;
    if (q->unknown || !walk_starts(q, &walk))
        return false;
    do {
        int64_t at = owner[form_value(form, walk.value)];
        if (at != NOBODY && (at == SEVERAL || !uses || at != walk.value[slot]))
            return true;
    } while (walk_goes_on(&walk));
    return false;
}

static bool collide_in_group(struct query *q, int group, const struct points *a,
                             const struct points *b, const struct var *var)
{
    int64_t size = group_size(q, group);
    if (size > MOST_BITS / 8)
        q->unknown = true;
    if (q->unknown)
        return false;
    int64_t *owner = arena_alloc(q->arena, (size_t)size * sizeof *owner);
    for (int64_t i = 0; i < size; i++)
        owner[i] = NOBODY;
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
    begin_groups(q);
    join_sharing(q, a);
    join_sharing(q, b);
    for (int i = 0; i < q->space->count; i++)
        if (affine_uses(a->at[i], var) || affine_uses(b->at[i], var)) {
            if (with >= 0)
                join(q, with, i);
            with = i;
        }
    end_groups(q);
    for (int i = 0; i < q->groups; i++) {
        bool moves = with >= 0 && q->group[with] == i;
        if (!(moves ? collide_in_group(q, i, a, b, var) : meet_in_group(q, i, a, b)))
            return false;
    }
    return true;
}

enum answer points_collide(struct effort *effort, const struct space *space, const struct points *a,
                           const struct points *b, const struct var *var)
{
    struct query q = {.arena = arena_new(), .effort = effort, .space = space};
    bool found = var->extent > 1 && collide(&q, a, b, var);
    arena_free(q.arena);
    return q.unknown ? ANSWER_UNKNOWN : found ? ANSWER_YES : ANSWER_NO;
}
