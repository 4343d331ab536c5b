#define _GNU_SOURCE /* fopencookie */
#include "memory.h"
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static void (*on_failure)(void);

void memory_on_failure(void (*handler)(void))
{
    on_failure = handler;
}

_Noreturn void memory_fail(void)
{
    if (on_failure)
        on_failure();
    abort();
}

void *allocate(int64_t count, size_t size)
{
    void *memory = calloc(count > 0 ? (size_t)count : 1, size);
    if (!memory)
        memory_fail();
    return memory;
}

void *allocate_again(void *memory, int64_t count, size_t size)
{
    size_t elements = count > 0 ? (size_t)count : 1;
    void *more = elements > SIZE_MAX / size ? NULL : realloc(memory, elements * size);
    if (!more)
        memory_fail();
    return more;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* open_memstream drops data without an error where memory runs out. */
struct memory_text {
    char **text;
    size_t *size;
    char *data;
    size_t used, room;
};

static ssize_t append(void *context, const char *data, size_t size)
{
    struct memory_text *t = context;
    if (size >= t->room - t->used) { /* a zero follows */
        t->room = 2 * t->room + size;
        t->data = allocate_again(t->data, (int64_t)t->room, 1);
    }
    memcpy(t->data + t->used, data, size);
    t->used += size;
    return (ssize_t)size;
}

static int finish(void *context)
{
    struct memory_text *t = context;
    t->data[t->used] = 0;
    *t->text = t->data;
    *t->size = t->used;
    free(t);
    return 0;
}

FILE *memory_stream(char **text, size_t *size)
{
    enum { ROOM = 4096 };
    struct memory_text *t = allocate(1, sizeof *t);
    *t = (struct memory_text){text, size, allocate(ROOM, 1), 0, ROOM};
    FILE *stream = fopencookie(t, "w", (cookie_io_functions_t){.write = append, .close = finish});
    if (!stream)
        memory_fail();
    return stream;
}

void memory_stream_end(FILE *stream)
{
    int failed = ferror(stream);
    if (fclose(stream) != 0 || failed)
        memory_fail();
}
