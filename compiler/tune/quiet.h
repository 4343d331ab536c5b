/* Whether the core is undisturbed. A neighbour on the same core, as virtual machines and
 * hyper-threads have them, takes up to half of it without any processor time being missing. */
#ifndef COMPILER_QUIET_H
#define COMPILER_QUIET_H
#include <stdbool.h>

struct quiet {
    double least; /* seconds of the shortest probe so far */
};

/* Probes for a while, so that `least` is that of a quiet core. */
void quiet_begin(struct quiet *quiet);

/* A few microseconds of additions, as many at once as a core can do: whether they take no longer
 * than when it was quiet. Always true where there is no such loop. */
bool quiet_now(struct quiet *quiet);

/* Waits for a quiet moment, a few milliseconds at most. */
bool quiet_wait(struct quiet *quiet);

#endif
