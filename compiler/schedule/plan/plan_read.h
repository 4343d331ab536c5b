#ifndef COMPILER_PLAN_READ_H
#define COMPILER_PLAN_READ_H
#include "plan.h"

/* The plan that a schedule asks for. False: it asks for something impossible, and m->error says
 * what is allowed, with the place. */
bool plan_read(const struct subject *subject, const struct schedule *schedule, struct plan *plan);

/* The first command of a schedule that names a loop or a buffer, or NULL. */
const struct command *schedule_first_named(const struct schedule *schedule,
                                           const struct target *target);

/* The schedule of a kernel for a target, or NULL. */
struct schedule *schedule_find(const struct kernel *kernel, const char *target);

#endif
