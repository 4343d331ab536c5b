/* Nests whose reduction runs in blocks. */
#ifndef COMPILER_BUILD_DEPTH_H
#define COMPILER_BUILD_DEPTH_H
#include "build.h"

/* A nest whose reduction runs in blocks of plan->depth, of `rows` rows and `columns` columns. */
struct stmt *depth_nest(struct nest_build *b, int64_t rows, int64_t columns);

/* Copies the rows of a nest's factor: to [term div depth][row][term mod depth]. */
struct stmt *depth_copy_rows(struct nest_build *b, int64_t rows, int64_t depth, int64_t lanes,
                             struct buffer **copy);

#endif
