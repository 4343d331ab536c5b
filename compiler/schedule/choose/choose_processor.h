#ifndef COMPILER_CHOOSE_PROCESSOR_H
#define COMPILER_CHOOSE_PROCESSOR_H
#include "choose.h"

/* The plan of a kernel for a processor. */
void processor_choose(const struct subject *subject, struct plan *plan);
/* The best one with each tile. */
void processor_enumerate(const struct subject *subject, plan_visitor *visit, void *context);

#endif
