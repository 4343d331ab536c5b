/* Gives every workspace buffer an offset, such that buffers that hold data at the same time do not
 * overlap, and every stack tile one in its worker's scratch. Targets share one plan: a model runs
 * one of them at a time.
 *
 * Largest first, each at the lowest offset where no buffer that lives at the same time is in the
 * way. */
#include "loops.h"
#include "passes.h"
#include "tiles.h"
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* Kernels, by number among its target's, from the first store to the last read. */
struct life {
    struct buffer *buffer;
    int64_t bytes;
    int first[MAX_TARGETS], last[MAX_TARGETS];
};

static int64_t aligned(int64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool runs_on(const struct kernel *kernel, const char *target)
{
    return !kernel->target || strcmp(kernel->target, target) == 0;
}

static void find_life(const struct module *m, struct life *life, int target)
{
    int number = 0;
    life->first[target] = life->last[target] = -1;
    for (const struct kernel *k = m->kernels; k; k = k->next) {
        if (!runs_on(k, m->target[target]))
            continue;
        if (life->first[target] < 0 && stmt_count_stores(k->body, life->buffer))
            life->first[target] = number;
        if (stmt_count_stores(k->body, life->buffer) || kernel_count_reads(k, life->buffer))
            life->last[target] = number;
        number++;
    }
}

static bool meet(const struct life *a, const struct life *b, int targets)
{
    for (int i = 0; i < targets; i++)
        if (a->first[i] <= b->last[i] && b->first[i] <= a->last[i])
            return true;
    return false;
}

static int by_size(const void *a, const void *b)
{
    const struct life *p = a, *q = b;
    if (p->bytes != q->bytes)
        return p->bytes > q->bytes ? -1 : 1;
    return strcmp(p->buffer->name, q->buffer->name);
}

/* The lowest offset at which `life` meets none of those placed before it. */
static int64_t lowest_offset(const struct life *placed, int count, const struct life *life,
                             int targets)
{
    int64_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            int64_t begin = placed[i].buffer->offset, end = begin + placed[i].bytes;
            if (offset < end && begin < offset + life->bytes && meet(&placed[i], life, targets)) {
                offset = end;
                moved = true;
            }
        }
    }
    return offset;
}

static int plan_workspace(struct module *m)
{
    int count = 0, planned = 0;
    for (struct buffer *b = m->buffers; b; b = b->next)
        count += b->place == PLACE_WORKSPACE;
    struct life *life = calloc((size_t)count + 1, sizeof *life);
    if (!life)
        abort();
    for (struct buffer *b = m->buffers; b; b = b->next)
        if (b->place == PLACE_WORKSPACE) {
            life[planned].buffer = b;
            life[planned].bytes = aligned(shape_elements(&b->shape) * 4);
            for (int i = 0; i < m->targets; i++)
                find_life(m, &life[planned], i);
            planned++;
        }
    qsort(life, (size_t)count, sizeof *life, by_size);
    for (int i = 0; i < count; i++) {
        int64_t offset = lowest_offset(life, i, &life[i], m->targets);
        life[i].buffer->offset = offset;
        if (offset + life[i].bytes > m->workspace_bytes)
            m->workspace_bytes = offset + life[i].bytes;
    }
    free(life);
    return count;
}

static int plan_scratch(struct module *m, struct kernel *kernel)
{
    int changes = 0;
    int64_t offset = 0;
    for (struct buffer *local = kernel->locals; local; local = local->next)
        if (local->place == PLACE_STACK) {
            local->offset = offset;
            offset += aligned(shape_elements(&local->shape) * 4);
            changes++;
        }
    if (offset > m->scratch_bytes)
        m->scratch_bytes = offset;
    return changes;
}

int plan_memory(struct module *m)
{
    int changes = plan_workspace(m);
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        changes += plan_scratch(m, kernel);
    return changes;
}
