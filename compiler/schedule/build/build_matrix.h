/* Nests for matrix units of GPUs. */
#ifndef COMPILER_BUILD_MATRIX_H
#define COMPILER_BUILD_MATRIX_H
#include "build_threads.h"

/* How many of `steps` steps, each of `products` products of 16 x 8 elements, a loop's body writes
 * out. */
int64_t matrix_unroll(int64_t products, int64_t steps);
/* The columns that follow each other in one thread's registers: 4, 2 or 1. */
int64_t matrix_lanes(int64_t columns);
/* Rows in whole fragments, and the shared memory for the sums of those that are not. */
int64_t matrix_padded(int64_t rows);
int64_t matrix_sums_bytes(const struct area *area);

/* An area of a nest: matrix units compute its whole fragments, threads the rest. */
struct stmt *matrix_nest(struct nest_build *b, const struct area *area);

#endif
