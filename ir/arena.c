#include "arena.h"
#include "memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

struct arena {
    struct block *blocks;
};

enum { BLOCK_BYTES = 1 << 16 };

struct arena *arena_new(void)
{
    return allocate(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct block *block = arena->blocks;
    if (!block || block->size - block->used < bytes) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        /* Small pieces are zeroed one by one; the system zeroes what is used of a large one. */
        block =
            bytes > BLOCK_BYTES ? calloc(1, sizeof *block + size) : malloc(sizeof *block + size);
        if (!block)
            memory_fail();
        *block = (struct block){arena->blocks, 0, size};
        arena->blocks = block;
    }
    void *memory = block->data + block->used;
    block->used += bytes;
    return bytes > BLOCK_BYTES ? memory : memset(memory, 0, bytes);
}

void *arena_copy(struct arena *arena, const void *data, size_t bytes)
{
    void *copy = arena_alloc(arena, bytes);
    return bytes ? memcpy(copy, data, bytes) : copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
