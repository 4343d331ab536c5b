#ifndef COMPILER_CHOOSE_LANES_H
#define COMPILER_CHOOSE_LANES_H
#include "plan.h"

/* Takes pixels as lanes for the first nests of a plan whose tile divides a line, if that is
 * cheaper; `without`: each nest's cost without lanes. Returns the cycles of a tile. */
double lanes_choose(const struct subject *subject, const double *without, struct plan *plan);

#endif
