/* Nests for GPUs, distributed over the threads of a block. */
#ifndef COMPILER_BUILD_THREADS_H
#define COMPILER_BUILD_THREADS_H
#include "build.h"

/* Rows and columns of a nest, from the first on. */
struct area {
    int64_t row, rows, column, columns;
};
/* All of a nest, for `tile` pixels, its columns shared by `split` blocks. */
struct area area_of_nest(const struct kernel_nest *nest, int64_t tile, int64_t split);

struct blocking {
    int rows, columns;
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
};
/* The register tiles that cover an area. */
struct blocking blocking_of_area(const struct nest_plan *plan, const struct area *area);

/* How many iterations of a reduction's innermost loop are written out in a register tile of
 * `elements` elements, so that several loads are in flight at once. */
int64_t threads_unroll(int64_t elements, int64_t extent);

/* Maps the nest's row variables and the pixel, from the number of a row among all rows of the
 * tile. */
void threads_map_row(struct nest_build *b, affine_ref row);
/* Maps the nest's column variable, if it has one. */
void threads_map_column(struct nest_build *b, affine_ref column);
/* Registers for the sums of each `unit` (the variable of a thread or warp loop); `each`: its own
 * dimensions. */
struct buffer *threads_accumulators(struct nest_build *b, struct var *unit, struct shape each);
/* The same, or those that the nest's first part made. */
struct buffer *threads_sums(struct nest_build *b, struct var *unit, struct shape each);
/* Whether a nest loads from the buffer that it stores to. Then a thread makes all its results
 * before it stores the first, so that its loads need not wait for its stores. */
bool threads_updates(struct nest_build *b);
/* Register tile number q of b->rows and b->columns, for thread b->thread; columns change
 * fastest. */
struct stmt *threads_tile(struct nest_build *b, affine_ref q);
/* The results of an area whose sums are in b->sums, after a barrier. */
struct stmt *threads_finish(struct nest_build *b, const struct area *area);
/* An area in register tiles, distributed over the threads of a block. */
struct stmt *threads_nest(struct nest_build *b, const struct area *area);

#endif
