/* Carries a plan out for a GPU: a block of threads for each tile of pixels, buffers of the stack in
 * shared memory, and the register tiles of each nest distributed over the threads
 * (build_threads.c). There is a barrier between nests. A kernel becomes several where the tiles do
 * not divide the pixels. */
#include "build_gpu.h"
#include "build_blocks.h"
#include "build_list.h"
#include "build_local.h"
#include "build_matrix.h"
#include "build_staging.h"
#include "build_threads.h"
#include "rules_gpu.h"

struct shape parts_shape(const struct area *area, int64_t parts)
{
    struct buffer sums = {.shape = {3, {parts, area->rows, area->columns}}};
    return local_shared_shape(&sums, false, 1);
}

/* Nest number i. Blocks share the columns of the last nest. */
static struct stmt *build_nest(struct kernel_build *k, int i)
{
    struct nest_build b;
    const struct kernel_nest *nest = &k->nests->nest[i];
    const struct nest_plan *plan = &k->plan->nest[i];
    build_begin_nest(&b, k, nest, plan);
    int64_t split = i == k->nests->count - 1 ? k->split : 1;
    if (split > 1)
        b.first_column = scaled(k->m, k->part, nest_column(nest)->extent / split);
    struct area area = area_of_nest(nest, k->tile, split);
    if (plan->parts < 2)
        return plan->matrix.rows ? matrix_nest(&b, &area) : threads_nest(&b, &area);
    b.parts = plan->parts;
    struct area summed = area;
    summed.rows = plan->matrix.pad ? matrix_padded(area.rows) : area.rows;
    b.sums = buffer_new(k->m, &k->to->locals, arena_printf(k->m->arena, "parts%d", i), PLACE_SHARED,
                        parts_shape(&summed, plan->parts));
    struct stmt *all = plan->matrix.rows ? matrix_nest(&b, &area) : threads_nest(&b, &area);
    stmt_append(&all, threads_finish(&b, &area));
    return all;
}

/* The copies that nests need, then all nests; *nests: the kernel's own, which then read the copies.
 */
static struct stmt *build_nests(struct kernel_build *k, struct nests *nests)
{
    struct stmt *all = NULL;
    for (int i = 0; i < nests->count; i++)
        if (k->plan->nest[i].staging)
            stmt_append(&all, staging_build(k, &nests->nest[i], i));
    int last = nests->count - 1, count = nests->count;
    bool blocks = k->plan->nest[last].depth > 0;
    if (blocks)
        count = nest_row_local(&nests->nest[last]) ? last - 1 : last;
    for (int i = 0; i < count; i++) {
        if (i || k->plan->nest[0].staging)
            stmt_append(&all, stmt_barrier(k->m));
        stmt_append(&all, build_nest(k, i));
    }
    if (blocks && count)
        stmt_append(&all, stmt_barrier(k->m));
    if (blocks)
        stmt_append(&all, blocks_build(k));
    return all;
}

/* A kernel of `blocks` blocks, each of which takes `turns` tiles of `tile` pixels in turn, from
 * pixel `begin` on. */
struct part {
    int64_t begin, tile, blocks, turns;
    const char *suffix;
};

static struct kernel *build_part(const struct subject *s, const struct plan *plan,
                                 const struct part *part)
{
    struct kernel_build k;
    struct module *m = s->m;
    struct nests *nests = nests_copy(m, s->nests);
    build_begin_kernel(&k, s, plan, part->suffix);
    k.nests = nests;
    k.tile = part->tile;
    k.split = plan->split ? nests_shared_columns(nests) / plan->split : 1;
    k.part = var_new(m, "b", k.split);
    struct var *t = var_new(m, "t", part->blocks), *turn = var_new(m, "s", part->turns);
    k.blocks = part->blocks * k.split;
    k.block = affine_add(m->arena, scaled(m, t, k.split), of_var(m, k.part));
    affine_ref tile = affine_add(m->arena, of_var(m, t), scaled(m, turn, part->blocks));
    k.first = affine_offset(m->arena, affine_scale(m->arena, tile, part->tile), part->begin);
    int locals = 0;
    const struct buffer *blocks = blocks_rows(nests, plan);
    for (struct buffer *local = nests->kernel->locals; local; local = local->next, locals++)
        if (local != blocks)
            local_add(&k, local, plan->in_workspace[locals]);
    struct stmt *body = build_nests(&k, nests);
    if (part->turns > 1) {
        stmt_append(&body, stmt_barrier(m)); /* the next turn overwrites what this one reads */
        body = stmt_for(m, turn, LOOP_SERIAL, body);
    }
    k.to->body = stmt_for(m, t, LOOP_BLOCK, build_loop(m, k.part, LOOP_BLOCK, body));
    kernel_name_vars(m, k.to);
    return k.to;
}

struct kernel **gpu_build(const struct subject *s, const struct plan *plan, struct kernel **at)
{
    if (nests_are_list(s->nests))
        return list_build(s, plan, at);
    int64_t pixels = s->nests->pixel_count;
    struct part part = {.tile = plan->tile < pixels ? plan->tile : pixels, .suffix = ""};
    for (int number = 1; part.begin < pixels; number++) {
        int64_t tiles = (pixels - part.begin) / part.tile;
        part.turns = plan->blocks && tiles ? (tiles + plan->blocks - 1) / plan->blocks : 1;
        part.blocks = tiles / part.turns;
        if (!tiles)
            part = (struct part){part.begin, pixels - part.begin, 1, 1, "_rest"};
        *at = build_part(s, plan, &part);
        at = &(*at)->next;
        part.begin += part.blocks * part.turns * part.tile;
        part.suffix = arena_printf(s->m->arena, "_part%d", number);
    }
    return at;
}
