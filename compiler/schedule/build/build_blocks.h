/* Nests of GPUs whose reduction runs in blocks. */
#ifndef COMPILER_BUILD_BLOCKS_H
#define COMPILER_BUILD_BLOCKS_H
#include "build.h"

/* The shared memory that blocks of terms take: of `rows` rows and of `columns` columns. */
int64_t blocks_bytes(const struct kernel_nest *nest, bool pixels, int64_t tile, int64_t columns,
                     const struct nest_plan *plan);

/* The buffer of a kernel that holds a block's terms of its rows only; NULL: none does. */
const struct buffer *blocks_rows(const struct nests *nests, const struct plan *plan);

/* The last nests of a kernel: the last one in blocks of its plan's depth, after the one before it
 * where that computes its rows. */
struct stmt *blocks_build(struct kernel_build *k);

#endif
