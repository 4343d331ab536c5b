/* Kernels for GPUs that are lists of nests. */
#ifndef COMPILER_BUILD_LIST_H
#define COMPILER_BUILD_LIST_H
#include "plan.h"

/* The nests run in turn, each on the whole device. Kernels are appended at *at; returns where the
 * next one goes. */
struct kernel **list_build(const struct subject *s, const struct plan *plan, struct kernel **at);

#endif
