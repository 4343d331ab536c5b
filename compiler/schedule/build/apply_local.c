/* What the nests of a kernel hand on to each other on a GPU: buffers of the stack, which hold a pixel
 * each, become buffers in shared memory that hold all of a block's, or slices of the workspace:
 *
 *   tile : stack f32[8]     =>     tile : shared f32[4, 8]
 *                           or     tile_slices : workspace f32[108, 4, 8], of 108 blocks
 *
 * Threads of a block see what others wrote to either behind a barrier. */
#include "apply_gpu.h"
#include <assert.h>
#include <string.h>

bool gpu_places_in_workspace(const struct target *target, const struct command *command)
{
    return target->gpu && strcmp(command->word, "place") == 0 && command->operands == 2 &&
           strcmp(command->operand[1], place_name[PLACE_WORKSPACE]) == 0;
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

/* Blocks in front, by themselves: what one writes and reads can then be told apart from what others do. */
static struct shape slices_shape(const struct device *d, const struct buffer *local)
{
    struct shape shape = gpu_local_shape(local, d->pixels > 0, d->tile);
    assert(shape.rank < MAX_RANK);
    memmove(shape.dim + 1, shape.dim, (MAX_RANK - 1) * sizeof *shape.dim);
    shape.dim[0] = d->blocks;
    shape.rank++;
    return shape;
}

void gpu_add_local(struct device *d, struct buffer *local, bool memory)
{
    struct module *m = d->m;
    assert(d->locals < 2 * MAX_STAGES_OF_KERNEL);
    int i = d->locals++;
    d->local[i].from = local;
    d->local[i].to = memory ? buffer_new(m, &m->buffers, slices_name(m, local), PLACE_WORKSPACE,
                                         slices_shape(d, local))
                            : buffer_new(m, &d->to->locals, local->name, PLACE_SHARED,
                                         gpu_local_shape(local, d->pixels > 0, d->tile));
}

struct buffer *gpu_local_index(const struct building *b, struct buffer *buffer,
                               const affine_ref *from, affine_ref *to)
{
    const struct device *d = b->d;
    int i = 0, front = 0;
    while (i < d->locals && d->local[i].from != buffer)
        i++;
    bool local = i < d->locals;
    if (local && d->local[i].to->place == PLACE_WORKSPACE)
        to[front++] = d->block;
    if (local && d->pixels)
        to[front++] = b->p;
    memcpy(to + front, from, (size_t)buffer->shape.rank * sizeof *to);
    return local ? d->local[i].to : buffer;
}
