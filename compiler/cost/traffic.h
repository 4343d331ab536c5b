/* Bytes that kernels move. */
#ifndef COMPILER_TRAFFIC_H
#define COMPILER_TRAFFIC_H
#include "ir.h"

/* Bytes that a kernel moves between its registers and tiles and the tensors and weights. */
struct kernel_traffic {
    const char *name, *label; /* label: the layers it computes; or NULL */
    int64_t read, written;
};

struct traffic {
    int count;
    struct kernel_traffic *kernel; /* in the order they run */
    int64_t read, written;
};

/* Counts the loop form of a target, for a whole batch: what a kernel reads of a buffer counts once,
 * as if a cache kept it until the kernel ends, and so does what it writes (work_footprint). Names
 * belong to the module. Free with traffic_free. */
void module_traffic(const struct module *module, const char *target, struct traffic *traffic);
void traffic_free(struct traffic *traffic);

#endif
