#ifndef COMPILER_PLAN_WRITE_H
#define COMPILER_PLAN_WRITE_H
#include "plan.h"

/* Gives a kernel one more schedule, which asks for that plan. */
void plan_write(struct module *m, struct kernel *kernel, const char *target,
                const struct plan *plan);

#endif
