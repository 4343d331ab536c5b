/* A smaller model that shows the same failure, and weights for models that have none. */
#ifndef COMPILER_REDUCE_H
#define COMPILER_REDUCE_H
#include "ir.h"
#include "model.h"

/* Whether a model still fails in the way that is looked for. */
typedef bool model_predicate(void *context, const struct model *model);

/* The smallest model found that fails: changes of `model`, one after the other, each kept where it
 * still fails, until none is left or the time is over. */
struct model model_reduce(const struct model *model, model_predicate *fails, void *context,
                          double seconds);

/* Weights by chance, made when they are asked for: the same for the same name and shape, each a
 * float32, such that activations stay of order one; some scales of batch norms are negative. */
struct drawn *drawn_new(void);
void drawn_free(struct drawn *drawn);
struct parameters drawn_parameters(struct drawn *drawn);

/* Writes STEM.json and STEM.safetensors, the drawn weights of the model. Errors are printed; then
 * neither is left behind if it was not there before. */
enum status reduced_write(const char *stem, const struct model *model, struct drawn *drawn);

#endif
