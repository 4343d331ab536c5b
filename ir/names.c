#include "names.h"
#include <stdint.h>
#include <string.h>

static size_t hash_of(const char *name, size_t length)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
    return (size_t)(hash ^ hash >> 32);
}

/* The entry of that name, or the free one where it belongs. */
static struct name_entry *slot_of(const struct names *names, const char *name, size_t length)
{
    size_t mask = names->capacity - 1;
    for (size_t i = hash_of(name, length) & mask;; i = (i + 1) & mask) {
        struct name_entry *entry = &names->entry[i];
        if (!entry->name || (entry->length == length && memcmp(entry->name, name, length) == 0))
            return entry;
    }
}

struct name_entry *names_find(const struct names *names, const char *name, size_t length)
{
    if (!names->count)
        return NULL;
    struct name_entry *entry = slot_of(names, name, length);
    return entry->name ? entry : NULL;
}

static void names_grow(struct names *names)
{
    struct names old = *names;
    names->capacity = old.capacity ? 2 * old.capacity : 16;
    names->entry = arena_alloc(names->arena, names->capacity * sizeof *names->entry);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entry[i].name)
            *slot_of(names, old.entry[i].name, old.entry[i].length) = old.entry[i];
}

bool names_add(struct names *names, const char *name, size_t length, void *value)
{
    if (2 * names->count >= names->capacity)
        names_grow(names);
    struct name_entry *entry = slot_of(names, name, length);
    if (entry->name)
        return false;
    *entry = (struct name_entry){name, length, value};
    names->count++;
    return true;
}
