/* Carries out the schedules of GPUs: a block of threads for each tile of pixels, what pixels keep to
 * themselves in shared memory, and the register tiles of each nest dealt out to the threads.
 *
 *   for n in 1, y in 28, x in 28, c in 64
 *     out[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])
 *   schedule "nvptx:sm_80" {
 *     threads 128
 *     tile 16
 *     nest 0 rows 2 columns 4 vector 4
 *   }
 * =>
 *   for t in 49 block, s in 1, th in 128 thread {
 *     for i in 2 unroll, v in 4 vector
 *       acc[th, i, v] = 0
 *     for k in 8, k1 in 4 unroll, i in 2 unroll, v in 4 vector
 *       acc[th, i, v] = fma(a[.., 4*k + k1], w[4*k + k1, 4*(th mod 16) + v], acc[th, i, v])
 *     for i in 2 unroll, v in 4 vector
 *       out[0, (16*t + th div 16 + 8*i) div 28, .., 4*(th mod 16) + v] = acc[th, i, v]
 *   }
 *
 * Neighbouring threads have neighbouring columns, then neighbouring rows: a tile's own rows and
 * vectors lie apart, so that a warp's loads and stores are consecutive. A barrier stands between nests.
 *
 * Right because pixels are independent, and so are the elements of a nest; a reduction keeps its
 * order. Requires what apply_schedules does. */
#include "gpu.h"
#include "loops.h"
#include <assert.h>
#include <string.h>

typedef const struct affine *affine_ref;

/* One kernel under construction. */
struct device {
    struct module *m;
    struct kernel *to;
    int64_t threads;
    int pixels;
    struct var *pixel[3];
    int64_t tile;     /* pixels of a block */
    affine_ref first; /* number of the block's first pixel, n, y and x flattened */
    int64_t split;    /* blocks that share the last nest's columns */
    struct var *part; /* which of them */
    int accumulators, locals;
    struct {
        struct buffer *from, *to;
    } local[MAX_STAGES_OF_KERNEL];
};

/* One nest under construction. */
struct building {
    struct device *d;
    const struct kernel_stage *stage;
    struct rewriter r; /* from the nest's variables to the new loops' */
    affine_ref p;      /* the pixel within the tile */
    struct var *thread;
    /* the register tile at hand: `rows` rows and vectors of columns, each a segment's count apart */
    const struct segment *rows, *columns;
    affine_ref row, column; /* the first row, and the first vector's number */
    affine_ref origin;      /* the first column of the block */
};

static affine_ref of_var(struct module *m, struct var *var)
{
    return affine_var(m->arena, var);
}

static affine_ref scaled(struct module *m, struct var *var, int64_t factor)
{
    return affine_scale(m->arena, of_var(m, var), factor);
}

/* ---- what variables become ------------------------------------------------------------------- */

static void map_pixel(struct building *b, affine_ref p)
{
    struct device *d = b->d;
    struct arena *arena = d->m->arena;
    b->p = p;
    affine_ref flat = affine_add(arena, d->first, p);
    for (int i = d->pixels - 1; i >= 0; i--) {
        int64_t extent = d->pixel[i]->extent;
        rewriter_map(&b->r, d->pixel[i], i ? affine_mod(arena, flat, extent) : flat);
        flat = affine_div(arena, flat, extent);
    }
}

/* The nest's row variables and the pixel, from the number of a row among all rows of the tile. */
static void map_row(struct building *b, affine_ref row)
{
    struct arena *arena = b->d->m->arena;
    const struct kernel_stage *s = b->stage;
    for (int i = s->rows - 1; i >= 0; i--) {
        int64_t extent = s->nest.var[i]->extent;
        rewriter_map(&b->r, s->nest.var[i], affine_mod(arena, row, extent));
        row = affine_div(arena, row, extent);
    }
    map_pixel(b, row);
}

/* The loops of a register tile: rows, vectors, lanes. */
struct tile_loops {
    struct var *row, *group, *lane;
    affine_ref at[3]; /* in the accumulators, of which each thread has its own */
};

static struct tile_loops enter_tile(struct building *b)
{
    struct module *m = b->d->m;
    const struct kernel_stage *s = b->stage;
    int64_t lanes = b->columns->lanes;
    struct tile_loops t = {var_new(m, "i", b->rows->size),
                           var_new(m, "g", b->columns->size / lanes),
                           var_new(m, "v", lanes),
                           {NULL}};
    affine_ref lane = of_var(m, t.lane);
    t.at[0] = of_var(m, b->thread);
    t.at[1] = of_var(m, t.row);
    t.at[2] = affine_add(m->arena, scaled(m, t.group, lanes), lane);
    affine_ref vector = affine_add(m->arena, b->column, scaled(m, t.group, b->columns->count));
    affine_ref column = affine_add(m->arena, affine_scale(m->arena, vector, lanes), lane);
    if (s->rows < s->nest.vars)
        rewriter_map(
            &b->r, s->nest.var[s->rows],
            affine_add(m->arena, b->origin, affine_offset(m->arena, column, b->columns->begin)));
    map_row(b, affine_add(m->arena, b->row, scaled(m, t.row, b->rows->count)));
    return t;
}

static struct stmt *wrap_tile(struct module *m, const struct tile_loops *t, struct stmt *stmt)
{
    if (t->lane->extent > 1)
        stmt = stmt_for(m, t->lane, LOOP_VECTOR, stmt);
    if (t->group->extent > 1)
        stmt = stmt_for(m, t->group, LOOP_UNROLL, stmt);
    return t->row->extent > 1 ? stmt_for(m, t->row, LOOP_UNROLL, stmt) : stmt;
}

/* ---- locals ---------------------------------------------------------------------------------- */

static struct buffer *local_of(const struct device *d, const struct buffer *from)
{
    for (int i = 0; i < d->locals; i++)
        if (d->local[i].from == from)
            return d->local[i].to;
    return NULL;
}

static const struct expr *load_local(struct rewriter *r, const struct expr *load)
{
    const struct building *b = r->context;
    struct buffer *local = local_of(b->d, load->buffer);
    if (!local)
        return load;
    affine_ref index[MAX_RANK];
    index[0] = b->p;
    memcpy(index + 1, load->index, (size_t)load->buffer->shape.rank * sizeof *index);
    return expr_load(r->m, local, index + !b->d->pixels);
}

static struct stmt *store_of(struct building *b, const struct expr *value)
{
    const struct stmt *store = b->stage->nest.store;
    struct buffer *local = local_of(b->d, store->buffer);
    affine_ref index[MAX_RANK + 1];
    index[0] = b->p;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        index[i + 1] = rewrite_affine(&b->r, store->index[i]);
    return stmt_store(b->d->m, local ? local : store->buffer, index + !(local && b->d->pixels),
                      value);
}

struct shape gpu_local_shape(const struct buffer *local, bool pixels, int64_t tile)
{
    struct shape shape = local->shape;
    int64_t *last = &shape.dim[shape.rank - 1];
    if (*last > 8)
        *last = ((*last + 3) / 4 | 1) * 4;
    if (pixels) {
        memmove(shape.dim + 1, shape.dim, (MAX_RANK - 1) * sizeof *shape.dim);
        shape.dim[0] = tile;
        shape.rank++;
    }
    return shape;
}

static void add_locals(struct device *d, const struct kernel *from)
{
    for (struct buffer *local = from->locals; local; local = local->next) {
        assert(d->locals < MAX_STAGES_OF_KERNEL);
        d->local[d->locals].from = local;
        d->local[d->locals++].to = buffer_new(d->m, &d->to->locals, local->name, PLACE_SHARED,
                                              gpu_local_shape(local, d->pixels > 0, d->tile));
    }
}

/* ---- register tiles -------------------------------------------------------------------------- */

enum { UNROLLED = 512 /* multiply-adds that a loop may have written out */, MOST_UNROLL = 16 };

int64_t gpu_unroll(int64_t elements, int64_t extent)
{
    int64_t most = UNROLLED / elements < MOST_UNROLL ? UNROLLED / elements : MOST_UNROLL;
    int64_t unroll = most < extent ? most : extent;
    while (unroll > 1 && extent % unroll)
        unroll--;
    return unroll < 1 ? 1 : unroll;
}

static struct stmt *accumulate(struct building *b, struct buffer *acc)
{
    struct module *m = b->d->m;
    const struct expr *reduce = b->stage->reduce, *body = reduce->in[0];
    int vars = b->r.vars, last = reduce->vars - 1;
    struct var *k[MAX_RANK];
    int64_t unroll = gpu_unroll(b->rows->size * b->columns->size, reduce->var[last]->extent);
    struct var *inner = var_new(m, "u", unroll);
    for (int i = 0; i <= last; i++) {
        int64_t step = i == last ? unroll : 1;
        k[i] = var_new(m, reduce->var[i]->name, reduce->var[i]->extent / step);
        affine_ref at = scaled(m, k[i], step);
        rewriter_map(&b->r, reduce->var[i],
                     i == last ? affine_add(m->arena, at, of_var(m, inner)) : at);
    }
    struct tile_loops t = enter_tile(b);
    const struct expr *old = expr_load(m, acc, t.at), *value;
    if (reduce->op == SCALAR_sum && body->op == SCALAR_mul)
        value = expr_op(m, SCALAR_fma, rewrite_expr(&b->r, body->in[0]),
                        rewrite_expr(&b->r, body->in[1]), old);
    else
        value = expr_op(m, reduce->op == SCALAR_sum ? SCALAR_add : SCALAR_max, old,
                        rewrite_expr(&b->r, body), NULL);
    struct stmt *stmt = wrap_tile(m, &t, stmt_store(m, acc, t.at, value));
    if (unroll > 1)
        stmt = stmt_for(m, inner, LOOP_UNROLL, stmt);
    for (int i = last; i >= 0; i--)
        if (k[i]->extent > 1)
            stmt = stmt_for(m, k[i], LOOP_SERIAL, stmt);
    b->r.vars = vars;
    return stmt;
}

static struct stmt *register_tile(struct building *b)
{
    struct module *m = b->d->m;
    const struct expr *reduce = b->stage->reduce, *value = b->stage->nest.store->value;
    int vars = b->r.vars;
    struct tile_loops t = enter_tile(b);
    if (!reduce) {
        struct stmt *only = wrap_tile(m, &t, store_of(b, rewrite_expr(&b->r, value)));
        b->r.vars = vars;
        return only;
    }
    struct buffer *acc =
        buffer_new(m, &b->d->to->locals, arena_printf(m->arena, "acc%d", b->d->accumulators++),
                   PLACE_REGISTERS, SHAPE(b->thread->extent, b->rows->size, b->columns->size));
    double none = reduce->op == SCALAR_sum ? 0 : -HUGE_VAL;
    const struct expr *init =
        reduce->in[1] ? rewrite_expr(&b->r, reduce->in[1]) : expr_constant(m, none);
    struct stmt *stmt = wrap_tile(m, &t, stmt_store(m, acc, t.at, init));
    b->r.vars = vars;
    stmt_append(&stmt, accumulate(b, acc));
    t = enter_tile(b);
    const struct expr *done =
        rewrite_expr(&b->r, expr_replace(m, value, reduce, expr_load(m, acc, t.at)));
    stmt_append(&stmt, wrap_tile(m, &t, store_of(b, done)));
    b->r.vars = vars;
    return stmt;
}

/* Register tile number q: columns change fastest. */
static struct stmt *tile_number(struct building *b, affine_ref q)
{
    struct arena *arena = b->d->m->arena;
    b->column = affine_mod(arena, q, b->columns->count);
    b->row = affine_offset(arena, affine_div(arena, q, b->columns->count), b->rows->begin);
    return register_tile(b);
}

/* Tiles `begin` to `begin + count - 1`, dealt out to the threads. */
static struct stmt *deal_out(struct building *b, int64_t count)
{
    struct module *m = b->d->m;
    int64_t threads = b->d->threads, whole = count / threads, rest = count % threads;
    struct stmt *all = NULL;
    if (whole) {
        struct var *s = var_new(m, "s", whole), *th = var_new(m, "th", threads);
        b->thread = th;
        struct stmt *stmt =
            tile_number(b, affine_add(m->arena, scaled(m, s, threads), of_var(m, th)));
        stmt = stmt_for(m, th, LOOP_THREAD, stmt);
        all = whole > 1 ? stmt_for(m, s, LOOP_SERIAL, stmt) : stmt;
    }
    if (rest) {
        struct var *th = var_new(m, "th", rest);
        b->thread = th;
        struct stmt *stmt = tile_number(b, affine_offset(m->arena, of_var(m, th), whole * threads));
        stmt_append(&all, stmt_for(m, th, LOOP_THREAD, stmt));
    }
    return all;
}

struct blocking {
    int rows, columns;
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
};

/* The nest's rows for all pixels of the tile, and its columns shared by `split` blocks. */
static struct blocking blocking_of(const struct kernel_stage *stage, const struct nest_plan *plan,
                                   int64_t tile, int64_t split)
{
    struct blocking blocking;
    int64_t rows = tile, columns = 1;
    for (int i = 0; i < stage->nest.vars; i++)
        *(i < stage->rows ? &rows : &columns) *= stage->nest.var[i]->extent;
    blocking.rows = segments_of_rows(rows, plan->rows, blocking.row);
    blocking.columns =
        segments_of_columns(columns / split, plan->columns, plan->lanes, blocking.column);
    return blocking;
}

static struct stmt *build_nest(struct device *d, const struct kernel_stage *stage,
                               const struct nest_plan *plan, bool last)
{
    struct building b = {.d = d, .stage = stage, .r = {.m = d->m, .load = load_local}};
    b.r.context = &b;
    b.origin = affine_constant(d->m->arena, 0);
    int64_t split = last ? d->split : 1;
    if (split > 1)
        b.origin = scaled(d->m, d->part, stage->nest.var[stage->rows]->extent / split);
    struct blocking blocking = blocking_of(stage, plan, d->tile, split);
    struct stmt *all = NULL;
    for (int i = 0; i < blocking.rows; i++)
        for (int j = 0; j < blocking.columns; j++) {
            b.rows = &blocking.row[i];
            b.columns = &blocking.column[j];
            stmt_append(&all, deal_out(&b, b.rows->count * b.columns->count));
        }
    return all;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static struct kernel *kernel_begin(struct module *m, const struct kernel *from, const char *target,
                                   const char *suffix)
{
    struct kernel *to = ARENA_NEW(m->arena, struct kernel);
    to->name = arena_printf(m->arena, "%s%s", from->name, suffix);
    to->label = from->label;
    to->target = target;
    return to;
}

/* A kernel of `count` blocks, of `tile` pixels each, from pixel `begin` on. */
static struct kernel *build_kernel(struct module *m, const struct kernel *from, const char *target,
                                   const struct plan *plan, int64_t begin, int64_t tile,
                                   int64_t count, const char *suffix)
{
    struct device d = {.m = m, .threads = plan->threads, .tile = tile, .split = 1};
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    int stages = kernel_list_stages(m, from, &d.pixels, d.pixel, stage);
    if (plan->split)
        d.split = gpu_columns(from, stage, stages) / plan->split;
    d.to = kernel_begin(m, from, target, suffix);
    d.part = var_new(m, "b", d.split);
    struct var *t = var_new(m, "t", count);
    d.first = affine_offset(m->arena, scaled(m, t, tile), begin);
    add_locals(&d, from);
    for (int i = 0; i < stages; i++) {
        if (i)
            stmt_append(&d.to->body, stmt_barrier(m));
        stmt_append(&d.to->body, build_nest(&d, &stage[i], &plan->nest[i], i == stages - 1));
    }
    if (d.split > 1)
        d.to->body = stmt_for(m, d.part, LOOP_BLOCK, d.to->body);
    d.to->body = stmt_for(m, t, LOOP_BLOCK, d.to->body);
    kernel_name_vars(m, d.to);
    return d.to;
}

/* ---- lists of nests -------------------------------------------------------------------------- */

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

/* How many nests from the first on run at once: of as many register tiles, none of which meets
 * another nest's. */
static int count_together(const struct kernel_stage *stage, const struct plan *plan, int first,
                          int stages)
{
    int last = first + 1;
    struct blocking one = blocking_of(&stage[first], &plan->nest[first], 1, 1);
    for (; last < stages && one.rows * one.columns == 1; last++) {
        struct blocking other = blocking_of(&stage[last], &plan->nest[last], 1, 1);
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
        *at = d->to = kernel_begin(m, g->from, g->target, suffix);
        at = &d->to->next;
        d->accumulators = 0;
        struct var *t = var_new(m, "t", blocks);
        for (int i = 0; i < g->count; i++) {
            struct var *th = var_new(m, "th", threads);
            affine_ref q = affine_add(m->arena, scaled(m, t, threads), of_var(m, th));
            g->nest[i].thread = th;
            struct stmt *stmt = tile_number(&g->nest[i], affine_offset(m->arena, q, begin));
            stmt_append(&d->to->body, stmt_for(m, th, LOOP_THREAD, stmt));
        }
        d->to->body = stmt_for(m, t, LOOP_BLOCK, d->to->body);
        kernel_name_vars(m, d->to);
        begin += blocks * threads;
    }
    return at;
}

/* A kernel that is a list of nests: they run one after the other, each on the whole device. */
static struct kernel **build_list(struct module *m, const struct kernel *from, const char *target,
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
            *b = (struct building){
                .d = &d, .stage = &stage[i + j], .r = {.m = m, .load = load_local}};
            b->r.context = b;
            b->origin = affine_constant(m->arena, 0);
            blocking[j] = blocking_of(b->stage, &plan->nest[i + j], 1, 1);
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

int64_t gpu_columns(const struct kernel *kernel, const struct kernel_stage *stage, int stages)
{
    if (!stages || gpu_kernel_is_list(kernel))
        return 0;
    for (int i = 0; i + 1 < stages; i++)
        if (stage[i].nest.store->buffer->place != PLACE_STACK)
            return 0;
    const struct kernel_stage *last = &stage[stages - 1];
    bool fits = last->rows + 1 == last->nest.vars && last->nest.store->buffer->place != PLACE_STACK;
    return fits ? last->nest.var[last->rows]->extent : 0;
}

const char *gpu_split_error(struct module *m, const struct kernel *kernel, const struct plan *plan)
{
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    struct var *pixel[3];
    int pixels, stages = kernel_list_stages(m, kernel, &pixels, pixel, stage);
    int64_t columns = gpu_columns(kernel, stage, stages);
    if (columns && columns % plan->split == 0)
        return NULL;
    return columns ? arena_printf(m->arena, "found %lld, must divide the last nest's %lld columns",
                                  (long long)plan->split, (long long)columns)
                   : "a split, which needs a last nest that has columns and alone has results";
}

struct kernel **gpu_apply(struct module *m, const struct kernel *from, const char *target,
                          const struct plan *plan, int64_t pixels, struct kernel **at)
{
    if (gpu_kernel_is_list(from))
        return build_list(m, from, target, plan, at);
    int64_t tile = plan->tile < pixels ? plan->tile : pixels;
    int64_t whole = pixels / tile, rest = pixels % tile;
    *at = build_kernel(m, from, target, plan, 0, tile, whole, "");
    at = &(*at)->next;
    if (rest) {
        *at = build_kernel(m, from, target, plan, pixels - rest, rest, 1, "_rest");
        at = &(*at)->next;
    }
    return at;
}
