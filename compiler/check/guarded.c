#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "guarded.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded guarded_new(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (bytes + page - 1) / page + 2;
    struct guarded g = {.size = pages * page};
    g.map = mmap(NULL, g.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED)
        return (struct guarded){0};
    if (mprotect(g.map + page, g.size - 2 * page, PROT_READ | PROT_WRITE) != 0) {
        munmap(g.map, g.size);
        return (struct guarded){0};
    }
    memset(g.map + page, 0xff, g.size - 2 * page);
    g.data = g.map + g.size - page - bytes;
    return g;
}

void guarded_free(struct guarded *guarded)
{
    if (guarded->map)
        munmap(guarded->map, guarded->size);
}
