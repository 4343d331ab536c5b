/* The graph of a model, and the parameters that it needs. */
#ifndef COMPILER_MODEL_GRAPH_H
#define COMPILER_MODEL_GRAPH_H
#include "ir.h"
#include "model.h"
#include "weights.h"

/* The graph of a model: parameters unfolded, nothing decided. targets: names that target_find
 * knows. */
struct module *graph_from_model(const struct model *model, int64_t batch, int64_t threads,
                                int targets, const char *const *target);

/* The attention's relation in the IR, a relation_kind: a patchwise concatenation has its own there.
 */
int attention_relation_kind(const struct attention *a);

/* The tensors that the weight file has to hold, in a new array; free() it. Names live in `arena`.
 */
struct tensor_need *graph_parameters(const struct model *model, struct arena *arena, size_t *count);

#endif
