#ifndef COMPILER_CHOOSE_LINEAR_H
#define COMPILER_CHOOSE_LINEAR_H
#include "plan.h"

/* Replaces what a plan says of a kernel that is one linear, if its weights fill much of L2, and
 * decides whether others fetch ahead. */
void linear_choose(const struct subject *subject, struct plan *plan);

#endif
