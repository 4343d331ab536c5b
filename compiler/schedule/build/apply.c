/* Carries out the schedules: every kernel becomes one kernel per target (and one more for the
 * pixels that fill no whole tile), whose loops have kinds and whose accumulators are in registers.
 *
 *   for n in 1, y in 28, x in 28, c in 64
 *     out[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])
 *   schedule "x86-64-v4" {
 *     tile 14
 *     nest 0 rows 14 columns 32 vector 16
 *   }
 * =>
 *   for t in 56 parallel {
 *     for b in 2 {
 *       for i in 14 unroll, g in 2 unroll, v in 16 vector
 *         acc[i, 16*g + v] = 0
 *       for k in 32, i in 14 unroll, g in 2 unroll, v in 16 vector
 *         acc[i, 16*g + v] = fma(a[.., k], w[k, 32*b + 16*g + v], acc[i, 16*g + v])
 *       for i in 14 unroll, g in 2 unroll, v in 16 vector
 *         out[0, (14*t + i) div 28, (14*t + i) mod 28, 32*b + 16*g + v] = acc[i, 16*g + v]
 *     }
 *   }
 *
 * Right because pixels are independent, and so are the elements of a nest; a reduction keeps its
 * order. A tile's stack buffers get a dimension for its pixels. Requires: one store per nest, at
 * most one reduction in it. */
#include "apply.h"
#include "gpu.h"
#include "tidy.h"
#include "touches.h"
#include <assert.h>
#include <string.h>

pass_function apply_schedules;

static affine_ref of_var(struct module *m, struct var *var)
{
    return affine_var(m->arena, var);
}

static void map_pixel(struct building *b, affine_ref p)
{
    struct arena *arena = b->a->m->arena;
    affine_ref flat = affine_add(arena, b->a->first, p);
    b->p = p;
    for (int i = b->a->pixels - 1; i >= 0; i--) {
        int64_t extent = b->a->pixel[i]->extent;
        rewriter_map(&b->r, b->a->pixel[i], i ? affine_mod(arena, flat, extent) : flat);
        flat = affine_div(arena, flat, extent);
    }
}

/* The tile that stands for a local buffer, and the index there of what `at` is in the buffer, for the
 * pixel at hand; NULL: no local buffer. */
static struct buffer *enter_local(const struct building *b, const struct buffer *from,
                                  const affine_ref *at, affine_ref *index)
{
    const struct application *a = b->a;
    struct arena *arena = a->m->arena;
    int i = 0;
    while (i < a->locals && a->local[i].from != from)
        i++;
    if (i == a->locals)
        return NULL;
    int64_t depth = a->local[i].depth;
    if (depth) {
        index[0] = affine_div(arena, at[0], depth);
        index[1] = b->p;
        index[2] = affine_mod(arena, at[0], depth);
    } else if (a->local[i].lanes) {
        memcpy(index, at, (size_t)from->shape.rank * sizeof *index);
        index[from->shape.rank] = b->p;
    } else {
        index[0] = a->local[i].one ? affine_constant(arena, 0) : b->p;
        memcpy(index + (a->pixels != 0), at, (size_t)from->shape.rank * sizeof *index);
    }
    return a->local[i].to;
}

static const struct expr *load_local(struct rewriter *r, const struct expr *load)
{
    struct building *b = r->context;
    affine_ref index[MAX_RANK];
    struct buffer *local = enter_local(b, load->buffer, load->index, index);
    if (local)
        return expr_load(r->m, local, index);
    return b->pixels_are_columns ? load_line(b, load) : load;
}

struct stmt *store_of(struct building *b, const struct expr *value)
{
    const struct stmt *store = b->stage->nest.store;
    affine_ref at[MAX_RANK], index[MAX_RANK];
    for (int i = 0; i < store->buffer->shape.rank; i++)
        at[i] = rewrite_affine(&b->r, store->index[i]);
    struct buffer *local = enter_local(b, store->buffer, at, index);
    return stmt_store(b->a->m, local ? local : store->buffer, local ? index : at, value);
}

struct tile_loops tile_loops(struct module *m, int64_t rows, const struct segment *columns)
{
    struct tile_loops t = {var_new(m, "i", rows), var_new(m, "g", columns->size / columns->lanes),
                           var_new(m, "v", columns->lanes), NULL};
    t.column = affine_add(m->arena, affine_scale(m->arena, of_var(m, t.group), columns->lanes),
                          of_var(m, t.lane));
    return t;
}

struct stmt *wrap_tile(struct module *m, const struct tile_loops *t, struct stmt *stmt)
{
    if (t->lane->extent > 1)
        stmt = stmt_for(m, t->lane, LOOP_VECTOR, stmt);
    if (t->group->extent > 1)
        stmt = stmt_for(m, t->group, LOOP_UNROLL, stmt);
    return t->row->extent > 1 ? stmt_for(m, t->row, LOOP_UNROLL, stmt) : stmt;
}

/* Maps the nest's row variables to row number `row`: of one pixel's rows, or, where the tile's
 * pixels are rows too, of all of them, flattened. Where pixels are columns, all variables are rows. */
static void map_rows(struct building *b, affine_ref row)
{
    struct arena *arena = b->a->m->arena;
    const struct kernel_stage *s = b->stage;
    for (int i = (b->pixels_are_columns ? s->nest.vars : s->rows) - 1; i >= 0; i--) {
        int64_t extent = s->nest.var[i]->extent;
        bool first = i == 0 && !b->pixels_are_rows;
        rewriter_map(&b->r, s->nest.var[i], first ? row : affine_mod(arena, row, extent));
        row = affine_div(arena, row, extent);
    }
    if (b->pixels_are_rows)
        map_pixel(b, row);
}

void enter_element(struct building *b, const struct origin *origin, affine_ref row,
                   affine_ref column)
{
    struct arena *arena = b->a->m->arena;
    const struct kernel_stage *s = b->stage;
    if (b->pixels_are_columns)
        map_pixel(b, affine_add(arena, origin->column, column));
    else if (s->rows < s->nest.vars)
        rewriter_map(&b->r, s->nest.var[s->rows], affine_add(arena, origin->column, column));
    if (origin->flat)
        map_rows(b, affine_add(arena, origin->row, row));
}

void enter_tile(struct building *b, const struct origin *origin, const struct tile_loops *t)
{
    enter_element(b, origin, of_var(b->a->m, t->row), t->column);
}

static struct stmt *accumulate_step(struct building *b, const struct origin *origin, int64_t rows,
                                    const struct segment *columns, struct buffer *acc)
{
    struct module *m = b->a->m;
    const struct expr *reduce = b->stage->reduce, *body = reduce->in[0];
    int vars = b->r.vars;
    struct var *k[MAX_RANK];
    for (int i = 0; i < reduce->vars; i++) {
        k[i] = var_new(m, reduce->var[i]->name, reduce->var[i]->extent);
        rewriter_map(&b->r, reduce->var[i], of_var(m, k[i]));
    }
    struct tile_loops t = tile_loops(m, rows, columns);
    enter_tile(b, origin, &t);
    affine_ref at[2] = {of_var(m, t.row), t.column};
    const struct expr *old = expr_load(m, acc, at), *value;
    if (reduce->op == SCALAR_sum && body->op == SCALAR_mul)
        value = expr_op(m, SCALAR_fma, rewrite_expr(&b->r, body->in[0]),
                        rewrite_expr(&b->r, body->in[1]), old);
    else
        value = expr_op(m, reduce->op == SCALAR_sum ? SCALAR_add : SCALAR_max, old,
                        rewrite_expr(&b->r, body), NULL);
    struct stmt *stmt = wrap_tile(m, &t, stmt_store(m, acc, at, value));
    if (origin->next) {
        struct stmt *fetch = fetch_weights(
            b, &(struct ahead){
                   .k = affine_constant(m->arena, 0),
                   .column = origin->next,
                   .step = affine_add(m->arena, affine_scale(m->arena, origin->block, k[0]->extent),
                                      of_var(m, k[0])),
                   .depth = k[0]->extent,
                   .columns = columns->size,
                   .steps = origin->blocks * k[0]->extent});
        stmt_append(&fetch, stmt);
        stmt = fetch;
    }
    for (int i = reduce->vars - 1; i >= 0; i--)
        stmt = stmt_for(m, k[i], LOOP_SERIAL, stmt);
    b->r.vars = vars;
    return stmt;
}

struct buffer *new_accumulators(struct application *a, int64_t rows, int64_t columns)
{
    const char *name = arena_printf(a->m->arena, "acc%d", a->accumulators++);
    return buffer_new(a->m, &a->to->locals, name, PLACE_REGISTERS, SHAPE(rows, columns));
}

/* Of the next block of columns: those of the block at hand would come too late. */
static struct stmt *fetch_next_operands(struct building *b, const struct origin *origin,
                                        int64_t rows, int64_t columns)
{
    struct origin next = *origin;
    next.column = origin->next;
    return fetch_operands(b, &next, rows, columns);
}

static struct stmt *register_tile(struct building *b, const struct origin *origin, int64_t rows,
                                  const struct segment *columns)
{
    struct module *m = b->a->m;
    const struct expr *reduce = b->stage->reduce, *value = b->stage->nest.store->value;
    if (b->halves)
        return halves_tile(b, origin, rows, columns);
    int vars = b->r.vars;
    struct tile_loops t = tile_loops(m, rows, columns);
    enter_tile(b, origin, &t);
    if (!reduce) {
        struct stmt *only = wrap_tile(m, &t, store_of(b, rewrite_expr(&b->r, value)));
        b->r.vars = vars;
        return only;
    }
    struct buffer *acc = new_accumulators(b->a, rows, columns->size);
    affine_ref at[2] = {of_var(m, t.row), t.column};
    double none = reduce->op == SCALAR_sum ? 0 : -HUGE_VAL;
    const struct expr *init =
        reduce->in[1] ? rewrite_expr(&b->r, reduce->in[1]) : expr_constant(m, none);
    struct stmt *stmt = wrap_tile(m, &t, stmt_store(m, acc, at, init));
    b->r.vars = vars;
    if (origin->next)
        stmt_append(&stmt, fetch_next_operands(b, origin, rows, columns->size));
    stmt_append(&stmt, accumulate_step(b, origin, rows, columns, acc));
    t = tile_loops(m, rows, columns);
    enter_tile(b, origin, &t);
    at[0] = of_var(m, t.row);
    at[1] = t.column;
    const struct expr *marker = expr_load(m, acc, at);
    /* what surrounds the reduction is rewritten; the accumulator is in new variables already */
    const struct expr *done = rewrite_expr(&b->r, expr_replace(m, value, reduce, marker));
    stmt_append(&stmt, wrap_tile(m, &t, store_of(b, done)));
    b->r.vars = vars;
    return stmt;
}

/* The first column of a block. */
static affine_ref column_of(struct building *b, affine_ref block, const struct segment *columns)
{
    struct arena *arena = b->a->m->arena;
    affine_ref at = affine_scale(arena, block, columns->size);
    return affine_add(arena, affine_offset(arena, at, columns->begin), b->first_column);
}

affine_ref block_behind(const struct building *b, affine_ref block, int64_t count)
{
    struct arena *arena = b->a->m->arena;
    affine_ref next = affine_add(arena, affine_scale(arena, b->groups.number, count), block);
    return affine_mod(arena, affine_offset(arena, next, 1), b->groups.count * count);
}

/* The loop over a tile's pixels: a nest's own, or that of several nests. */
static struct var *pixel_var(const struct building *b)
{
    return b->a->together ? b->a->together : var_new(b->a->m, "p", b->a->tile);
}

static struct stmt *pixel_loop(const struct building *b, struct var *p, struct stmt *body)
{
    return b->a->together || p->extent == 1 ? body : stmt_for(b->a->m, p, LOOP_SERIAL, body);
}

/* Blocks of columns of one block of rows, one after the other, each for every pixel of `inside`
 * (NULL: for the pixel at hand). */
static struct stmt *column_blocks(struct building *b, struct origin *origin, int64_t rows,
                                  const struct segment *columns, struct var *inside)
{
    struct module *m = b->a->m;
    struct var *block = var_new(m, "b", columns->count);
    origin->column = column_of(b, of_var(m, block), columns);
    struct stmt *stmt = register_tile(b, origin, rows, columns);
    if (inside)
        stmt = pixel_loop(b, inside, stmt);
    return block->extent > 1 ? stmt_for(m, block, LOOP_SERIAL, stmt) : stmt;
}

static struct stmt *row_blocks(struct building *b, struct origin *origin,
                               const struct segment *rows, const struct segment *columns)
{
    struct module *m = b->a->m;
    struct var *block = var_new(m, "r", rows->count);
    origin->row =
        affine_offset(m->arena, affine_scale(m->arena, of_var(m, block), rows->size), rows->begin);
    origin->block = affine_offset(m->arena, of_var(m, block), rows->first);
    struct stmt *stmt = register_tile(b, origin, rows->size, columns);
    return block->extent > 1 ? stmt_for(m, block, LOOP_SERIAL, stmt) : stmt;
}

/* Register tiles of several rows. */
static struct stmt *block_nest(struct building *b, const struct nest_plan *plan, int64_t total,
                               const struct segment *columns, int column_segments)
{
    struct module *m = b->a->m;
    struct segment rows[MAX_SEGMENTS];
    int row_segments = segments_of_rows(total, plan->rows, rows);
    struct stmt *all = NULL;
    bool one = b->a->pixels && !b->pixels_are_rows && !b->pixels_are_columns;
    struct var *p = one ? pixel_var(b) : NULL;
    if (one)
        map_pixel(b, of_var(m, p));
    for (int j = 0; j < column_segments; j++) {
        struct var *block = var_new(m, "b", columns[j].count);
        struct origin origin = {.flat = true};
        origin.column = column_of(b, of_var(m, block), &columns[j]);
        origin.blocks = rows[row_segments - 1].first + rows[row_segments - 1].count;
        if (plan->ahead) {
            affine_ref next = block_behind(b, of_var(m, block), block->extent);
            next = affine_offset(m->arena, affine_scale(m->arena, next, columns[j].size),
                                 columns[j].begin);
            origin.next = affine_add(m->arena, next, b->groups.base);
        }
        struct stmt *inside = NULL;
        for (int i = 0; i < row_segments; i++)
            stmt_append(&inside, row_blocks(b, &origin, &rows[i], &columns[j]));
        stmt_append(&all, block->extent > 1 ? stmt_for(m, block, LOOP_SERIAL, inside) : inside);
    }
    return one ? pixel_loop(b, p, all) : all;
}

/* One row at a time: the nest's own loops around blocks of columns. A sum of one row, as over a footprint,
 * takes a block of columns of all pixels before the next: what the pixels share is then in L1 still. */
static struct stmt *row_nest(struct building *b, const struct segment *columns, int column_segments)
{
    struct module *m = b->a->m;
    const struct kernel_stage *s = b->stage;
    struct var *p = pixel_var(b), *row[MAX_NEST];
    bool inside = b->a->pixels && s->reduce && s->reduce->op == SCALAR_sum && column_segments == 1;
    if (b->a->pixels)
        map_pixel(b, of_var(m, p));
    for (int i = 0; i < s->rows; i++) {
        row[i] = var_new(m, s->nest.var[i]->name, s->nest.var[i]->extent);
        rewriter_map(&b->r, s->nest.var[i], of_var(m, row[i]));
        inside = inside && row[i]->extent == 1;
    }
    struct stmt *stmt = NULL;
    struct origin origin = {0};
    for (int j = 0; j < column_segments; j++)
        stmt_append(&stmt, column_blocks(b, &origin, 1, &columns[j], inside ? p : NULL));
    for (int i = s->rows - 1; i >= 0; i--)
        if (row[i]->extent > 1)
            stmt = stmt_for(m, row[i], LOOP_SERIAL, stmt);
    return b->a->pixels && !inside ? pixel_loop(b, p, stmt) : stmt;
}

static struct stmt *build_nest(struct application *a, const struct kernel_stage *stage,
                               const struct nest_plan *plan, bool lanes)
{
    struct building b = {.a = a, .stage = stage, .r = {.m = a->m, .load = load_local}};
    b.r.context = &b;
    b.first_column = affine_constant(a->m->arena, 0);
    struct stage_size size = lanes ? lanes_size(stage, a->tile) : stage_size(stage, a->tile);
    bool shared = a->columns && stage->nest.store->buffer->place != PLACE_STACK;
    if (shared) {
        size.columns = a->columns;
        b.first_column = a->first_column;
    }
    struct segment segment[MAX_SEGMENTS];
    int segments = segments_of_columns(size.columns, plan->columns, plan->lanes, segment);
    b.groups = shared && segments == 1
                   ? a->groups
                   : (struct groups){b.first_column, affine_constant(a->m->arena, 0), 1};
    b.pixels_are_columns = lanes;
    b.pixels_are_rows = a->pixels && size.repeats == 1 && !lanes;
    b.halves = plan->halves;
    if (plan->depth)
        return depth_nest(&b, plan, size.rows, size.columns);
    return plan->rows > 1 || lanes ? block_nest(&b, plan, size.rows, segment, segments)
                                   : row_nest(&b, segment, segments);
}

/* A tile's rows of a whole multiple of 1 KiB would fall into few sets of the L1 cache. */
static int64_t padded_row(int64_t elements)
{
    return elements % 256 == 0 ? elements + 16 : elements;
}

static struct shape tile_shape(const struct application *a, const struct buffer *from,
                               int64_t pixels, int64_t depth, bool lanes)
{
    struct shape shape = from->shape;
    if (depth)
        return SHAPE(shape.dim[0] / depth, a->tile, depth);
    if (!a->pixels)
        return shape;
    if (lanes) {
        shape.dim[shape.rank++] = pixels;
        return shape;
    }
    memmove(shape.dim + 1, shape.dim, (MAX_RANK - 1) * sizeof *shape.dim);
    shape.dim[0] = pixels;
    shape.rank++;
    if (shape.rank == 2)
        shape.dim[1] = padded_row(shape.dim[1]);
    return shape;
}

/* The depth of the blocks that some nest reads a tile's channels in; 0: none does. */
static int64_t depth_of_tile(const struct application *a, const struct kernel_stage *stage,
                             const struct plan *plan, const struct buffer *tile)
{
    for (int i = 0; i < plan->nests; i++)
        if (plan->nest[i].depth &&
            stage_row_tile(&stage[i], stage_row_factor(&stage[i], a->pixels, a->pixel)) == tile)
            return plan->nest[i].depth;
    return 0;
}

static void add_locals(struct application *a, const struct kernel_stage *stage,
                       const struct plan *plan)
{
    for (struct buffer *from = a->from->locals; from; from = from->next) {
        assert(a->locals < MAX_STAGES_OF_KERNEL);
        int64_t depth = depth_of_tile(a, stage, plan, from);
        a->local[a->locals].from = from;
        bool one = a->pixels && plan->together[1] > plan->together[0] &&
                   stages_own(stage, plan->nests, plan->together, from);
        a->local[a->locals].depth = depth;
        a->local[a->locals].one = one;
        bool lanes = a->local[a->locals].lanes = lanes_store(stage, plan, from);
        a->local[a->locals++].to = buffer_new(a->m, &a->to->locals, from->name, from->place,
                                              tile_shape(a, from, one ? 1 : a->tile, depth, lanes));
    }
}

static struct stmt *build_nests(struct application *a, const struct kernel_stage *stage, int stages,
                                const struct plan *plan)
{
    const int64_t *together = plan->together;
    struct stmt *all = NULL, *one = NULL;
    for (int i = 0; i < stages; i++) {
        bool inside = together[1] > together[0] && i >= together[0] && i <= together[1];
        if (inside && i == together[0])
            a->together = var_new(a->m, "p", a->tile);
        stmt_append(inside ? &one : &all,
                    build_nest(a, &stage[i], &plan->nest[i], lanes_has(plan, i)));
        if (!inside || i < together[1])
            continue;
        stmt_append(&all, a->tile > 1 ? stmt_for(a->m, a->together, LOOP_SERIAL, one) : one);
        a->together = NULL;
    }
    return all;
}

/* What of a kernel becomes one: `tiles` tiles of `tile` pixels from pixel `pixel` on, and of the
 * columns that go to memory `groups` groups of `columns` from `column` on (0: all of them). */
struct share {
    int64_t pixel, tile, tiles, column, columns, groups;
    const char *suffix;
};

static struct kernel *build_kernel(struct module *m, const struct kernel *from, const char *target,
                                   const struct plan *plan, const struct share *share)
{
    struct application a = {.m = m, .from = from, .tile = share->tile, .columns = share->columns};
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    int stages = kernel_list_stages(m, from, &a.pixels, a.pixel, stage);
    struct kernel *to = a.to = ARENA_NEW(m->arena, struct kernel);
    to->name = arena_printf(m->arena, "%s%s", from->name, share->suffix);
    to->label = from->label;
    to->target = target;
    struct var *t = var_new(m, "t", share->tiles * share->groups);
    affine_ref at = of_var(m, t);
    a.first = affine_offset(
        m->arena, affine_scale(m->arena, affine_div(m->arena, at, share->groups), share->tile),
        share->pixel);
    a.groups = (struct groups){affine_constant(m->arena, share->column),
                               affine_mod(m->arena, at, share->groups), share->groups};
    a.first_column = affine_add(m->arena, affine_scale(m->arena, a.groups.number, share->columns),
                                a.groups.base);
    add_locals(&a, stage, plan);
    to->body = build_nests(&a, stage, stages, plan);
    if (t->extent > 1)
        to->body = stmt_for(m, t, LOOP_PARALLEL, to->body);
    kernel_name_vars(m, to);
    return to;
}

static struct kernel **apply_one(struct module *m, const struct kernel *from,
                                 const struct schedule *schedule, const struct rounding *rounding,
                                 struct kernel **at)
{
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    struct plan plan;
    struct var *pixel[3];
    int pixels;
    kernel_list_stages(m, from, &pixels, pixel, stage);
    char why[256];
    const struct target *target = target_find(schedule->target, why, sizeof why);
    assert(target); /* of the module, which was checked */
    if (!schedule_read(m, from, schedule, rounding, &plan))
        return at;
    int64_t total = 1, columns = plan.split ? kernel_columns(m, from) : 0;
    for (int i = 0; i < pixels; i++)
        total *= pixel[i]->extent;
    if (target->gpu)
        return gpu_apply(m, from, schedule->target, &plan, total, at);
    int64_t rest = total % plan.tile, groups = plan.split ? columns / plan.split : 1;
    struct share share[3] = {{0, plan.tile, total / plan.tile, 0, plan.split, groups, ""},
                             {total - rest, rest, rest > 0, 0, plan.split, groups, "_rest"},
                             {0, 1, columns > groups * plan.split, groups * plan.split,
                              columns - groups * plan.split, 1, "_rest"}};
    for (int i = 0; i < 3; i++)
        if (share[i].tiles) {
            *at = build_kernel(m, from, schedule->target, &plan, &share[i]);
            at = &(*at)->next;
        }
    return at;
}

/* Whether the kernel can have schedules and has one for each target; if not, m->error says so. */
static bool check_schedules(struct module *m, const struct kernel *kernel)
{
    if (!kernel_check_schedulable(m, kernel))
        return false;
    for (int i = 0; i < m->targets; i++)
        if (!schedule_of(kernel, m->target[i])) {
            m->error = arena_printf(m->arena, "kernel %s has no schedule for \"%s\"", kernel->name,
                                    m->target[i]);
            m->error_at = kernel->at;
            return false;
        }
    return true;
}

int apply_schedules(struct module *m)
{
    struct kernel *kernels = m->kernels, **at = &m->kernels;
    int changes = 0;
    for (const struct kernel *kernel = kernels; kernel; kernel = kernel->next)
        if (!check_schedules(m, kernel))
            return 0;
    const struct rounding *rounding = rounding_new(m, m->arena);
    m->kernels = NULL;
    for (const struct kernel *from = kernels; from; from = from->next)
        for (int i = 0; i < m->targets && !m->error; i++, changes++) {
            const struct schedule *schedule = schedule_of(from, m->target[i]);
            struct kernel **first = at;
            at = apply_one(m, from, schedule, rounding, at);
            edit_kernels(m, from, schedule, *first);
        }
    *at = NULL;
    graph_tidy(m); /* tables of lines are made anywhere */
    touches_index(m);
    buffers_remove_unused(m);
    return changes;
}
