/* Buffers through which the nests of a kernel hand values on, on a GPU. Buffers of the stack, which
 * hold one pixel, become buffers in shared memory that hold all pixels of a block, or slices of the
 * workspace:
 *
 *   tile : stack f32[8]     =>     tile : shared f32[4, 8]
 *                           or     tile_slices : workspace f32[108, 4, 8], of 108 blocks
 *
 * In both, threads of a block see what others wrote after a barrier. Long rows are an odd number of 16
 * bytes apart, of type bf16 of 32, so that a warp reads a product's factors from different banks
 * (backend/matrix.c). */
#include "build_local.h"
#include <assert.h>
#include <string.h>

struct shape local_shared_shape(const struct buffer *local, bool pixels, int64_t tile)
{
    struct shape shape = local->shape;
    int64_t *last = &shape.dim[shape.rank - 1];
    int64_t bytes = dtype_bytes[local->dtype];
    int64_t apart = (local->dtype == DTYPE_BF16 ? 32 : 16) / bytes;
    if (bytes * *last > 32)
        *last = ((*last + apart - 1) / apart | 1) * apart;
    if (pixels) {
        memmove(shape.dim + 1, shape.dim, (MAX_RANK - 1) * sizeof *shape.dim);
        shape.dim[0] = tile;
        shape.rank++;
    }
    return shape;
}

static bool is_taken(const struct module *m, const char *name)
{
    const struct buffer *buffer = m->buffers;
    while (buffer && strcmp(buffer->name, name) != 0)
        buffer = buffer->next;
    return buffer != NULL;
}

/* A name that no buffer of the module has. */
static const char *slices_name(struct module *m, const struct buffer *local)
{
    const char *name = NULL;
    for (int number = 0; !name || is_taken(m, name); number++)
        name = number ? arena_printf(m->arena, "%s_slices%d", local->name, number)
                      : arena_printf(m->arena, "%s_slices", local->name);
    return name;
}

/* Blocks are a dimension of their own, the first, so that the verifier can tell the accesses of
 * different blocks apart. */
static struct shape slices_shape(const struct kernel_build *k, const struct buffer *local)
{
    struct shape shape = local_shared_shape(local, k->nests->pixels > 0, k->tile);
    assert(shape.rank < MAX_RANK);
    memmove(shape.dim + 1, shape.dim, (MAX_RANK - 1) * sizeof *shape.dim);
    shape.dim[0] = k->blocks;
    shape.rank++;
    return shape;
}

void local_add(struct kernel_build *k, struct buffer *local, bool in_workspace)
{
    struct module *m = k->m;
    struct local_build *made = &k->local[k->locals++];
    made->from = local;
    made->to = in_workspace ? buffer_new(m, &m->buffers, slices_name(m, local), PLACE_WORKSPACE,
                                         slices_shape(k, local))
                            : buffer_new(m, &k->to->locals, local->name, PLACE_SHARED,
                                         local_shared_shape(local, k->nests->pixels > 0, k->tile));
    made->to->dtype = local->dtype;
}
