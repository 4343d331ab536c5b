#include "walk.h"

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

bool walk_next(struct walk *walk)
{
    for (int d = walk->shape.rank - 2; d >= 0; d--) {
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

/* Array 0 from array 1. */
void walk_copy(struct walk *walk, double *to, const double *from)
{
    int64_t row = walk_row(walk), to_step = walk_step(walk, 0), from_step = walk_step(walk, 1);
    do {
        double *t = to + walk->offset[0];
        const double *f = from + walk->offset[1];
        for (int64_t i = 0; i < row; i++)
            t[i * to_step] = f[i * from_step];
    } while (walk_next(walk));
}
