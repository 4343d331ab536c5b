#include "segments.h"

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
