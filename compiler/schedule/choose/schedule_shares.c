/* Kernels without loops over pixels (borders, the mean, the classifier) are shared out by columns, so
 * that no part of a network runs on one thread alone. */
#include "schedule.h"

enum { LEAST_WORK = 16 << 10 /* elements and terms of sums: less is not worth waking a thread */ };

static int64_t work_of(const struct kernel_stage *s)
{
    int64_t work = 1;
    for (int i = 0; i < s->nest.vars; i++)
        work *= s->nest.var[i]->extent;
    for (int i = 0; s->reduce && i < s->reduce->vars; i++)
        work *= s->reduce->var[i]->extent;
    return work;
}

/* Columns that the slowest thread computes, those that are left over included. */
static int64_t slowest(int64_t columns, int64_t split, int64_t threads)
{
    int64_t groups = columns / split;
    return (groups + threads - 1) / threads * split + columns % split;
}

void plan_shares(struct module *m, const struct kernel *kernel, const struct target *target,
                 struct plan *plan)
{
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    struct var *pixel[3];
    int pixels, stages = kernel_list_stages(m, kernel, &pixels, pixel, stage);
    int64_t columns = pixels || m->threads < 2 ? 0 : kernel_columns(m, kernel), work = 0;
    for (int i = 0; i < stages; i++)
        work += work_of(&stage[i]);
    /* a panel of weights is not shared */
    int64_t unit = columns >= 4 * PANEL * m->threads ? PANEL : target->lanes, least = columns;
    for (int64_t split = unit; split < columns && work >= LEAST_WORK; split += unit)
        if (slowest(columns, split, m->threads) <= least) {
            least = slowest(columns, split, m->threads);
            plan->split = split;
        }
}
