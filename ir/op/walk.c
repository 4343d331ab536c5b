#include "walk.h"
#include <string.h>

struct walk walk_new(const struct shape *shape)
{
    struct walk walk = {.shape = *shape};
    if (!shape->rank) {
        walk.shape.rank = 1;
        walk.shape.dim[0] = 1;
    }
    return walk;
}

/* Array number `array` has this shape, and broadcasts as NumPy does. */
void walk_broadcast(struct walk *walk, int array, const struct shape *shape)
{
    int64_t stride = 1;
    for (int i = 1; i <= shape->rank; i++) {
        int64_t dim = shape->dim[shape->rank - i];
        walk->stride[array][walk->shape.rank - i] = dim == 1 ? 0 : stride;
        stride *= dim;
    }
}

int64_t walk_row(const struct walk *walk)
{
    return walk->shape.dim[walk->shape.rank - 1];
}

int64_t walk_step(const struct walk *walk, int array)
{
    return walk->stride[array][walk->shape.rank - 1];
}

/* To the next place in the dimensions up to `last`. */
static bool next_up_to(struct walk *walk, int last)
{
    for (int d = last; d >= 0; d--) {
        bool carry = ++walk->at[d] == walk->shape.dim[d];
        int64_t steps = carry ? 1 - walk->shape.dim[d] : 1;
        for (int i = 0; i < MAX_WALKED; i++)
            walk->offset[i] += steps * walk->stride[i][d];
        if (!carry)
            return true;
        walk->at[d] = 0;
    }
    return false;
}

bool walk_next(struct walk *walk)
{
    return next_up_to(walk, walk->shape.rank - 2);
}

/* One array of a copy, at the strides of its rows and columns. */
struct grid {
    int64_t row, column;
};

/* Some rows at a time, so that columns of either array use the whole of a cache line. */
static void copy_grid(int64_t rows, int64_t columns, double *to, struct grid t, const double *from,
                      struct grid f)
{
    enum { ROWS = 16 };
    for (int64_t first = 0; first < rows; first += ROWS) {
        int64_t end = first + ROWS < rows ? first + ROWS : rows;
        if (t.column == 1 && f.column == 1)
            for (int64_t i = first; i < end; i++)
                memcpy(to + i * t.row, from + i * f.row, (size_t)columns * sizeof *to);
        else
            for (int64_t j = 0; j < columns; j++)
                for (int64_t i = first; i < end; i++)
                    to[i * t.row + j * t.column] = from[i * f.row + j * f.column];
    }
}

/* Array 0 from array 1. */
void walk_copy(struct walk *walk, double *to, const double *from)
{
    int rank = walk->shape.rank;
    struct grid grid[2];
    for (int i = 0; i < 2; i++)
        grid[i] = (struct grid){rank > 1 ? walk->stride[i][rank - 2] : 0, walk_step(walk, i)};
    do
        copy_grid(rank > 1 ? walk->shape.dim[rank - 2] : 1, walk_row(walk), to + walk->offset[0],
                  grid[0], from + walk->offset[1], grid[1]);
    while (next_up_to(walk, rank - 3));
}
