/* For programs that compile many models: memory that is freed stays with the process. By default it
 * goes back to the system whenever a model is done, and each of its pages is cleared anew for the
 * next one, which took an eighth of the time. */
#ifndef KEEP_MEMORY_H
#define KEEP_MEMORY_H
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static inline void keep_memory(void)
{
#ifdef __GLIBC__
    enum { MAPPED_BYTES = 32 << 20, GROWN_BYTES = 16 << 20, KEPT_BYTES = 256 << 20 };
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    mallopt(M_TOP_PAD, GROWN_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

#endif
