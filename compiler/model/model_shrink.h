/* Smaller and plainer models, from which a failure is easier to understand. */
#ifndef COMPILER_MODEL_SHRINK_H
#define COMPILER_MODEL_SHRINK_H
#include "model.h"

/* The number of ways to make a model smaller or plainer, and one of them applied. The result is the
 * same model where nothing is left to do, and may be invalid where the rules forbid the change. */
int model_changes(const struct model *model);
void model_change(struct model *model, int change);

#endif
