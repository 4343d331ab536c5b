/* Chooses plans. */
#ifndef COMPILER_CHOOSE_H
#define COMPILER_CHOOSE_H
#include "names.h"
#include "plan.h"

/* The plan that is estimated to take a kernel the least time on a target. */
void plan_choose(const struct subject *subject, struct plan *plan);
/* The same, but kernels that compute the same share one choice: `chosen` has those of the module so
 * far. At first it is empty but for the module's arena. */
void plan_choose_once(const struct subject *subject, struct names *chosen, struct plan *plan);

/* Gets a plan and its estimated cycles, which compare with those of the same call alone. */
typedef void plan_visitor(void *context, const struct plan *plan, double cycles);

/* Shows the plans that are considered for a kernel on a processor. */
void plan_enumerate(const struct subject *subject, plan_visitor *visit, void *context);

#endif
