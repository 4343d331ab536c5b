/* Whether accesses touch all that another one does. Private to this folder. */
#ifndef IR_VERIFY_POINTS_COVERED_H
#define IR_VERIFY_POINTS_COVERED_H
#include "space.h"

/* Whether every point of `what` is one of `by[0]`, `by[1]`, ... If not, `missing` is the first
 * point that is not. A look-up in a table may give anything, so it never covers a point for
 * certain. */
enum answer points_covered(struct effort *effort, const struct space *space,
                           const struct points *what, const struct points *by, int count,
                           int64_t *missing);

#endif
