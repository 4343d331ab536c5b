/* Buffers at the same bytes are never in use at once. A buffer of the workspace is in use from the
 * first kernel that touches it to the last; a tile in the scratch is in use likewise among the
 * statements of the innermost loop that has all of its accesses, since every iteration writes what
 * it reads (verify_flow.c). */
#include "verify_lives.h"
#include <stdlib.h>
#include <string.h>

/* From and to: kernels, or positions of statements. */
struct life {
    const struct buffer *buffer;
    int first, last;
};

static int by_first(const void *a, const void *b)
{
    const struct life *p = a, *q = b;
    if (p->first != q->first)
        return p->first < q->first ? -1 : 1;
    return strcmp(p->buffer->name, q->buffer->name);
}

static bool share_bytes(const struct buffer *a, const struct buffer *b)
{
    return a->offset < b->offset + buffer_bytes(b) &&
           b->offset < a->offset + buffer_bytes(a);
}

/* Compares each life, in the order they begin, with those that have not ended. */
static bool verify_lives(struct verifier *verifier, struct life *life, int count)
{
    int alive = 0;
    if (!count) /* life may be NULL */
        return true;
    const struct life **at = arena_alloc(verifier->scratch, (size_t)count * sizeof *at);
    qsort(life, (size_t)count, sizeof *life, by_first);
    for (int i = 0; i < count; i++) {
        int kept = 0;
        for (int j = 0; j < alive; j++)
            if (at[j]->last >= life[i].first)
                at[kept++] = at[j];
        for (int j = 0; j < kept; j++)
            if (share_bytes(at[j]->buffer, life[i].buffer)) {
                verifier->at = life[i].buffer->at;
                return wrong(verifier, "buffers %s and %s share memory and are in use at once",
                             at[j]->buffer->name, life[i].buffer->name);
            }
        at[kept] = &life[i];
        alive = kept + 1;
    }
    return true;
}

/* ---- tiles --------------------------------------------------------------------------------- */

const struct scope *scope_around(const struct usage *usage)
{
    const struct scope *common = usage->first->in;
    for (const struct access *access = usage->first->next; access; access = access->next) {
        const struct scope *in = access->in;
        while (in != common) {
            const struct scope **deeper = in->depth > common->depth ? &in : &common;
            *deeper = (*deeper)->up;
        }
    }
    return common;
}

static struct life life_of(const struct usage *usage)
{
    const struct scope *common = scope_around(usage);
    struct life life = {usage->buffer, usage->first->at, usage->first->at};
    for (const struct access *access = usage->first; access; access = access->next) {
        int first = access->at, last = access->at;
        for (const struct scope *in = access->in; in != common; in = in->up) {
            first = in->begin;
            last = in->end;
        }
        life.first = first < life.first ? first : life.first;
        life.last = last > life.last ? last : life.last;
    }
    return life;
}

/* Shared memory is in use until all threads have met at a barrier. In a loop that has none after
 * the last access, it is still in use at the beginning of the next iteration. */
static void wait_for_threads(struct life *life, const struct flow *flow, const struct usage *usage)
{
    int met = INT32_MAX;
    for (const struct barrier *barrier = flow->barriers; barrier; barrier = barrier->next)
        if (barrier->at > life->last)
            met = barrier->at;
    for (const struct scope *scope = scope_around(usage); scope->up && met > scope->end;
         scope = scope->up)
        if (scope->loop->loop != LOOP_BLOCK)
            life->first = scope->begin;
    life->last = met;
}

/* Those in one memory, the scratch or what a block shares. */
static bool verify_tiles_in(struct verifier *verifier, const struct flow *flow, enum place place)
{
    int count = 0;
    for (const struct usage *usage = flow->locals; usage; usage = usage->next)
        count++;
    struct life *life = arena_alloc(verifier->scratch, (size_t)count * sizeof *life);
    count = 0;
    for (const struct usage *usage = flow->locals; usage; usage = usage->next) {
        if (usage->buffer->place != place || usage->buffer->offset < 0)
            continue;
        life[count] = life_of(usage);
        if (place == PLACE_SHARED)
            wait_for_threads(&life[count], flow, usage);
        count++;
    }
    return verify_lives(verifier, life, count);
}

bool verify_tiles(struct verifier *verifier, const struct flow *flow)
{
    return verify_tiles_in(verifier, flow, PLACE_STACK) &&
           verify_tiles_in(verifier, flow, PLACE_SHARED);
}

/* ---- workspace ------------------------------------------------------------------------------- */

struct lives {
    struct arena *arena;
    struct names of; /* by the bytes of a buffer's address */
    int count, room;
    struct life *life;
};

static void add_life(struct lives *lives, const struct usage *usage, int kernel)
{
    const struct name_entry *found =
        names_find(&lives->of, (const char *)&usage->buffer, sizeof usage->buffer);
    if (found) {
        lives->life[(intptr_t)found->value].last = kernel;
        return;
    }
    if (lives->count == lives->room) {
        struct life *old = lives->life;
        lives->room = 2 * lives->room + 64;
        lives->life = arena_alloc(lives->arena, (size_t)lives->room * sizeof *old);
        for (int i = 0; i < lives->count; i++)
            lives->life[i] = old[i];
    }
    names_add(&lives->of, (const char *)&usage->buffer, sizeof usage->buffer,
              (void *)(intptr_t)lives->count);
    lives->life[lives->count++] = (struct life){usage->buffer, kernel, kernel};
}

bool flow_runs_on(const struct flow *flow, const char *target)
{
    return !target || !flow->kernel->target || strcmp(flow->kernel->target, target) == 0;
}

bool verify_workspace(struct verifier *verifier, const struct flow *flows, const char *target)
{
    int kernel = 0;
    struct lives lives = {.arena = verifier->scratch, .of = {.arena = verifier->scratch}};
    for (const struct flow *flow = flows; flow; flow = flow->next, kernel++)
        if (flow_runs_on(flow, target))
            for (const struct usage *usage = flow->globals; usage; usage = usage->next)
                if (usage->buffer->place == PLACE_WORKSPACE && usage->buffer->offset >= 0)
                    add_life(&lives, usage, kernel);
    return verify_lives(verifier, lives.life, lives.count);
}
