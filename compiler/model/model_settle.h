/* Defaults, and the rules between settings. */
#ifndef COMPILER_MODEL_SETTLE_H
#define COMPILER_MODEL_SETTLE_H
#include "model_draft.h"

/* Fills in the defaults of the stage's attention and checks that it is valid as a whole, for maps
 * of height x width pixels. */
void draft_settle(struct draft *draft, int stage, int height, int width);

#endif
