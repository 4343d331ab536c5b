/* Plans for GPUs whose last nest runs in blocks of terms. */
#ifndef COMPILER_CHOOSE_BLOCKS_H
#define COMPILER_CHOOSE_BLOCKS_H
#include "effort_gpu.h"

/* What chooses the other nests of a plan, all of whose cost it returns: those before number
 * `nests`. */
typedef struct effort nests_chooser(const struct view *v, int nests, struct plan *plan);

/* Replaces *best by such a plan where one costs less than *least. */
void blocks_choose(const struct view *v, nests_chooser *choose, double *least, struct plan *best);

#endif
