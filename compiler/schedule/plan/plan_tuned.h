#ifndef COMPILER_PLAN_TUNED_H
#define COMPILER_PLAN_TUNED_H
#include "plan.h"

/* The plan that the module's tunings have for a kernel and a target. False: they have none that is
 * allowed; those that are not are refused from now on. */
bool plan_tuned(const struct subject *subject, struct plan *plan);

#endif
