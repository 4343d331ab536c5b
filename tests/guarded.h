/* Memory between pages that cannot be touched, for the images, output and workspace of compiled
 * models, whose accesses sanitizers do not see. */
#ifndef TESTS_GUARDED_H
#define TESTS_GUARDED_H
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded {
    unsigned char *map;
    size_t size;
    void *data;
};

/* Memory that ends right before a page that cannot be touched; there is another such page before
 * it. All NaN. */
static inline struct guarded guarded_new(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (bytes + page - 1) / page + 2;
    struct guarded g = {.size = pages * page};
    g.map = mmap(NULL, g.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + page, g.size - 2 * page, PROT_READ | PROT_WRITE))
        abort();
    memset(g.map + page, 0xff, g.size - 2 * page);
    g.data = g.map + g.size - page - bytes;
    return g;
}

static inline void guarded_free(struct guarded *g)
{
    munmap(g->map, g->size);
}

#endif
