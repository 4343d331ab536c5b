/* The graph of a residual network, as torchvision builds it. */
#include "model_resnet.h"
#include "graph_parts.h"

/* A convolution without bias, and its batch norm. With one pixel at a time it is a linear. */
static struct inst *normed(struct builder *b, struct inst *x, const char *convolution,
                           const char *norm, int64_t out, int64_t size, int64_t stride)
{
    b->label = convolution;
    struct inst *w = graph_matrix(b, convolution, last_dim(x), out, size);
    x = size == 1 && stride == 1 ? make_linear(b, x, w, NULL)
                                 : make_convolution(b, x, w, size, stride, size / 2);
    return graph_norm(b, x, norm);
}

/* ReLU(x + f(x)), f of two or three convolutions; x through a 1x1 where the shapes differ. */
static struct inst *block(struct builder *b, const struct stage *stage, struct inst *x,
                          int64_t stride, const char *prefix)
{
    struct arena *arena = b->module->arena;
    bool bottleneck = stage->block == BLOCK_BOTTLENECK;
    int convolutions = bottleneck ? 3 : 2, wide = bottleneck ? 1 : 0; /* the one with the stride */
    int64_t out = stage->channels;
    struct inst *y = x, *across = x;
    for (int i = 0; i < convolutions; i++) {
        bool last = i == convolutions - 1;
        y = normed(b, y, arena_printf(arena, "%s.conv%d", prefix, i + 1),
                   arena_printf(arena, "%s.bn%d", prefix, i + 1),
                   bottleneck && !last ? out / BOTTLENECK : out, bottleneck && i != wide ? 1 : 3,
                   i == wide ? stride : 1);
        if (!last)
            y = make_1(b, OP_relu, y);
    }
    if (stride != 1 || last_dim(x) != out)
        across = normed(b, x, arena_printf(arena, "%s.downsample.0", prefix),
                        arena_printf(arena, "%s.downsample.1", prefix), out, 1, stride);
    b->label = prefix;
    return make_1(b, OP_relu, make_2(b, OP_add, y, across));
}

struct inst *resnet_stages(struct builder *b, const struct model *model, struct inst *x)
{
    struct arena *arena = b->module->arena;
    union attr pool[] = {{.integer = 3}, {.integer = 2}, {.integer = 1}};
    x = make_1(b, OP_relu, normed(b, x, "conv1", "bn1", model->stem_channels, 7, 2));
    x = make(b, OP_max_pool, pool, 1, &x);
    for (int i = 0; i < model->stages; i++) {
        for (int j = 0; j < model->stage[i].blocks; j++)
            x = block(b, &model->stage[i], x, i > 0 && j == 0 ? 2 : 1,
                      arena_printf(arena, "layer%d.%d", i + 1, j));
        if (model->features == FEATURES_STAGE + i)
            break;
    }
    return x;
}
