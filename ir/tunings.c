#include "tunings.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

struct tunings *tunings_new(const char *file)
{
    struct tunings *tunings = allocate(1, sizeof *tunings);
    tunings->memory = module_new();
    tunings->file = file;
    tunings->end = &tunings->first;
    tunings->last.arena = tunings->memory->arena;
    return tunings;
}

void tunings_free(struct tunings *tunings)
{
    if (!tunings)
        return;
    module_free(tunings->memory);
    free(tunings->refused);
    free(tunings);
}

/* A string holds no newline. */
static char *key_of(const char *signature, const char *target)
{
    size_t length = strlen(signature), size = length + strlen(target) + 2;
    char *key = allocate((int64_t)size, 1);
    snprintf(key, size, "%s\n%s", signature, target);
    return key;
}

static struct name_entry *entry_of(const struct tunings *tunings, const char *signature,
                                   const char *target)
{
    char *key = key_of(signature, target);
    struct name_entry *entry = names_find(&tunings->last, key, strlen(key));
    free(key);
    return entry;
}

struct tuning *tunings_add(struct tunings *tunings, const char *signature,
                           struct schedule *schedule)
{
    struct arena *arena = tunings->memory->arena;
    struct tuning *tuning = ARENA_NEW(arena, struct tuning);
    *tuning = (struct tuning){.signature = signature, .schedule = schedule};
    *tunings->end = tuning;
    tunings->end = &tuning->next;
    struct name_entry *entry = entry_of(tunings, signature, schedule->target);
    if (entry) {
        tuning->before = entry->value;
        entry->value = tuning;
        return tuning;
    }
    const char *key = arena_printf(arena, "%s\n%s", signature, schedule->target);
    names_add(&tunings->last, key, strlen(key), tuning);
    return tuning;
}

struct tuning *tunings_find(const struct tunings *tunings, const char *signature,
                            const char *target)
{
    struct name_entry *entry = entry_of(tunings, signature, target);
    return entry ? entry->value : NULL;
}

void tunings_refuse(struct tunings *tunings, struct tuning *tuning, const struct error *why)
{
    struct error *kept = arena_copy(tunings->memory->arena, why, sizeof *why);
    struct name_entry *entry = entry_of(tunings, tuning->signature, tuning->schedule->target);
    kept->file = tunings->file;
    tuning->refused = kept;
    if (entry && entry->value == tuning)
        entry->value = tuning->before;
    tunings->refused =
        allocate_again(tunings->refused, tunings->refusals + 1, sizeof(struct tuning *));
    tunings->refused[tunings->refusals++] = tuning;
}
