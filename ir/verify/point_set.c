#include "point_set.h"
#include "digits.h"
#include <assert.h>

/* ---- numbers of points, one by one ----------------------------------------------------------- */

struct form_term {
    int64_t factor;
    int slot; /* of the variable; -1: none, but `inner` divided */
    bool divides;
    int64_t divisor;
    struct form *inner;
};

struct form {
    int64_t constant;
    int count;
    struct form_term term[];
};

int walk_slot(const struct walk *walk, const struct var *var)
{
    int slot = walk->vars - 1;
    while (slot >= 0 && walk->var[slot] != var)
        slot--;
    return slot;
}

static int add_slot(struct query *query, struct walk *walk, const struct var *var)
{
    int slot = walk_slot(walk, var);
    if (slot >= 0)
        return slot;
    if (walk->vars == MOST_WALK) {
        query->unknown = true;
        return 0;
    }
    walk->var[walk->vars] = var;
    return walk->vars++;
}

struct form *form_of(struct query *query, struct walk *walk, const struct affine *index)
{
    size_t bytes = sizeof(struct form) + (size_t)index->count * sizeof(struct form_term);
    struct form *form = arena_alloc(query->arena, bytes);
    form->constant = index->constant;
    form->count = index->count;
    for (int i = 0; i < index->count; i++) {
        const struct term *t = &index->term[i];
        struct form_term *made = &form->term[i];
        assert(t->kind != TERM_LOOKUP);
        *made = (struct form_term){.factor = t->factor, .slot = -1, .divisor = t->divisor};
        made->divides = t->kind == TERM_DIV;
        if (t->kind == TERM_VAR)
            made->slot = add_slot(query, walk, t->var);
        else
            made->inner = form_of(query, walk, t->inner);
    }
    return form;
}

int64_t form_value(const struct form *form, const int64_t *value)
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

bool walk_starts(struct query *query, struct walk *walk)
{
    int64_t points = 1;
    for (int i = 0; i < walk->vars; i++) {
        walk->value[i] = 0;
        if (points > query->effort->left / walk->var[i]->extent) {
            query->unknown = true;
            return false;
        }
        points *= walk->var[i]->extent;
    }
    query->effort->left -= points;
    return true;
}

bool walk_goes_on(struct walk *walk)
{
    for (int i = walk->vars - 1; i >= 0; i--) {
        if (++walk->value[i] < walk->var[i]->extent)
            return true;
        walk->value[i] = 0;
    }
    return false;
}

/* ---- sets ------------------------------------------------------------------------------------ */

/* At most one variable, by steps of 1. */
static bool is_interval(const struct affine *index)
{
    if (index->count == 0)
        return true;
    const struct term *term = &index->term[0];
    return index->count == 1 && term->kind == TERM_VAR && (term->factor == 1 || term->factor == -1);
}

bool set_interval(struct query *query, int group, const struct points *points, struct set *set)
{
    const struct affine *number = group_number(query, group, points);
    *set = (struct set){.size = group_size(query, group)};
    affine_range(number, &set->least, &set->most);
    return !query->unknown && is_interval(index_merged(query->arena, number));
}

static uint64_t *new_bits(struct query *query, int64_t size)
{
    if (size > MOST_BITS || size / 64 > query->effort->left) {
        query->unknown = true;
        return NULL;
    }
    query->effort->left -= size / 64;
    return arena_alloc(query->arena, (size_t)(size / 64 + 1) * 8);
}

struct set set_of(struct query *query, int group, const struct points *points)
{
    struct set set;
    struct walk walk = {0};
    if (set_interval(query, group, points, &set) || query->unknown)
        return set;
    const struct affine *number = index_merged(query->arena, group_number(query, group, points));
    const struct form *form = form_of(query, &walk, number);
    set.bits = new_bits(query, set.size);
    if (!set.bits || query->unknown || !walk_starts(query, &walk))
        return set;
    do {
        int64_t at = form_value(form, walk.value);
        assert(at >= 0 && at < set.size);
        set.bits[at >> 6] |= UINT64_C(1) << (at & 63);
    } while (walk_goes_on(&walk));
    return set;
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

/* Whether a and b have a number in common within a's range; the first such. */
static bool has_common(const struct set *a, const struct set *b, int64_t *first)
{
    for (int64_t word = a->least / 64; word <= a->most / 64; word++) {
        uint64_t found = set_word(a, word) & set_word(b, word);
        if (found) {
            *first = 64 * word + __builtin_ctzll(found);
            return true;
        }
    }
    return false;
}

bool set_is_empty(const struct set *set)
{
    int64_t first;
    return set->least > set->most || (set->bits && !has_common(set, set, &first));
}

int64_t set_first(const struct set *set)
{
    int64_t first = set->least;
    if (set->bits)
        has_common(set, set, &first);
    return first;
}

bool sets_meet(const struct set *a, const struct set *b)
{
    int64_t first;
    if (a->least > b->most || b->least > a->most)
        return false;
    return (!a->bits && !b->bits) || has_common(a, b, &first);
}

/* The numbers of a that are in b, or that are not. */
static struct set select_bits(struct query *query, const struct set *a, const struct set *b,
                              bool in_b)
{
    struct set set = {a->size, a->least, a->most, new_bits(query, a->size)};
    for (int64_t word = a->least / 64; set.bits && word <= a->most / 64; word++)
        set.bits[word] = set_word(a, word) & (in_b ? set_word(b, word) : ~set_word(b, word));
    return set;
}

struct set set_common(struct query *query, const struct set *a, const struct set *b)
{
    struct set set = {.size = a->size};
    set.least = a->least > b->least ? a->least : b->least;
    set.most = a->most < b->most ? a->most : b->most;
    if (!a->bits && !b->bits)
        return set;
    return select_bits(query, a, b, true);
}

void set_without(struct query *query, const struct set *a, const struct set *b, struct set part[2])
{
    part[0] = part[1] = *a;
    if (a->bits || b->bits) {
        part[0] = select_bits(query, a, b, false);
        part[1].most = part[1].least - 1;
        part[1].bits = NULL;
        return;
    }
    part[0].most = b->least - 1 < a->most ? b->least - 1 : a->most;
    part[1].least = b->most + 1 > a->least ? b->most + 1 : a->least;
}
