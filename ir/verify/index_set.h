/* Sets of elements that accesses touch, as sets of points: an access is a point of a space for each
 * value of its variables. A space has a coordinate for each dimension of the buffer, and one for
 * each loop variable in which two accesses have to agree.
 *
 * Coordinates that share no variables are independent: a set is the product of the sets of such
 * groups, each an interval of its points' numbers or a set of bits. */
#ifndef IR_INDEX_SET_H
#define IR_INDEX_SET_H
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

/* What looking at points one by one may cost, for a whole module. */
struct effort {
    int64_t left; /* points */
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN /* the effort ran out, or terms too many */ };

/* Whether every point of `what` is one of `by[0]`, `by[1]`, ... If not, `missing` is one that is
 * none; its first coordinate is -1 where none was found. What is looked up in a table may be
 * anything, so that it is no point of `by` for certain. `missing` may be NULL: then ANSWER_UNKNOWN is
 * given instead of looking at each point of the whole space. */
enum answer points_covered(struct effort *effort, const struct space *space,
                           const struct points *what, const struct points *by, int count,
                           int64_t *missing);

/* Whether a point of a at one value of `var` may be a point of b at another. */
enum answer points_collide(struct effort *effort, const struct space *space, const struct points *a,
                           const struct points *b, const struct var *var);

#endif
