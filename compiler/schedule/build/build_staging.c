/* Rows of a nest of products, copied from memory to shared memory before any nest runs:
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
 *       async rows0[th div 8, 4*(th mod 8) + v] = a[0, (16*t + th div 8) div 28, .., 4*(th mod 8) +
 *       v]
 *     barrier
 *     ..                                   ; the nest, which reads rows0[p, k]
 *
 * Each element is copied once for all columns, neighbours together, while earlier nests compute: four
 * floats or eight numbers of type bf16.
 *
 * Right because the kernel does not write what is copied. */
#include "build_staging.h"
#include "build_local.h"
#include "build_threads.h"
#include "rounding.h"

/* The rows of one pixel: [row variables][terms]. */
static struct shape rows_shape(const struct kernel_nest *nest)
{
    struct shape shape = {.rank = nest->rows + 1};
    for (int i = 0; i < nest->rows; i++)
        shape.dim[i] = nest->loops.var[i]->extent;
    shape.dim[nest->rows] = nest->reduce->var[0]->extent;
    return shape;
}

int64_t staging_bytes(const struct nests *nests, int nest, int64_t tile)
{
    struct buffer rows = {.shape = rows_shape(&nests->nest[nest]),
                          .dtype = staging_type(nests->nest[nest].row_factor)};
    rows.shape = local_shared_shape(&rows, nests->pixels > 0, tile);
    return buffer_bytes(&rows);
}

enum dtype staging_type(const struct expr *factor)
{
    return expr_is_bf16(factor) ? DTYPE_BF16 : DTYPE_F32;
}

bool staging_is_copy(const struct stmt *store)
{
    const struct expr *value = store->value;
    return value->op == SCALAR_load && value->buffer->place < PLACE_STACK &&
           value->buffer->dtype == store->buffer->dtype;
}

int64_t staging_lanes(enum dtype dtype)
{
    enum { VECTOR_BYTES = 16 };
    return VECTOR_BYTES / dtype_bytes[dtype];
}

void staging_set_async(struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            staging_set_async(stmt->body);
        else
            stmt->async = true;
    }
}

struct stmt *staging_build(struct kernel_build *k, struct kernel_nest *nest, int number)
{
    struct module *m = k->m;
    struct kernel_nest copy = {.rows = nest->rows};
    const struct expr *row = nest->row_factor;
    struct buffer *local = ARENA_NEW(m->arena, struct buffer);
    *local = (struct buffer){.name = arena_printf(m->arena, "rows%d", number),
                             .place = PLACE_STACK,
                             .dtype = staging_type(row),
                             .shape = rows_shape(nest)};
    local_add(k, local, false);
    affine_ref index[MAX_RANK];
    for (int i = 0; i <= nest->rows; i++) {
        copy.loops.var[i] = i < nest->rows ? nest->loops.var[i] : nest->reduce->var[0];
        index[i] = of_var(m, copy.loops.var[i]);
    }
    copy.loops.vars = nest->rows + 1;
    copy.loops.store = stmt_store(m, local, index, row);
    struct nest_build b;
    int64_t lanes = staging_lanes(local->dtype);
    struct nest_plan plan = {.rows = 1, .columns = lanes, .lanes = lanes};
    build_begin_nest(&b, k, &copy, &plan);
    struct area area = area_of_nest(&copy, k->tile, 1);
    struct stmt *stmt = threads_nest(&b, &area);
    staging_set_async(stmt);
    const struct expr *value = nest->loops.store->value;
    nest->loops.store = arena_copy(m->arena, nest->loops.store, sizeof *nest->loops.store);
    nest->loops.store->value = expr_replace(m, value, row, expr_load(m, local, index));
    nest->reduce = expr_find_reduce(nest->loops.store->value);
    return stmt;
}
