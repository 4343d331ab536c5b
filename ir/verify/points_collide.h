/* Whether two accesses touch one element in different iterations of a loop. Private to this folder.
 */
#ifndef IR_VERIFY_POINTS_COLLIDE_H
#define IR_VERIFY_POINTS_COLLIDE_H
#include "space.h"

/* Whether a point of a at one value of `var` may be a point of b at another. The first `around`
 * coordinates are loops in which both are in the same iteration, the others are dimensions. */
enum answer points_collide(struct effort *effort, const struct space *space, int around,
                           const struct points *a, const struct points *b, struct var *var);

#endif
