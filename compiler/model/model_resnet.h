/* The graph of a residual network, between its image and its mean. */
#ifndef COMPILER_MODEL_RESNET_H
#define COMPILER_MODEL_RESNET_H
#include "make.h"
#include "model.h"

/* The map that the last stage, or that of model->features, ends with. */
struct inst *resnet_stages(struct builder *b, const struct model *model, struct inst *x);

#endif
