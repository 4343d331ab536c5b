/* Kernels of a GPU that are lists of nests, without pixels or tiles: each nest runs on the whole device,
 * several at once where none meets another. */
#include "apply_gpu.h"

/* Whether two accesses of a buffer are apart in one dimension. */
static bool indices_apart(const struct buffer *buffer, const affine_ref *a, const affine_ref *b)
{
    int64_t least[2], most[2];
    for (int i = 0; i < buffer->shape.rank; i++) {
        affine_range(a[i], &least[0], &most[0]);
        affine_range(b[i], &least[1], &most[1]);
        if (most[0] < least[1] || most[1] < least[0])
            return true;
    }
    return false;
}

struct meeting {
    const struct stmt *store;
    bool meets;
};

static void visit_meeting(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct meeting *meeting = context;
    if (load->buffer == meeting->store->buffer &&
        !indices_apart(load->buffer, load->index, meeting->store->index))
        meeting->meets = true;
}

/* Whether b neither reads nor writes what a writes. */
static bool keeps_off(const struct kernel_stage *b, const struct kernel_stage *a)
{
    struct meeting meeting = {a->nest.store, false};
    const struct stmt *store = b->nest.store;
    expr_visit_loads(store->value, 1, visit_meeting, &meeting);
    return !meeting.meets && (store->buffer != a->nest.store->buffer ||
                              indices_apart(store->buffer, store->index, a->nest.store->index));
}

static struct blocking blocking_of(const struct kernel_stage *stage, const struct nest_plan *plan)
{
    struct area area = gpu_area(stage, 1, 1);
    return gpu_blocking(plan, &area);
}

/* How many nests from the first on run at once: of as many register tiles, none of which meets
 * another nest's. */
static int count_together(const struct kernel_stage *stage, const struct plan *plan, int first,
                          int stages)
{
    int last = first + 1;
    struct blocking one = blocking_of(&stage[first], &plan->nest[first]);
    for (; last < stages && one.rows * one.columns == 1; last++) {
        struct blocking other = blocking_of(&stage[last], &plan->nest[last]);
        bool fits = other.rows * other.columns == 1 && other.row[0].count * other.column[0].count ==
                                                           one.row[0].count * one.column[0].count;
        for (int i = first; i < last && fits; i++)
            fits = keeps_off(&stage[i], &stage[last]) && keeps_off(&stage[last], &stage[i]);
        if (!fits)
            break;
    }
    return last - first;
}

/* Nests of a list that run together, cut into kernels. */
struct together {
    struct device *d;
    const struct kernel *from;
    const char *target;
    int count, parts; /* nests; kernels so far */
    struct building nest[MAX_STAGES_OF_KERNEL];
};

/* Register tiles of nests without pixels or locals: `threads` to a block, then what is left. */
static struct kernel **deal_out_blocks(struct together *g, struct kernel **at)
{
    struct device *d = g->d;
    struct module *m = d->m;
    int64_t count = g->nest[0].rows->count * g->nest[0].columns->count, begin = 0;
    while (begin < count) {
        int64_t threads = count - begin < d->threads ? count - begin : d->threads;
        int64_t blocks = (count - begin) / threads;
        const char *suffix = g->parts ? arena_printf(m->arena, "_part%d", g->parts) : "";
        g->parts++;
        *at = d->to = gpu_kernel(m, g->from, g->target, suffix);
        at = &d->to->next;
        d->accumulators = 0;
        struct var *t = var_new(m, "t", blocks);
        for (int i = 0; i < g->count; i++) {
            struct var *th = var_new(m, "th", threads);
            affine_ref q = affine_add(m->arena, scaled(m, t, threads), of_var(m, th));
            g->nest[i].thread = th;
            struct stmt *stmt = gpu_tile(&g->nest[i], affine_offset(m->arena, q, begin));
            stmt_append(&d->to->body, stmt_for(m, th, LOOP_THREAD, stmt));
        }
        d->to->body = stmt_for(m, t, LOOP_BLOCK, d->to->body);
        kernel_name_vars(m, d->to);
        begin += blocks * threads;
    }
    return at;
}

struct kernel **gpu_list(struct module *m, const struct kernel *from, const char *target,
                         const struct plan *plan, struct kernel **at)
{
    struct device d = {.m = m, .threads = plan->threads, .tile = 1};
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    static struct blocking blocking[MAX_STAGES_OF_KERNEL];
    static struct together g;
    int stages = kernel_list_stages(m, from, &d.pixels, d.pixel, stage);
    d.first = affine_constant(m->arena, 0);
    g = (struct together){.d = &d, .from = from, .target = target};
    for (int i = 0; i < stages; i += g.count) {
        g.count = count_together(stage, plan, i, stages);
        for (int j = 0; j < g.count; j++) {
            struct building *b = &g.nest[j];
            gpu_building(b, &d, &stage[i + j]);
            blocking[j] = blocking_of(b->stage, &plan->nest[i + j]);
        }
        for (int j = 0; j < blocking[0].rows * blocking[0].columns; j++) {
            for (int k = 0; k < g.count; k++) {
                g.nest[k].rows = &blocking[k].row[j / blocking[k].columns];
                g.nest[k].columns = &blocking[k].column[j % blocking[k].columns];
            }
            at = deal_out_blocks(&g, at);
        }
    }
    return at;
}
