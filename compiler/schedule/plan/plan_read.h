#ifndef COMPILER_PLAN_READ_H
#define COMPILER_PLAN_READ_H
#include "plan.h"

/* What a schedule asks for. False: it asks for what cannot be, and m->error says what is allowed,
 * and where. */
bool plan_read(const struct subject *subject, const struct schedule *schedule, struct plan *plan);

/* The schedule of a kernel for a target, or NULL. */
struct schedule *schedule_find(const struct kernel *kernel, const char *target);

#endif
