/* Measures of index expressions: what keeps index arithmetic within 64 bits, and the sum of two
 * indices within affine.c's array. Merging two indices never gives more terms than both have, inner
 * ones counted. */
#ifndef IR_INDEX_H
#define IR_INDEX_H
#include "affine.h"
#include "rules.h"

enum { MOST_TERMS = 32 };
#define MOST_INDEX MOST_ELEMENTS

/* Terms, inner ones counted. */
int index_terms(const struct affine *index);
/* A bound on |value| and on every factor. */
int64_t index_magnitude(const struct affine *index);

#endif
