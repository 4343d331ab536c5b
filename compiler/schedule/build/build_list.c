/* Kernels of a GPU that are lists of nests, without pixels or tiles: each nest runs on the whole
 * device, several at once where they are independent. */
#include "build_list.h"
#include "build_threads.h"

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
static bool keeps_off(const struct kernel_nest *b, const struct kernel_nest *a)
{
    struct meeting meeting = {a->loops.store, false};
    const struct stmt *store = b->loops.store;
    expr_visit_loads(store->value, 1, visit_meeting, &meeting);
    return !meeting.meets && (store->buffer != a->loops.store->buffer ||
                              indices_apart(store->buffer, store->index, a->loops.store->index));
}

static struct blocking blocking_of(const struct kernel_build *k, int nest)
{
    struct area area = area_of_nest(&k->nests->nest[nest], 1, 1);
    return blocking_of_area(&k->plan->nest[nest], &area);
}

static bool all_keep_off(const struct nests *nests, int first, int last)
{
    bool apart = true;
    for (int i = first; i < last && apart; i++)
        apart = keeps_off(&nests->nest[i], &nests->nest[last]) &&
                keeps_off(&nests->nest[last], &nests->nest[i]);
    return apart;
}

/* How many nests from the first on run at once: they have equally many register tiles and are
 * independent of each other. */
static int count_together(const struct kernel_build *k, int first)
{
    int last = first + 1;
    struct blocking one = blocking_of(k, first);
    for (; last < k->nests->count && one.rows * one.columns == 1; last++) {
        struct blocking other = blocking_of(k, last);
        if (other.rows * other.columns != 1 ||
            other.row[0].count * other.column[0].count != one.row[0].count * one.column[0].count ||
            !all_keep_off(k->nests, first, last))
            break;
    }
    return last - first;
}

/* Nests of a list that run together, cut into kernels. */
struct together {
    struct kernel_build *k;
    const char *target;
    int count, parts; /* nests; kernels so far */
    struct nest_build *nest;
    struct blocking *blocking;
};

/* Register tiles of nests without pixels or locals: blocks take as many as they have threads, then
 * a last kernel takes the rest. */
static struct kernel **deal_out_blocks(struct together *g, struct kernel **at)
{
    struct kernel_build *k = g->k;
    struct module *m = k->m;
    int64_t count = g->nest[0].rows->count * g->nest[0].columns->count, begin = 0;
    while (begin < count) {
        int64_t threads = count - begin < k->plan->threads ? count - begin : k->plan->threads;
        int64_t blocks = (count - begin) / threads;
        build_next_kernel(k, g->target,
                          g->parts ? arena_printf(m->arena, "_part%d", g->parts) : "");
        g->parts++;
        *at = k->to;
        at = &k->to->next;
        struct var *t = var_new(m, "t", blocks);
        for (int i = 0; i < g->count; i++) {
            struct var *th = var_new(m, "th", threads);
            affine_ref q = affine_add(m->arena, scaled(m, t, threads), of_var(m, th));
            g->nest[i].thread = th;
            struct stmt *stmt = threads_tile(&g->nest[i], affine_offset(m->arena, q, begin));
            stmt_append(&k->to->body, stmt_for(m, th, LOOP_THREAD, stmt));
        }
        k->to->body = stmt_for(m, t, LOOP_BLOCK, k->to->body);
        kernel_name_vars(m, k->to);
        begin += blocks * threads;
    }
    return at;
}

/* The nests from number `first` on. */
static struct kernel **build_together(struct together *g, int first, struct kernel **at)
{
    for (int i = 0; i < g->count; i++) {
        build_begin_nest(&g->nest[i], g->k, &g->k->nests->nest[first + i],
                         &g->k->plan->nest[first + i]);
        g->blocking[i] = blocking_of(g->k, first + i);
    }
    for (int j = 0; j < g->blocking[0].rows * g->blocking[0].columns; j++) {
        for (int i = 0; i < g->count; i++) {
            struct blocking *blocking = &g->blocking[i];
            g->nest[i].rows = &blocking->row[j / blocking->columns];
            g->nest[i].columns = &blocking->column[j % blocking->columns];
        }
        at = deal_out_blocks(g, at);
    }
    return at;
}

struct kernel **list_build(const struct subject *s, const struct plan *plan, struct kernel **at)
{
    struct arena *arena = s->m->arena;
    struct kernel_build k;
    build_begin_kernel(&k, s, plan, "");
    k.first = affine_constant(arena, 0);
    struct together g = {.k = &k, .target = s->target->name};
    size_t nests = (size_t)s->nests->count;
    g.nest = arena_alloc(arena, nests * sizeof *g.nest);
    g.blocking = arena_alloc(arena, nests * sizeof *g.blocking);
    for (int i = 0; i < s->nests->count; i += g.count) {
        g.count = count_together(&k, i);
        at = build_together(&g, i, at);
    }
    return at;
}
