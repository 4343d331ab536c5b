/* Buffers of a GPU's kernel that are private to a block. */
#ifndef COMPILER_BUILD_LOCAL_H
#define COMPILER_BUILD_LOCAL_H
#include "build.h"

/* The shape of a buffer in shared memory: rows are an odd number of 16 bytes apart, so that eight
 * neighbouring rows lie in different banks. */
struct shape local_shared_shape(const struct buffer *local, bool pixels, int64_t tile);

/* Replaces a local buffer of a kernel by one for a tile: in shared memory, or in the workspace with
 * a slice for each block. */
void local_add(struct kernel_build *k, struct buffer *local, bool in_workspace);

#endif
