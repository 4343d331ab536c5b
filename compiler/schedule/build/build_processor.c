/* Carries a plan out for a processor: a kernel becomes one for whole tiles of pixels, and another
 * for the remaining pixels or columns. */
#include "build_processor.h"
#include "build_nest.h"
#include "rules.h"
#include <string.h>

/* Rows of a tile with a multiple of 1 KiB would fall into few sets of the L1 cache. */
static int64_t padded_row(int64_t elements)
{
    return elements % 256 == 0 ? elements + 16 : elements;
}

static struct shape tile_shape(const struct kernel_build *k, const struct local_build *local)
{
    struct shape shape = local->from->shape;
    if (local->layout == LAYOUT_DEPTH)
        return SHAPE(shape.dim[0] / local->depth, k->tile, local->depth);
    if (!k->nests->pixels)
        return shape;
    if (local->layout == LAYOUT_LANES) {
        shape.dim[shape.rank++] = k->tile;
        return shape;
    }
    memmove(shape.dim + 1, shape.dim, (MAX_RANK - 1) * sizeof *shape.dim);
    shape.dim[0] = local->layout == LAYOUT_ONE_PIXEL ? 1 : k->tile;
    shape.rank++;
    if (shape.rank == 2)
        shape.dim[1] = padded_row(shape.dim[1]);
    return shape;
}

/* The depth of the blocks in which a nest reads a buffer's elements; 0: no nest does. */
static int64_t depth_of(const struct kernel_build *k, const struct buffer *local)
{
    for (int i = 0; i < k->nests->count; i++)
        if (k->plan->nest[i].depth && nest_row_local(&k->nests->nest[i]) == local)
            return k->plan->nest[i].depth;
    return 0;
}

static void add_locals(struct kernel_build *k)
{
    for (struct buffer *from = k->nests->kernel->locals; from; from = from->next) {
        struct local_build *local = &k->local[k->locals++];
        *local = (struct local_build){.from = from, .depth = depth_of(k, from)};
        if (local->depth)
            local->layout = LAYOUT_DEPTH;
        else if (plan_has_lanes(k->plan, k->nests, from))
            local->layout = LAYOUT_LANES;
        else if (plan_keeps_to_pixel(k->plan, k->nests, from))
            local->layout = LAYOUT_ONE_PIXEL;
        local->to = buffer_new(k->m, &k->to->locals, from->name, from->place, tile_shape(k, local));
        local->to->dtype = from->dtype;
    }
}

static struct stmt *build_nests(struct kernel_build *k)
{
    const struct nest_range *together = &k->plan->together;
    struct stmt *all = NULL, *one = NULL;
    for (int i = 0; i < k->nests->count; i++) {
        bool inside = range_has(together, i);
        if (inside && i == together->begin)
            k->together = var_new(k->m, "p", k->tile);
        stmt_append(inside ? &one : &all, build_nest(k, i));
        if (!inside || i + 1 < together->end)
            continue;
        stmt_append(&all, build_loop(k->m, k->together, LOOP_SERIAL, one));
        k->together = NULL;
    }
    return all;
}

/* A share of a kernel, which becomes one kernel: `tiles` tiles of `tile` pixels from pixel `pixel`
 * on; `groups` groups of `columns` columns of the results from `column` on (0: all columns). */
struct share {
    int64_t pixel, tile, tiles, column, columns, groups;
    const char *suffix;
};

static struct kernel *build_share(const struct subject *s, const struct plan *plan,
                                  const struct share *share)
{
    struct kernel_build k;
    struct module *m = s->m;
    build_begin_kernel(&k, s, plan, share->suffix);
    k.tile = share->tile;
    k.columns = share->columns;
    struct var *t = var_new(m, "t", share->tiles * share->groups);
    affine_ref at = of_var(m, t);
    k.first = affine_offset(
        m->arena, affine_scale(m->arena, affine_div(m->arena, at, share->groups), share->tile),
        share->pixel);
    k.groups = (struct groups){affine_constant(m->arena, share->column),
                               affine_mod(m->arena, at, share->groups), share->groups};
    k.first_column = affine_add(m->arena, affine_scale(m->arena, k.groups.number, share->columns),
                                k.groups.base);
    add_locals(&k);
    k.to->body = build_loop(m, t, LOOP_PARALLEL, build_nests(&k));
    kernel_name_vars(m, k.to);
    return k.to;
}

struct kernel **processor_build(const struct subject *s, const struct plan *plan,
                                struct kernel **at)
{
    int64_t total = s->nests->pixel_count, rest = total % plan->tile, split = plan->split;
    int64_t columns = split ? nests_split_columns(s->nests) : 0;
    int64_t groups = split ? columns / split : 1;
    struct share share[3] = {
        {0, plan->tile, total / plan->tile, 0, split, groups, ""},
        {total - rest, rest, rest > 0, 0, split, groups, "_rest"},
        {0, 1, columns > groups * split, groups * split, columns - groups * split, 1, "_rest"}};
    for (int i = 0; i < 3; i++)
        if (share[i].tiles) {
            *at = build_share(s, plan, &share[i]);
            at = &(*at)->next;
        }
    return at;
}
