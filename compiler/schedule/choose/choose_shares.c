/* Kernels without loops over pixels (borders, the mean, the classifier) are divided by columns, so
 * that no part of a network runs on a single thread. */
#include "choose_shares.h"
#include "rules.h"

enum { LEAST_WORK = 16 << 10 /* elements and terms of sums: less is not worth waking a thread */ };

static int64_t work_of(const struct kernel_nest *s)
{
    int64_t work = 1;
    for (int i = 0; i < s->loops.vars; i++)
        work *= s->loops.var[i]->extent;
    return work * nest_depth(s);
}

/* The columns that the slowest thread computes, remaining ones included. */
static int64_t slowest(int64_t columns, int64_t split, int64_t threads)
{
    int64_t groups = columns / split;
    return (groups + threads - 1) / threads * split + columns % split;
}

void shares_choose(const struct subject *subject, struct plan *plan)
{
    const struct nests *nests = subject->nests;
    int64_t threads = subject->m->threads, work = 0;
    int64_t columns = nests->pixels || threads < 2 ? 0 : nests_split_columns(nests);
    for (int i = 0; i < nests->count; i++)
        work += work_of(&nests->nest[i]);
    /* a panel of weights is not shared */
    int64_t unit = columns >= 4 * PANEL * threads ? PANEL : subject->target->lanes;
    int64_t least = columns;
    for (int64_t split = unit; split < columns && work >= LEAST_WORK; split += unit)
        if (slowest(columns, split, threads) <= least) {
            least = slowest(columns, split, threads);
            plan->split = split;
        }
}
