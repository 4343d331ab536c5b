/* What only one family of networks has, and residual networks' own rules. */
#ifndef COMPILER_MODEL_FAMILY_H
#define COMPILER_MODEL_FAMILY_H
#include "model_draft.h"

/* Reports fields of another family, and gives stages the model's kind of block. */
void draft_check_family(struct draft *draft);
/* Reports what is wrong with a stage of a residual network. */
void draft_check_resnet(struct draft *draft, int stage);

#endif
