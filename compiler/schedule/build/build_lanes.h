/* Nests whose columns are pixels. */
#ifndef COMPILER_BUILD_LANES_H
#define COMPILER_BUILD_LANES_H
#include "build.h"

/* Rewrites a load in such a nest: one of a table by classes of pixels becomes a load of lines. */
const struct expr *lanes_load(struct nest_build *b, const struct expr *load);

#endif
