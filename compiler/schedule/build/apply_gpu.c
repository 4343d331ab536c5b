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
#include "apply_gpu.h"
#include <assert.h>
#include <string.h>

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

void gpu_map_row(struct building *b, affine_ref row)
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

void gpu_map_column(struct building *b, affine_ref column)
{
    const struct kernel_stage *s = b->stage;
    if (s->rows < s->nest.vars)
        rewriter_map(&b->r, s->nest.var[s->rows], affine_add(b->d->m->arena, b->origin, column));
}

/* The loops of a register tile: rows, vectors, lanes. */
struct tile_loops {
    struct var *row, *group, *lane;
    affine_ref at[3]; /* in the accumulators, of which each thread has its own */
};

static struct tile_loops enter_tile(struct building *b)
{
    struct module *m = b->d->m;
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
    b->at_column = affine_offset(m->arena, column, b->columns->begin);
    b->at_row = affine_add(m->arena, b->row, scaled(m, t.row, b->rows->count));
    gpu_map_column(b, b->at_column);
    gpu_map_row(b, b->at_row);
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

static const struct expr *load_local(struct rewriter *r, const struct expr *load)
{
    affine_ref index[MAX_RANK];
    struct buffer *local = gpu_local_index(r->context, load->buffer, load->index, index);
    return local == load->buffer ? load : expr_load(r->m, local, index);
}

struct stmt *gpu_store(struct building *b, const struct expr *value)
{
    const struct stmt *store = b->stage->nest.store;
    affine_ref from[MAX_RANK], index[MAX_RANK];
    for (int i = 0; i < store->buffer->shape.rank; i++)
        from[i] = rewrite_affine(&b->r, store->index[i]);
    struct buffer *local = gpu_local_index(b, store->buffer, from, index);
    return stmt_store(b->d->m, local, index, value);
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

struct buffer *gpu_accumulators(struct building *b, struct var *unit, struct shape each)
{
    struct device *d = b->d;
    memmove(each.dim + 1, each.dim, (MAX_RANK - 1) * sizeof *each.dim);
    each.dim[0] = unit->extent;
    each.rank++;
    return buffer_new(d->m, &d->to->locals, arena_printf(d->m->arena, "acc%d", d->accumulators++),
                      PLACE_REGISTERS, each);
}

const struct expr *gpu_initial(struct building *b)
{
    const struct expr *reduce = b->stage->reduce;
    double none = reduce->op == SCALAR_sum ? 0 : -HUGE_VAL;
    return reduce->in[1] ? rewrite_expr(&b->r, reduce->in[1]) : expr_constant(b->d->m, none);
}

const struct expr *gpu_final(struct building *b, const struct expr *total)
{
    const struct expr *value = b->stage->nest.store->value;
    return rewrite_expr(&b->r, expr_replace(b->d->m, value, b->stage->reduce, total));
}

static struct stmt *register_tile(struct building *b)
{
    struct module *m = b->d->m;
    const struct expr *reduce = b->stage->reduce, *value = b->stage->nest.store->value;
    int vars = b->r.vars;
    struct tile_loops t = enter_tile(b);
    if (!reduce || b->sums) {
        affine_ref at[2] = {b->at_row, b->at_column};
        const struct expr *done =
            b->sums ? gpu_final(b, expr_load(m, b->sums, at)) : rewrite_expr(&b->r, value);
        struct stmt *only = wrap_tile(m, &t, gpu_store(b, done));
        b->r.vars = vars;
        return only;
    }
    struct buffer *acc = gpu_accumulators(b, b->thread, SHAPE(b->rows->size, b->columns->size));
    struct stmt *stmt = wrap_tile(m, &t, stmt_store(m, acc, t.at, gpu_initial(b)));
    b->r.vars = vars;
    stmt_append(&stmt, accumulate(b, acc));
    t = enter_tile(b);
    const struct expr *done = gpu_final(b, expr_load(m, acc, t.at));
    stmt_append(&stmt, wrap_tile(m, &t, gpu_store(b, done)));
    b->r.vars = vars;
    return stmt;
}

struct stmt *gpu_tile(struct building *b, affine_ref q)
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
        struct stmt *stmt = gpu_tile(b, affine_add(m->arena, scaled(m, s, threads), of_var(m, th)));
        stmt = stmt_for(m, th, LOOP_THREAD, stmt);
        all = whole > 1 ? stmt_for(m, s, LOOP_SERIAL, stmt) : stmt;
    }
    if (rest) {
        struct var *th = var_new(m, "th", rest);
        b->thread = th;
        struct stmt *stmt = gpu_tile(b, affine_offset(m->arena, of_var(m, th), whole * threads));
        stmt_append(&all, stmt_for(m, th, LOOP_THREAD, stmt));
    }
    return all;
}

struct area gpu_area(const struct kernel_stage *stage, int64_t tile, int64_t split)
{
    struct area area = {.rows = tile, .columns = 1};
    for (int i = 0; i < stage->nest.vars; i++)
        *(i < stage->rows ? &area.rows : &area.columns) *= stage->nest.var[i]->extent;
    area.columns /= split;
    return area;
}

struct blocking gpu_blocking(const struct nest_plan *plan, const struct area *area)
{
    struct blocking blocking;
    blocking.rows = segments_of_rows(area->rows, plan->rows, blocking.row);
    blocking.columns =
        segments_of_columns(area->columns, plan->columns, plan->lanes, blocking.column);
    for (int i = 0; i < blocking.rows; i++)
        blocking.row[i].begin += area->row;
    for (int i = 0; i < blocking.columns; i++)
        blocking.column[i].begin += area->column;
    return blocking;
}

struct stmt *gpu_threads(struct building *b, const struct nest_plan *plan, const struct area *area)
{
    struct blocking blocking = gpu_blocking(plan, area);
    struct stmt *all = NULL;
    for (int i = 0; i < blocking.rows; i++)
        for (int j = 0; j < blocking.columns; j++) {
            b->rows = &blocking.row[i];
            b->columns = &blocking.column[j];
            stmt_append(&all, deal_out(b, b->rows->count * b->columns->count));
        }
    return all;
}

void gpu_building(struct building *b, struct device *d, const struct kernel_stage *stage)
{
    *b = (struct building){.d = d, .stage = stage, .r = {.m = d->m, .load = load_local}};
    b->r.context = b;
    b->origin = affine_constant(d->m->arena, 0);
}

/* Nest number i, the last one's columns shared by blocks. */
static struct stmt *build_nest(struct device *d, const struct kernel_stage *stage,
                               const struct plan *plan, int i)
{
    struct building b;
    gpu_building(&b, d, stage);
    int64_t split = i == plan->nests - 1 ? d->split : 1;
    if (split > 1)
        b.origin = scaled(d->m, d->part, stage->nest.var[stage->rows]->extent / split);
    struct area area = gpu_area(stage, d->tile, split);
    const struct matrix_plan *matrix = &plan->matrix[i];
    return matrix->rows ? gpu_warps(&b, &plan->nest[i], matrix, &area)
                        : gpu_threads(&b, &plan->nest[i], &area);
}

/* ---- kernels --------------------------------------------------------------------------------- */

struct kernel *gpu_kernel(struct module *m, const struct kernel *from, const char *target,
                          const char *suffix)
{
    struct kernel *to = ARENA_NEW(m->arena, struct kernel);
    to->name = arena_printf(m->arena, "%s%s", from->name, suffix);
    to->label = from->label;
    to->target = target;
    return to;
}

/* A kernel of so many blocks, which take that many tiles of `tile` pixels one after the other, from pixel
 * `begin` on. */
struct part {
    int64_t begin, tile, blocks, turns;
    const char *suffix;
};

static struct kernel *build_kernel(struct module *m, const struct kernel *from, const char *target,
                                   const struct plan *plan, const struct part *part)
{
    struct device d = {.m = m, .threads = plan->threads, .tile = part->tile, .split = 1};
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    int stages = kernel_list_stages(m, from, &d.pixels, d.pixel, stage);
    if (plan->split)
        d.split = gpu_columns(from, stage, stages) / plan->split;
    d.to = gpu_kernel(m, from, target, part->suffix);
    d.part = var_new(m, "b", d.split);
    struct var *t = var_new(m, "t", part->blocks), *turn = var_new(m, "s", part->turns);
    d.blocks = part->blocks * d.split;
    d.block = affine_add(m->arena, scaled(m, t, d.split), of_var(m, d.part));
    affine_ref tile = affine_add(m->arena, of_var(m, t), scaled(m, turn, part->blocks));
    d.first = affine_offset(m->arena, affine_scale(m->arena, tile, part->tile), part->begin);
    int locals = 0;
    for (struct buffer *local = from->locals; local; local = local->next)
        gpu_add_local(&d, local, plan->memory[locals++]);
    for (int i = 0; i < stages; i++)
        if (plan->staged[i])
            stmt_append(&d.to->body, gpu_stage(&d, stage, i));
    for (int i = 0; i < stages; i++) {
        if (i || plan->staged[0])
            stmt_append(&d.to->body, stmt_barrier(m));
        stmt_append(&d.to->body, build_nest(&d, &stage[i], plan, i));
    }
    if (part->turns > 1) {
        stmt_append(&d.to->body, stmt_barrier(m)); /* what the next turn writes is read no more */
        d.to->body = stmt_for(m, turn, LOOP_SERIAL, d.to->body);
    }
    if (d.split > 1)
        d.to->body = stmt_for(m, d.part, LOOP_BLOCK, d.to->body);
    d.to->body = stmt_for(m, t, LOOP_BLOCK, d.to->body);
    kernel_name_vars(m, d.to);
    return d.to;
}

/* ---- plans ----------------------------------------------------------------------------------- */

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
        return gpu_list(m, from, target, plan, at);
    struct part part = {.tile = plan->tile < pixels ? plan->tile : pixels, .suffix = ""};
    for (int number = 1; part.begin < pixels; number++) {
        int64_t tiles = (pixels - part.begin) / part.tile;
        part.turns = plan->blocks && tiles ? (tiles + plan->blocks - 1) / plan->blocks : 1;
        part.blocks = tiles / part.turns;
        if (!tiles)
            part = (struct part){part.begin, pixels - part.begin, 1, 1, "_rest"};
        *at = build_kernel(m, from, target, plan, &part);
        at = &(*at)->next;
        part.begin += part.blocks * part.turns * part.tile;
        part.suffix = arena_printf(m->arena, "_part%d", number);
    }
    return at;
}
