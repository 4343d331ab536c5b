/* Prefetches of nests for processors. */
#ifndef COMPILER_BUILD_FETCH_H
#define COMPILER_BUILD_FETCH_H
#include "build_tile.h"

/* The number, from groups.base on, of the block that follows block number `block` of a group of
 * `count`. After a group's last block comes the next group's first, after the very last the first.
 */
affine_ref fetch_next_block(const struct nest_build *b, affine_ref block, int64_t count);

/* A block of weights to fetch, `depth` from k on and `columns` from `column` on, in `steps` steps;
 * `step` is the current one. */
struct ahead {
    affine_ref k, column, step;
    int64_t depth, columns, steps;
};

/* Prefetches a nest's weights in one step; prefetches what the nest's sums are added to, in the
 * rows from `origin` on. NULL: there is nothing to fetch. */
struct stmt *fetch_weights(struct nest_build *b, const struct ahead *next);
struct stmt *fetch_operands(struct nest_build *b, const struct origin *origin, int64_t rows,
                            int64_t columns);

#endif
