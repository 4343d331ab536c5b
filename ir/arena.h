#ifndef IR_ARENA_H
#define IR_ARENA_H
#include <stddef.h>

/* Memory that is freed all at once. A module owns one; whatever the module points to lives in it.
 * Where there is none left, the program ends: memory.h. */
struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t bytes); /* zeroed, aligned to 16 bytes */
void *arena_copy(struct arena *arena, const void *data, size_t bytes);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define ARENA_NEW(arena, type) ((type *)arena_alloc(arena, sizeof(type)))

#endif
