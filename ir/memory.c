#include "memory.h"
#include <stdlib.h>

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

FILE *memory_stream(char **text, size_t *size)
{
    FILE *stream = open_memstream(text, size);
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
