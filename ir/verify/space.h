/* Elements that accesses touch, as sets of points. A space has a coordinate for each dimension of
 * the buffer, and one for each loop in which two accesses have the same iteration. An access is a
 * point for each value of its variables. Private to this folder. */
#ifndef IR_VERIFY_SPACE_H
#define IR_VERIFY_SPACE_H
#include "affine.h"

enum { MOST_COORDINATES = 24 };

struct space {
    int count;
    int64_t size[MOST_COORDINATES];
};

/* Each coordinate from 0 to its size - 1. */
struct points {
    const struct affine *at[MOST_COORDINATES];
};

/* How many points of a kernel may still be looked at one by one. */
struct effort {
    int64_t left; /* points */
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN /* the effort ran out, or terms too many */ };

#endif
