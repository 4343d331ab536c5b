#ifndef COMPILER_SCHEDULES_COLLECT_H
#define COMPILER_SCHEDULES_COLLECT_H
#include "tunings.h"

/* Adds the schedules of a module after the pass `schedule`, each once; those that name loops or
 * buffers are left out. */
void schedules_collect(struct module *m, struct tunings *tunings);

#endif
