#ifndef COMPILER_CHOOSE_LINEAR_H
#define COMPILER_CHOOSE_LINEAR_H
#include "choose.h"

/* Replaces the plan of a kernel with one linear, if its weights fill much of L2; for other kernels
 * decides whether they prefetch. */
void linear_choose(const struct subject *subject, struct plan *plan);
/* All that is considered for the linear of a kernel with one, however large its weights are; what
 * is chosen says the rest of the plans. */
void linear_enumerate(const struct subject *subject, const struct plan *chosen, plan_visitor *visit,
                      void *context);

#endif
