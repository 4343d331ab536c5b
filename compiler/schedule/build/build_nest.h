/* Nests for processors. */
#ifndef COMPILER_BUILD_NEST_H
#define COMPILER_BUILD_NEST_H
#include "build.h"

/* The loops of nest number i, for the tile of a kernel. */
struct stmt *build_nest(struct kernel_build *k, int i);

#endif
