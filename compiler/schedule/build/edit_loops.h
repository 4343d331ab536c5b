/* The commands of a schedule that change the loops which the others make. */
#ifndef COMPILER_EDIT_LOOPS_H
#define COMPILER_EDIT_LOOPS_H
#include "plan.h"

/* Carries them out on the kernels that a kernel has become. Where one cannot be, m->error says why;
 * where that is said already, nothing is done. */
void loops_edit(const struct subject *s, const struct schedule *schedule, struct kernel *kernels);

#endif
