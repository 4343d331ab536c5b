/* An access without div and mod, as far as possible: a variable that is divided becomes its digits,
 *
 *   x[(16*t + i) div 784, (16*t + i) div 28 mod 28, (16*t + i) mod 28]      t below 98, i below 16
 *   x[n, y, x]                                              n below 2, y and x below 28
 *
 * and so each coordinate is an interval by itself, however many images a batch has. Private to this
 * folder. */
#ifndef IR_VERIFY_DIGITS_H
#define IR_VERIFY_DIGITS_H
#include "space.h"

/* Points, and the value of a variable at each of them, or NULL. */
struct piece {
    struct points points;
    const struct affine *value;
};

/* Where a dividend does not begin and end at multiples of the divisor, it becomes pieces of whole
 * multiples, and remainders. */
enum { MOST_PIECES = 64 };
struct pieces {
    int count;
    struct piece piece[MOST_PIECES];
};

/* The variables of `points` with a new one in place of each look-up in a table. */
void points_without_lookups(struct arena *arena, const struct space *space, struct points *points);
bool index_has_lookup(const struct affine *index);
bool points_have_lookups(const struct space *space, const struct points *points);

/* The same set of points; `var` (or NULL) is the variable whose value is kept. No look-ups. */
void points_split(struct arena *arena, const struct space *space, const struct points *points,
                  struct var *var, struct pieces *pieces);

/* An index that takes the same values, with fewer variables: 14*m + i with i below 14 or more
 * becomes one variable. */
const struct affine *index_merged(struct arena *arena, const struct affine *index);

#endif
