/* A map from names to pointers. */
#ifndef IR_NAMES_H
#define IR_NAMES_H
#include "arena.h"
#include <stdbool.h>

struct name_entry {
    const char *name; /* NULL: free */
    size_t length;
    void *value;
};

/* Zero-initialised but for its arena. */
struct names {
    struct arena *arena;
    size_t count, capacity;
    struct name_entry *entry;
};

/* NULL: not there. The pointer is good until the next names_add. */
struct name_entry *names_find(const struct names *names, const char *name, size_t length);
/* False: the name is taken. `name` is not copied. */
bool names_add(struct names *names, const char *name, size_t length, void *value);

#endif
