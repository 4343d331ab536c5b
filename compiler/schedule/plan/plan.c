#include "plan.h"

enum { THREADS = 128 /* of a block, where a schedule does not say */ };

void plan_init(struct plan *plan, const struct subject *subject)
{
    *plan = (struct plan){.tile = 1, .nests = subject->nests->count};
    plan->threads = subject->target->gpu ? THREADS : 0;
    for (int i = 0; i < plan->nests; i++)
        plan->nest[i] = (struct nest_plan){.rows = 1, .columns = 1, .lanes = 1};
}

bool range_has(const struct nest_range *range, int64_t nest)
{
    return nest >= range->begin && nest < range->end;
}

int64_t plan_nest_columns(const struct plan *plan, const struct nests *nests, int64_t nest)
{
    return range_has(&plan->lanes, nest) ? plan->tile : nest_measure(&nests->nest[nest], 1).columns;
}

struct touching {
    const struct buffer *buffer;
    bool found;
};

static void visit_touching(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct touching *t = context;
    t->found |= load->buffer == t->buffer;
}

bool plan_keeps_to_pixel(const struct plan *plan, const struct nests *nests,
                         const struct buffer *local)
{
    struct touching t = {local, false};
    for (int i = 0; i < nests->count; i++) {
        if (range_has(&plan->together, i))
            continue;
        const struct stmt *store = nests->nest[i].loops.store;
        t.found |= store->buffer == local;
        expr_visit_loads(store->value, 1, visit_touching, &t);
    }
    return nests->pixels && plan->together.end > plan->together.begin && !t.found;
}

bool plan_has_lanes(const struct plan *plan, const struct nests *nests, const struct buffer *local)
{
    for (int64_t i = plan->lanes.begin; i < plan->lanes.end; i++)
        if (nests->nest[i].loops.store->buffer == local)
            return true;
    return false;
}
