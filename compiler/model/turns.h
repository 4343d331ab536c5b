/* How a batch is run on processors: in turns of some images each. */
#ifndef COMPILER_TURNS_H
#define COMPILER_TURNS_H
#include "model.h"

/* How many images of a batch one turn takes, a divisor of it: as many as fit the caches of these
 * targets; all where one of them is a GPU. */
int64_t images_of_turn(const struct model *model, int64_t batch, int targets,
                       const char *const *target);

#endif
