/* Parts that networks of both families are made of. */
#ifndef COMPILER_GRAPH_PARTS_H
#define COMPILER_GRAPH_PARTS_H
#include "make.h"

/* The parameter PREFIX.SUFFIX. */
struct inst *graph_parameter(struct builder *b, const char *prefix, const char *suffix,
                             struct shape shape);
/* A checkpoint's 1x1 convolution weight, (out, in, 1, 1), as rows: (out, in). */
struct inst *graph_rows(struct builder *b, const char *prefix, int64_t in, int64_t out);
struct inst *graph_transposed(struct builder *b, struct inst *matrix);
/* A convolution weight, (out, in, size, size), as what windows are multiplied by: (size size in,
 * out). */
struct inst *graph_matrix(struct builder *b, const char *prefix, int64_t in, int64_t out,
                          int64_t size);

/* The batch norm of that name; the suffixes of its parameters, as it takes them. */
struct inst *graph_norm(struct builder *b, struct inst *x, const char *prefix);
extern const char *const graph_norm_parameters[4];

#endif
