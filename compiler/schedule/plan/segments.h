/* Rows or columns in equal blocks, and the remainder. */
#ifndef COMPILER_SEGMENTS_H
#define COMPILER_SEGMENTS_H
#include <stdint.h>

enum { MAX_SEGMENTS = 16 };

/* `count` blocks of `size` from `begin` on, in vectors of `lanes`. */
struct segment {
    int64_t begin, size, count, lanes;
    int64_t first; /* number of the first block, counted over all segments */
};

/* All return the number of segments that cover `total`: whole blocks, then smaller ones. */
int segments_of_rows(int64_t total, int64_t block, struct segment *segment);
/* Rows of `vectors` vectors of sums in AMX's tiles: the height that divides all blocks, 0 where
 * each block has one of its own; the tiles of a block; and the blocks themselves, of which no
 * smaller one has more tiles than a whole one. At most MOST_TILES hold sums: as many registers are
 * for factors. */
enum { MOST_TILES = 4 };
int64_t segments_height(int64_t total, int64_t block, int64_t vectors);
int64_t segments_tiles(int64_t rows, int64_t height);
int segments_of_tiles(int64_t total, int64_t block, int64_t height, struct segment *segment);
/* The smaller ones have as many lanes as are left, rounded down to a power of two. */
int segments_of_columns(int64_t total, int64_t columns, int64_t lanes, struct segment *segment);

#endif
