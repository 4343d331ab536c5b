/* How many pixels at a time a kernel wants, and what they cost: what fusion and schedules weigh. */
#ifndef COMPILER_TILES_H
#define COMPILER_TILES_H
#include "ir.h"

/* What all tiles of a kernel may take together: they should stay in a core's L2 cache. */
enum { TILE_BYTES = 450 << 10, NEAR_TILE_BYTES = 32 << 10 /* and these in L1 */ };

/* Columns of a panel of packed weights: register tiles must not straddle two. */
enum { PANEL = 32 };
/* Nests, and buffers on the stack, that a kernel may hold. */
enum { MAX_NESTS = 64 };
/* Bytes that a kernel's pixels may keep to themselves, of a tile of more than one. */
enum { MOST_TILE_BYTES = 16 << 20 };

struct tile_need {
    int64_t bytes;  /* of stack tiles, per pixel */
    int64_t pixels; /* at a time, so that weights read from L2 or beyond serve enough rows */
};

/* Adds what a kernel needs whose first `outer` loops run over pixels. */
void tile_need_of(struct tile_need *need, const struct kernel *kernel, int outer);

/* The loops over pixels (n, y, x) of a kernel that has them, and the place of what stands in them.
 */
bool kernel_pixels(const struct kernel *kernel, struct var **pixel, struct stmt ***nests);

#endif
