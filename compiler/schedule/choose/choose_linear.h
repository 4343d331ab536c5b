#ifndef COMPILER_CHOOSE_LINEAR_H
#define COMPILER_CHOOSE_LINEAR_H
#include "plan.h"

/* Replaces the plan of a kernel with one linear, if its weights fill much of L2; for other kernels
 * decides whether they prefetch. */
void linear_choose(const struct subject *subject, struct plan *plan);

#endif
