/* The commands of a schedule that change the loops made by the others. */
#ifndef COMPILER_EDIT_LOOPS_H
#define COMPILER_EDIT_LOOPS_H
#include "plan.h"

/* Carries them out on the kernels that a kernel has become. Where one is impossible, sets m->error;
 * does nothing where that is set already. */
void loops_edit(const struct subject *s, const struct schedule *schedule, struct kernel *kernels);

#endif
