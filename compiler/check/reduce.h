/* A smaller model that shows the same failure, and weights for models that have none. */
#ifndef COMPILER_REDUCE_H
#define COMPILER_REDUCE_H
#include "ir.h"
#include "model.h"

/* Whether a model still fails in the same way. */
typedef bool model_predicate(void *context, const struct model *model);

/* The smallest model found that fails. Tries changes of `model` in turn and keeps each with which
 * it still fails, until none is left or the time is over. */
struct model model_reduce(const struct model *model, model_predicate *fails, void *context,
                          double seconds);

/* Random weights, made when first asked for: the same for the same name and shape, each a float32,
 * such that activations stay of order one. Some scales of batch norms are negative. */
struct drawn *drawn_new(void);
void drawn_free(struct drawn *drawn);
struct parameters drawn_parameters(struct drawn *drawn);

/* Writes STEM.json and STEM.safetensors, the drawn weights of the model. Errors are printed; then
 * no new file is left behind. */
enum status reduced_write(const char *stem, const struct model *model, struct drawn *drawn);

#endif
