/* Memory between pages that cannot be touched, for the images, output and workspace of compiled
 * models: an access beyond them ends the program at once. Sanitizers do not see these accesses. */
#ifndef COMPILER_GUARDED_H
#define COMPILER_GUARDED_H
#include <stddef.h>

struct guarded {
    unsigned char *map;
    size_t size;
    void *data;
};

/* Memory that ends right before a page that cannot be touched; there is another such page before
 * it. All NaN. data is NULL where there is no memory. */
struct guarded guarded_new(size_t bytes);
void guarded_free(struct guarded *guarded);

#endif
