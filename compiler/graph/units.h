/* Units that add several terms of a sum at once, those of bf16 in pairs. */
#ifndef COMPILER_UNITS_H
#define COMPILER_UNITS_H
#include "ir.h"

/* Whether factors of type bf16 pay: the module is for GPUs alone, or for processors alone, at least
 * one of which adds two products of bf16 at once. */
bool module_takes_pairs(const struct module *m);
/* Whether one of these has AMX. */
bool module_takes_tiles(const struct module *m);

/* The terms of a sum for which such a unit is used at all, where it takes pairs. */
int64_t units_least_terms(const struct module *m);

/* Terms that lie together in a buffer of weights, before the next column: PAIR or 1. */
int64_t weights_together(const struct buffer *weights);

#endif
