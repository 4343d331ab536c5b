/* Measures of index expressions. With every index within them, affine.c cannot overflow. */
#include "index.h"

int index_terms(const struct affine *index)
{
    int terms = index->count;
    for (int i = 0; i < index->count; i++)
        if (index->term[i].kind != TERM_VAR)
            terms += index_terms(index->term[i].inner);
    return terms;
}

static int64_t magnitude_of(int64_t value)
{
    return value < 0 ? -value : value;
}

/* The most that a term can be, at least 1: a factor counts even where its term is always 0. */
static int64_t term_most(const struct term *term)
{
    int64_t most = term->kind == TERM_VAR   ? term->var->extent - 1
                   : term->kind == TERM_DIV ? index_magnitude(term->inner) / term->divisor
                                            : term->divisor - 1;
    return most > 1 ? most : 1;
}

int64_t index_magnitude(const struct affine *index)
{
    int64_t sum = magnitude_of(index->constant);
    for (int i = 0; i < index->count; i++) {
        int64_t factor = magnitude_of(index->term[i].factor), most = term_most(&index->term[i]);
        if (factor > MOST_INDEX / most || sum > MOST_INDEX)
            return MOST_INDEX + 1;
        sum += factor * most;
    }
    return sum > MOST_INDEX ? MOST_INDEX + 1 : sum;
}
