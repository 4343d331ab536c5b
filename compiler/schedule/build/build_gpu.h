/* Kernels for GPUs. */
#ifndef COMPILER_BUILD_GPU_H
#define COMPILER_BUILD_GPU_H
#include "build_threads.h"

/* The sums of an area's parts, in shared memory. */
struct shape parts_shape(const struct area *area, int64_t parts);

/* Carries a plan out: kernels for the target are appended at *at; returns where the next one
 * goes. */
struct kernel **gpu_build(const struct subject *s, const struct plan *plan, struct kernel **at);

#endif
