/* Rules of GPUs alone: see rules.h. */
#ifndef COMPILER_RULES_GPU_H
#define COMPILER_RULES_GPU_H
#include "rules.h"

/* The most sums that a thread of a warp has in registers. */
enum { MOST_MATRIX_SUMS = 64 };

/* Why matrix units cannot do a nest, and why its rows cannot be copied to shared memory first; or
 * NULL. */
const char *nest_no_matrix(const struct subject *s, int nest);
const char *nest_no_staging(const struct nests *nests, int nest);

/* The columns of the last nest, if blocks may share them, that is, if all other nests store to
 * local buffers; else 0. */
int64_t nests_shared_columns(const struct nests *nests);

#endif
