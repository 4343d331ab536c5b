/* Rows of a nest of products, brought from memory to what a block shares before any nest runs:
 *
 *   for n in 1, y in 28, x in 28, c in 64
 *     out[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])
 *   schedule "nvptx:sm_80" {
 *     tile 16
 *     stage 0
 *     ..
 * =>
 *   rows0 : shared f32[16, 36]
 *   for t in 49 block {
 *     for th in 128 thread, v in 4 vector
 *       async rows0[th div 8, 4*(th mod 8) + v] = a[0, (16*t + th div 8) div 28, .., 4*(th mod 8) + v]
 *     barrier
 *     ..                                   ; the nest, which reads rows0[p, k]
 *
 * Each element comes once for all columns, neighbours together, while earlier nests compute.
 *
 * Right because the kernel does not write what is copied. */
#include "apply_gpu.h"

const char *stage_error(const struct kernel *kernel, const struct kernel_stage *stage, int stages,
                        int nest, int pixels, struct var *const *pixel)
{
    static const char why[] =
        "stage is for sums of a row's and a column's factor, where the row's is "
        "loaded from memory that the kernel does not write, and there are "
        "pixels or tiles";
    const struct kernel_stage *s = &stage[nest];
    const struct expr *row = s->reduce ? stage_row_factor(s, pixels, pixel) : NULL;
    if (!row || row->op != SCALAR_load || row->buffer->place >= PLACE_STACK ||
        s->rows + 2 > MAX_RANK || gpu_kernel_is_list(kernel))
        return why;
    for (int i = 0; i < stages; i++)
        if (stage[i].nest.store->buffer == row->buffer)
            return why;
    return NULL;
}

/* The rows of one pixel: [row variables][terms]. */
static struct shape rows_shape(const struct kernel_stage *stage)
{
    struct shape shape = {.rank = stage->rows + 1};
    for (int i = 0; i < stage->rows; i++)
        shape.dim[i] = stage->nest.var[i]->extent;
    shape.dim[stage->rows] = stage->reduce->var[0]->extent;
    return shape;
}

int64_t stage_bytes(const struct kernel_stage *stage, bool pixels, int64_t tile)
{
    struct buffer rows = {.shape = rows_shape(stage)};
    struct shape shape = gpu_local_shape(&rows, pixels, tile);
    return 4 * shape_elements(&shape);
}

static void set_async(struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            set_async(stmt->body);
        else
            stmt->async = true;
    }
}

struct stmt *gpu_stage(struct device *d, struct kernel_stage *stage, int nest)
{
    enum { LANES = 4 };
    struct module *m = d->m;
    struct kernel_stage *s = &stage[nest], copy = {.rows = s->rows};
    const struct expr *row = stage_row_factor(s, d->pixels, d->pixel);
    struct buffer *local = ARENA_NEW(m->arena, struct buffer);
    *local = (struct buffer){.name = arena_printf(m->arena, "rows%d", nest),
                             .place = PLACE_STACK,
                             .shape = rows_shape(s)};
    gpu_add_local(d, local, false);
    affine_ref index[MAX_RANK];
    for (int i = 0; i <= s->rows; i++) {
        copy.nest.var[i] = i < s->rows ? s->nest.var[i] : s->reduce->var[0];
        index[i] = of_var(m, copy.nest.var[i]);
    }
    copy.nest.vars = s->rows + 1;
    copy.nest.store = stmt_store(m, local, index, row);
    struct building b;
    gpu_building(&b, d, &copy);
    struct area area = gpu_area(&copy, d->tile, 1);
    struct nest_plan plan = {.rows = 1, .columns = LANES, .lanes = LANES};
    struct stmt *stmt = gpu_threads(&b, &plan, &area);
    set_async(stmt);
    const struct expr *value = s->nest.store->value;
    s->nest.store = arena_copy(m->arena, s->nest.store, sizeof *s->nest.store);
    s->nest.store->value = expr_replace(m, value, row, expr_load(m, local, index));
    s->reduce = expr_find_reduce(s->nest.store->value);
    return stmt;
}
