/* Smaller and plainer models, from which a failure is easier to understand. */
#ifndef COMPILER_MODEL_SHRINK_H
#define COMPILER_MODEL_SHRINK_H
#include "model.h"

/* How many ways there are to make a model smaller or plainer, and one of them: the same model where
 * it is that already, one that breaks the rules where they forbid it. */
int model_changes(const struct model *model);
void model_change(struct model *model, int change);

#endif
