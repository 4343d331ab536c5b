/* How many pixels at a time a kernel needs and what they cost, for fusion and schedules. */
#ifndef COMPILER_TILES_H
#define COMPILER_TILES_H
#include "ir.h"

/* The most bytes of all tiles of a kernel together: they should stay in a core's L2 cache. */
enum { TILE_BYTES = 450 << 10, NEAR_TILE_BYTES = 32 << 10 /* and so that they stay in L1 */ };

/* Columns of a panel of packed weights: register tiles must not straddle two. */
enum { PANEL = 32 };
/* Nests, and buffers on the stack, that a kernel may hold. */
enum { MAX_NESTS = 64 };
/* The most bytes that the pixels of a tile keep in the kernel, where a tile has more than one. */
enum { MOST_TILE_BYTES = 16 << 20 };

struct tile_need {
    int64_t bytes;  /* of stack tiles, per pixel */
    int64_t pixels; /* at a time, so that weights read from L2 or beyond serve enough rows */
};

/* Adds the needs of a kernel whose first `outer` loops run over pixels. */
void tile_need_of(struct tile_need *need, const struct kernel *kernel, int outer);

/* Whether a kernel has loops over pixels; their variables (n, y, x), and where the statements in
 * them are linked. */
bool kernel_pixels(const struct kernel *kernel, struct var **pixel, struct stmt ***nests);

#endif
