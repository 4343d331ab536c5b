/* Gives every workspace buffer an offset, such that buffers that hold data at the same time do not
 * overlap, every stack tile one in its worker's scratch, and every shared tile one in its block's
 * memory (plan_shared.c). What GPUs use of the weights gets offsets too. Targets share one plan: a
 * model runs one of them at a time.
 *
 * Largest first, each at the lowest offset where it overlaps no buffer that lives at the same time.
 */
#include "plan_shared.h"
#include "target.h"
#include "touches.h"
#include <stdlib.h>
#include <string.h>

pass_function plan_memory;

enum { ALIGNMENT = 64, GPU_LINE = 128 /* bytes that a warp's load takes at a time */ };

/* Kernels, by number among its target's, from the first store to the last read. A buffer that a
 * target does not store to lives from -1 on, before the first. */
struct life {
    struct buffer *buffer;
    int64_t bytes;
    int first[MAX_TARGETS], last[MAX_TARGETS];
    const struct life *met; /* the last one for which this one was found to be in the way */
};

/* In a list of those that live when a certain kernel runs. */
struct alive {
    struct life *life;
    struct alive *next;
};

struct planning {
    struct module *m;
    struct arena *scratch;
    int kernels;
    int *number[MAX_TARGETS];          /* of a kernel among its target's; -1: runs on others */
    struct alive **alive[MAX_TARGETS]; /* those placed, by 1 + kernel among the target's */
    struct life **near;                /* those in the way, while one is placed */
};

static int64_t aligned(int64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void number_kernels(struct planning *p)
{
    for (const struct kernel *k = p->m->kernels; k; k = k->next)
        p->kernels++;
    for (int i = 0; i < p->m->targets; i++) {
        int count = 0;
        size_t slots = (size_t)p->kernels + 1;
        p->number[i] = arena_alloc(p->scratch, slots * sizeof *p->number[i]);
        p->alive[i] = arena_alloc(p->scratch, slots * sizeof *p->alive[i]);
        for (const struct kernel *k = p->m->kernels; k; k = k->next) {
            bool runs = !k->target || strcmp(k->target, p->m->target[i]) == 0;
            p->number[i][k->number] = runs ? count++ : -1;
        }
    }
}

static void find_life(const struct planning *p, struct life *life, int target)
{
    int *first = &life->first[target], *last = &life->last[target];
    *first = *last = -1;
    for (const struct touch *touch = life->buffer->touches; touch; touch = touch->next) {
        int number = p->number[target][touch->kernel->number];
        if (number >= 0 && touch->stores && (*first < 0 || number < *first))
            *first = number;
        if ((touch->stores || touch->loads) && number > *last)
            *last = number;
    }
}

static int by_size(const void *a, const void *b)
{
    const struct life *p = a, *q = b;
    if (p->bytes != q->bytes)
        return p->bytes > q->bytes ? -1 : 1;
    return strcmp(p->buffer->name, q->buffer->name);
}

static int by_offset(const void *a, const void *b)
{
    const struct life *const *p = a, *const *q = b;
    int64_t left = (*p)->buffer->offset, right = (*q)->buffer->offset;
    return (left > right) - (left < right);
}

/* Lists those placed that live at the same time, each once. */
static int find_near(struct planning *p, const struct life *life)
{
    int count = 0;
    for (int i = 0; i < p->m->targets; i++)
        for (int at = life->first[i]; at <= life->last[i]; at++)
            for (const struct alive *alive = p->alive[i][at + 1]; alive; alive = alive->next)
                if (alive->life->met != life) {
                    alive->life->met = life;
                    p->near[count++] = alive->life;
                }
    return count;
}

/* At the lowest offset where it meets none of those placed before. */
static void place(struct planning *p, struct life *life)
{
    int64_t offset = 0;
    int count = find_near(p, life);
    qsort(p->near, (size_t)count, sizeof *p->near, by_offset);
    for (int i = 0; i < count; i++) {
        int64_t begin = p->near[i]->buffer->offset, end = begin + p->near[i]->bytes;
        if (offset < end && begin < offset + life->bytes)
            offset = end;
    }
    life->buffer->offset = offset;
    for (int i = 0; i < p->m->targets; i++)
        for (int at = life->first[i]; at <= life->last[i]; at++) {
            struct alive *alive = ARENA_NEW(p->scratch, struct alive);
            *alive = (struct alive){life, p->alive[i][at + 1]};
            p->alive[i][at + 1] = alive;
        }
    if (offset + life->bytes > p->m->workspace_bytes)
        p->m->workspace_bytes = offset + life->bytes;
}

static int plan_workspace(struct module *m)
{
    struct planning p = {.m = m, .scratch = arena_new()};
    int count = 0, found = 0;
    touches_index(m);
    number_kernels(&p);
    for (struct buffer *b = m->buffers; b; b = b->next)
        count += b->place == PLACE_WORKSPACE;
    struct life *life = arena_alloc(p.scratch, (size_t)count * sizeof *life);
    p.near = arena_alloc(p.scratch, (size_t)count * sizeof *p.near);
    for (struct buffer *b = m->buffers; b; b = b->next)
        if (b->place == PLACE_WORKSPACE) {
            life[found].buffer = b;
            life[found].bytes = aligned(buffer_bytes(b));
            for (int i = 0; i < m->targets; i++)
                find_life(&p, &life[found], i);
            found++;
        }
    qsort(life, (size_t)count, sizeof *life, by_size);
    for (int i = 0; i < count; i++)
        place(&p, &life[i]);
    arena_free(p.scratch);
    return count;
}

static int plan_scratch(struct module *m, struct kernel *kernel)
{
    int changes = 0;
    int64_t offset = 0;
    for (struct buffer *local = kernel->locals; local; local = local->next)
        if (local->place == PLACE_STACK) {
            local->offset = offset;
            offset += aligned(buffer_bytes(local));
            changes++;
        }
    if (offset > m->scratch_bytes)
        m->scratch_bytes = offset;
    return changes;
}

static const struct gpu *gpu_of(const char *target)
{
    const struct target *found = target ? target_find(target, NULL) : NULL;
    return found ? found->gpu : NULL;
}

static bool gpu_runs(const struct kernel *kernel)
{
    return !kernel->target || gpu_of(kernel->target);
}

/* Weights that GPUs use are laid out in one block, in the order in which kernels use them, so that
 * those of two kernels that do the same lie alike; an x86's are single constants of the object.
 * Each begins a line, or every row of a panel would lie in two. */
static int plan_weights(struct module *m)
{
    int64_t end = 0;
    int changes = 0;
    touches_index(m);
    for (struct buffer *b = m->buffers; b; b = b->next)
        if (b->place == PLACE_WEIGHTS)
            b->offset = -1;
    for (const struct kernel *k = m->kernels; k; k = k->next)
        for (struct touch *t = gpu_runs(k) ? k->touches : NULL; t; t = t->of_kernel)
            if (t->buffer->place == PLACE_WEIGHTS && t->buffer->offset < 0) {
                t->buffer->offset = end;
                end += (buffer_bytes(t->buffer) + GPU_LINE - 1) / GPU_LINE * GPU_LINE;
                changes++;
            }
    return changes;
}

static void check_shared(struct module *m, const struct kernel *kernel)
{
    const struct gpu *gpu = gpu_of(kernel->target);
    int64_t bytes = kernel_launch(kernel).shared_bytes,
            most = gpu ? gpu->shared_bytes : MOST_SHARED;
    if (bytes <= most)
        return;
    struct location at = kernel->at;
    for (const struct buffer *local = kernel->locals; local; local = local->next)
        if (local->place == PLACE_SHARED && local->at.line > at.line)
            at = local->at; /* the last one that a person placed */
    module_fail(m, at, "kernel %s: %lld bytes of shared memory, %s has %lld for a block",
                kernel->name, (long long)bytes, kernel->target, (long long)most);
}

int plan_memory(struct module *m)
{
    int changes = plan_workspace(m);
    for (struct kernel *kernel = m->kernels; kernel && !m->error; kernel = kernel->next) {
        changes += plan_scratch(m, kernel) + shared_plan(kernel);
        check_shared(m, kernel);
    }
    for (int i = 0; i < m->targets; i++)
        if (gpu_of(m->target[i]))
            return changes + plan_weights(m);
    return changes;
}
