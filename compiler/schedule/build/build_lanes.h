/* Nests whose columns are pixels. */
#ifndef COMPILER_BUILD_LANES_H
#define COMPILER_BUILD_LANES_H
#include "build.h"

/* What a load is in such a nest: of a table by classes of pixels, a load of lines. */
const struct expr *lanes_load(struct nest_build *b, const struct expr *load);

#endif
