#include "graph_parts.h"

struct inst *graph_parameter(struct builder *b, const char *prefix, const char *suffix,
                             struct shape shape)
{
    return make_parameter(b, arena_printf(b->module->arena, "%s.%s", prefix, suffix), shape);
}

struct inst *graph_rows(struct builder *b, const char *prefix, int64_t in, int64_t out)
{
    struct inst *w = graph_parameter(b, prefix, "weight", SHAPE(out, in, 1, 1));
    return make_reshape(b, w, SHAPE(out, in));
}

struct inst *graph_transposed(struct builder *b, struct inst *matrix)
{
    return make_transpose(b, matrix, SHAPE(1, 0));
}

struct inst *graph_matrix(struct builder *b, const char *prefix, int64_t in, int64_t out,
                          int64_t size)
{
    if (size == 1)
        return graph_transposed(b, graph_rows(b, prefix, in, out));
    struct inst *w = graph_parameter(b, prefix, "weight", SHAPE(out, in, size, size));
    w = make_transpose(b, w, SHAPE(2, 3, 1, 0));
    return make_reshape(b, w, SHAPE(size * size * in, out));
}

const char *const graph_norm_parameters[] = {"weight", "bias", "running_mean", "running_var"};

struct inst *graph_norm(struct builder *b, struct inst *x, const char *prefix)
{
    struct inst *in[5] = {x};
    b->label = prefix;
    for (int i = 0; i < 4; i++)
        in[i + 1] = graph_parameter(b, prefix, graph_norm_parameters[i], SHAPE(last_dim(x)));
    return make(b, OP_batch_norm, NULL, 5, in);
}
