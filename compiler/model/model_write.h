/* A model as a file, and two models compared. */
#ifndef COMPILER_MODEL_WRITE_H
#define COMPILER_MODEL_WRITE_H
#include "model.h"
#include <stdio.h>

/* Writes its JSON, without values that are the default anyway. */
void model_write_json(const struct model *model, FILE *file);
/* Whether both describe the same network. */
bool model_equal(const struct model *a, const struct model *b);

#endif
