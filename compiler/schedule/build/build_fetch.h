/* Prefetches of nests for processors. */
#ifndef COMPILER_BUILD_FETCH_H
#define COMPILER_BUILD_FETCH_H
#include "build_tile.h"

/* Number, from groups.base on, of the block that follows number `block` of the group's `count`:
 * after the last comes the next group's first, after the last group's the first of all. */
affine_ref fetch_next_block(const struct nest_build *b, affine_ref block, int64_t count);

/* A block of weights to fetch, `depth` from k on and `columns` from `column` on, in `steps` steps,
 * of which `step` is at hand. */
struct ahead {
    affine_ref k, column, step;
    int64_t depth, columns, steps;
};

/* Prefetches of a nest's weights in one step, and of what of the rows from `origin` on its sums are
 * added to. NULL: there is nothing to fetch. */
struct stmt *fetch_weights(struct nest_build *b, const struct ahead *next);
struct stmt *fetch_operands(struct nest_build *b, const struct origin *origin, int64_t rows,
                            int64_t columns);

#endif
