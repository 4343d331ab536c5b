#include "groups.h"
#include "index.h"
#include <string.h>

enum { MOST_SUM = 64 /* terms that affine.c takes */ };

static bool shares_var(const struct affine *a, const struct affine *b)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind == TERM_VAR ? affine_uses(b, a->term[i].var)
                                        : shares_var(a->term[i].inner, b))
            return true;
    return false;
}

void groups_begin(struct query *query)
{
    for (int i = 0; i < query->space->count; i++)
        query->group[i] = i;
}

void groups_join(struct query *query, int a, int b)
{
    int from = query->group[b], to = query->group[a];
    for (int i = 0; i < query->space->count; i++)
        if (query->group[i] == from)
            query->group[i] = to;
}

void groups_join_sharing(struct query *query, const struct points *points)
{
    for (int i = 0; i < query->space->count; i++)
        for (int j = i + 1; j < query->space->count; j++)
            if (query->group[i] != query->group[j] && shares_var(points->at[i], points->at[j]))
                groups_join(query, i, j);
}

void groups_end(struct query *query)
{
    int number[MOST_COORDINATES];
    memset(number, -1, sizeof number);
    query->groups = 0;
    for (int i = 0; i < query->space->count; i++) {
        int *of = &number[query->group[i]];
        *of = *of < 0 ? query->groups++ : *of;
        query->group[i] = *of;
    }
}

int64_t group_size(struct query *query, int group)
{
    int64_t size = 1;
    for (int i = 0; i < query->space->count; i++)
        if (query->group[i] == group) {
            if (size > (INT64_C(1) << 60) / query->space->size[i]) {
                query->unknown = true;
                return 1;
            }
            size *= query->space->size[i];
        }
    return size;
}

const struct affine *group_number(struct query *query, int group, const struct points *points)
{
    const struct affine *sum = affine_constant(query->arena, 0);
    int terms = 0;
    for (int i = 0; i < query->space->count; i++) {
        if (query->group[i] != group)
            continue;
        terms += index_terms(points->at[i]);
        if (terms > MOST_SUM - MOST_TERMS) {
            query->unknown = true;
            return sum;
        }
        sum = affine_scale(query->arena, sum, query->space->size[i]);
        sum = affine_add(query->arena, sum, points->at[i]);
    }
    return sum;
}
