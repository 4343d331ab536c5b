/* Shared memory of a kernel: two tiles may overlap if one is read for the last time before the
 * other is first written, with a barrier between. */
#include "plan_shared.h"
#include "loops.h"
#include <assert.h>

enum { ALIGNMENT = 64, MOST_BUFFERS = 256 };

static bool meet(const struct shared_buffer *a, const struct shared_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Gives it the lowest offset where it overlaps none of those placed already (offset >= 0). */
static void place(int count, struct shared_buffer *buffer, struct shared_buffer *one)
{
    int64_t offset = 0;
    for (int i = 0; i < count; i++) {
        const struct shared_buffer *other = &buffer[i];
        if (other == one || other->offset < 0 || !meet(one, other) ||
            other->offset + other->bytes <= offset || offset + one->bytes <= other->offset)
            continue;
        offset = (other->offset + other->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        i = -1; /* earlier ones may overlap now */
    }
    one->offset = offset;
}

int64_t shared_place(int count, struct shared_buffer *buffer)
{
    int64_t total = 0;
    for (int i = 0; i < count; i++)
        buffer[i].offset = -1;
    for (int placed = 0; placed < count; placed++) {
        struct shared_buffer *largest = NULL;
        for (int i = 0; i < count; i++)
            if (buffer[i].offset < 0 && (!largest || buffer[i].bytes > largest->bytes))
                largest = &buffer[i];
        place(count, buffer, largest);
        if (largest->offset + largest->bytes > total)
            total = largest->offset + largest->bytes;
    }
    return total;
}

/* ---- a kernel's ------------------------------------------------------------------------------ */

struct lives {
    int count, interval;
    struct buffer *of[MOST_BUFFERS];
    struct shared_buffer buffer[MOST_BUFFERS];
};

static void touch(struct lives *lives, const struct buffer *buffer)
{
    for (int i = 0; i < lives->count; i++) {
        struct shared_buffer *life = &lives->buffer[i];
        if (lives->of[i] != buffer)
            continue;
        life->first = life->first < 0 ? lives->interval : life->first;
        life->last = lives->interval;
    }
}

static void touch_load(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    touch(context, load->buffer);
}

static void touch_stores(struct lives *lives, const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR)
            touch_stores(lives, stmt->body);
        else if (stmt->kind == STMT_STORE)
            touch(lives, stmt->buffer);
}

/* Whether this is a loop over the tiles that a block takes in turn: none reads what the one before
 * left, and all threads are done with one before the next begins. */
static bool is_turns(const struct stmt *loop)
{
    const struct stmt *last = loop->body;
    while (last && last->next)
        last = last->next;
    return loop->loop == LOOP_SERIAL && !loop->next && last && last->kind == STMT_BARRIER;
}

int shared_plan(struct kernel *kernel)
{
    struct lives lives; /* of which only the counts are read */
    lives.count = lives.interval = 0;
    for (struct buffer *local = kernel->locals; local; local = local->next) {
        if (local->place != PLACE_SHARED)
            continue;
        assert(lives.count < MOST_BUFFERS);
        lives.of[lives.count] = local;
        lives.buffer[lives.count++] =
            (struct shared_buffer){.bytes = buffer_bytes(local), .first = -1, .last = -1};
    }
    struct stmt *stmt = kernel->body;
    while (stmt && stmt->kind == STMT_FOR && (stmt->loop == LOOP_BLOCK || is_turns(stmt)))
        stmt = stmt->body;
    for (; stmt; stmt = stmt->next) {
        struct stmt alone = *stmt;
        alone.next = NULL;
        lives.interval += stmt->kind == STMT_BARRIER;
        stmt_visit_loads(&alone, 1, touch_load, &lives);
        touch_stores(&lives, &alone);
    }
    shared_place(lives.count, lives.buffer);
    for (int i = 0; i < lives.count; i++)
        lives.of[i]->offset = lives.buffer[i].offset;
    return lives.count;
}
