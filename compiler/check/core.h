/* What this machine's core does per second and per cycle, measured when it is needed: a virtual
 * machine may report a different processor, and clocks change. */
#ifndef COMPILER_CHECK_CORE_H
#define COMPILER_CHECK_CORE_H
#include "execute.h"

struct core_speed {
    double gflops;     /* of float32 FMAs in registers, on one thread */
    double ghz;        /* the clock meanwhile */
    int fma_per_cycle; /* vector FMAs that start in a cycle, to the nearest whole number */
};

/* Measures with vectors of the target, a processor's. Takes the best of many short tries, in
 * processor time of this thread. Errors are printed. */
enum status core_measure(const struct target *target, const struct source *source,
                         struct core_speed *speed);

#endif
