#ifndef COMPILER_PLAN_WRITE_H
#define COMPILER_PLAN_WRITE_H
#include "plan.h"

/* Adds a schedule for that plan to a kernel. */
void plan_write(struct module *m, struct kernel *kernel, const char *target,
                const struct plan *plan);

#endif
