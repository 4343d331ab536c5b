/* A way through all elements of a shape, row by row, in several arrays at their own strides. */
#ifndef IR_WALK_H
#define IR_WALK_H
#include "ir.h"

enum { MAX_WALKED = 3 };

struct walk {
    struct shape shape; /* of rank 1 or more */
    int64_t stride[MAX_WALKED][MAX_RANK];
    int64_t at[MAX_RANK];
    int64_t offset[MAX_WALKED]; /* of the row's first element */
};

struct walk walk_new(const struct shape *shape);
/* Array number `array` has this shape, and broadcasts as NumPy does. */
void walk_broadcast(struct walk *walk, int array, const struct shape *shape);
int64_t walk_row(const struct walk *walk);
int64_t walk_step(const struct walk *walk, int array);
/* To the next row; false: that was the last. */
bool walk_next(struct walk *walk);
/* Array 0 from array 1. */
void walk_copy(struct walk *walk, double *to, const double *from);

#endif
