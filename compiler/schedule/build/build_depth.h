/* Nests whose reduction runs in blocks. */
#ifndef COMPILER_BUILD_DEPTH_H
#define COMPILER_BUILD_DEPTH_H
#include "build.h"

/* A nest whose reduction runs in blocks of plan->depth, of `rows` rows and `columns` columns. */
struct stmt *depth_nest(struct nest_build *b, int64_t rows, int64_t columns);

#endif
