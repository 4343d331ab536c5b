#include "segments.h"
#include "matrix.h"

int segments_of_rows(int64_t total, int64_t block, struct segment *segment)
{
    int count = 0;
    if (total / block)
        segment[count++] = (struct segment){0, block, total / block, 1, 0};
    if (total % block)
        segment[count++] =
            (struct segment){total - total % block, total % block, 1, 1, total / block};
    return count;
}

int64_t segments_height(int64_t total, int64_t block, int64_t vectors)
{
    enum { LEAST_HEIGHT = 4 };
    int64_t whole = block < total ? block : total, rest = total % whole;
    for (int64_t height = TILE_ROWS; height >= LEAST_HEIGHT; height--)
        if (whole % height == 0 && rest % height == 0 && whole / height * vectors <= MOST_TILES)
            return height;
    return 0;
}

int64_t segments_tiles(int64_t rows, int64_t height)
{
    int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    if (height)
        return rows / height;
    while (rows % tiles)
        tiles++;
    return tiles;
}

int segments_of_tiles(int64_t total, int64_t block, int64_t height, struct segment *segment)
{
    int count = segments_of_rows(total, block, segment);
    struct segment *rest = &segment[count - 1];
    if (height || rest->size == block || segments_tiles(rest->size, 0) <= segments_tiles(block, 0))
        return count;
    int64_t left = rest->size % TILE_ROWS;
    if (rest->size < TILE_ROWS)
        return count;
    *rest = (struct segment){rest->begin, TILE_ROWS, rest->size / TILE_ROWS, 1, rest->first};
    if (left)
        segment[count++] = (struct segment){total - left, left, 1, 1, rest->first + rest->count};
    return count;
}

int segments_of_columns(int64_t total, int64_t columns, int64_t lanes, struct segment *segment)
{
    int count = 0;
    int64_t at = 0;
    while (lanes > 1 && lanes > total)
        lanes /= 2;
    if (columns < lanes)
        columns = lanes;
    columns -= columns % lanes;
    while (at < total) {
        while (lanes > total - at)
            lanes /= 2;
        int64_t left = total - at;
        int64_t size = left >= columns ? columns : left - left % lanes;
        segment[count] = (struct segment){at, size, left / size, lanes, 0};
        at += size * segment[count++].count;
        columns = lanes > 1 ? columns : 1;
    }
    return count;
}
