/* Chooses plans. */
#ifndef COMPILER_CHOOSE_H
#define COMPILER_CHOOSE_H
#include "plan.h"

/* The plan that is estimated to take a kernel the least time on a target. */
void plan_choose(const struct subject *subject, struct plan *plan);

#endif
