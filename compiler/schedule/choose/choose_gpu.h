#ifndef COMPILER_CHOOSE_GPU_H
#define COMPILER_CHOOSE_GPU_H
#include "plan.h"

/* The plan of a kernel for a GPU. */
void gpu_choose(const struct subject *subject, struct plan *plan);

#endif
