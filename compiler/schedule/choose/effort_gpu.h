/* What nests of GPUs cost. */
#ifndef COMPILER_EFFORT_GPU_H
#define COMPILER_EFFORT_GPU_H
#include "build_threads.h"
#include "view_gpu.h"

/* The cost of a nest or a block: instructions that its threads issue, in cycles of a
 * multiprocessor; and its latency, the cycles until it ends on an otherwise idle multiprocessor. */
struct effort {
    double issue, latency;
    double bytes; /* of operands that come from L2 */
};

static inline int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

void effort_add(struct effort *sum, struct effort effort);
/* Cycles of `at_once` of them on a multiprocessor. */
double effort_cycles(struct effort effort, double at_once);

/* All register tiles of a nest of a block; all tiles of warps, and what threads do beside them. */
struct effort nest_effort(const struct view *v, int i, int64_t rows, int64_t columns,
                          int64_t threads, const struct nest_plan *plan);
struct effort matrix_effort(const struct view *v, int i, const struct area *area, int64_t threads,
                            const struct nest_plan *plan, const struct matrix_plan *matrix);

/* Of a plan whose last nest runs in blocks of terms: that nest, and the one before it where it
 * computes the rows. */
struct effort blocks_effort(const struct view *v, const struct plan *plan);

/* Blocks that the device has room for at a time; the cycles of all blocks. */
int64_t blocks_at_once(const struct view *v, int64_t threads, int64_t shared);
double device_cycles(const struct view *v, const struct plan *plan, int64_t shared,
                     struct effort block);

#endif
