/* Rules of GPUs alone: see rules.h. */
#ifndef COMPILER_RULES_GPU_H
#define COMPILER_RULES_GPU_H
#include "rules.h"

/* The most sums that a thread of a warp has in registers. */
enum { MOST_MATRIX_SUMS = 64 };
enum { MOST_PARTS = 32 };

/* Why matrix units cannot do a nest, and why its rows cannot be copied to shared memory first; or
 * NULL. */
const char *nest_no_matrix(const struct subject *s, int nest);
const char *nest_no_staging(const struct nests *nests, int nest);

/* Why a nest's reduction cannot be computed in parts; or NULL. */
const char *nest_no_parts(const struct nests *nests, int nest);

/* Why a nest's sum cannot run in blocks of terms whose factors are copied to shared memory, or
 * NULL; and the rules of `ahead` and `depth` on a GPU. */
const char *nest_no_blocks(const struct nests *nests, int nest);
struct refusal rule_blocks_ahead(const struct subject *s, const struct plan *plan, int nest);
struct refusal rule_blocks_of_terms(const struct subject *s, const struct plan *plan, int nest);

/* The columns of the last nest, if blocks may share them, that is, if all other nests store to
 * local buffers; else 0. */
int64_t nests_shared_columns(const struct nests *nests);

#endif
