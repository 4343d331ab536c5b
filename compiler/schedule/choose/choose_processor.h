#ifndef COMPILER_CHOOSE_PROCESSOR_H
#define COMPILER_CHOOSE_PROCESSOR_H
#include "plan.h"

/* The plan of a kernel for a processor. */
void processor_choose(const struct subject *subject, struct plan *plan);

#endif
