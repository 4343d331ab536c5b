/* Kernels for GPUs. */
#ifndef COMPILER_BUILD_GPU_H
#define COMPILER_BUILD_GPU_H
#include "plan.h"

/* Carries a plan out: kernels for the target are appended at *at; returns where the next one
 * goes. */
struct kernel **gpu_build(const struct subject *s, const struct plan *plan, struct kernel **at);

#endif
