#include "make.h"
#include <assert.h>
#include <string.h>

struct inst *make(struct builder *b, enum op op, const union attr *values, int inputs,
                  struct inst *const *in)
{
    struct inst *inst = inst_new(b->module, b->after, op, inputs, in);
    for (int i = 0; values && i < op_info[op].attrs; i++)
        inst->attr[i] = values[i];
    inst->label = b->label;
    bool fits = inst_finish(inst, NULL);
    assert(fits);
    (void)fits;
    if (b->after)
        b->after = inst;
    return inst;
}

struct inst *make_1(struct builder *b, enum op op, struct inst *x)
{
    return make(b, op, NULL, 1, &x);
}

struct inst *make_2(struct builder *b, enum op op, struct inst *x, struct inst *y)
{
    return make(b, op, NULL, 2, (struct inst *[]){x, y});
}

struct inst *make_linear(struct builder *b, struct inst *x, struct inst *w, struct inst *bias)
{
    return make(b, OP_linear, NULL, bias ? 3 : 2, (struct inst *[]){x, w, bias});
}

struct inst *make_convolution(struct builder *b, struct inst *x, struct inst *w, int64_t size,
                              int64_t stride, int64_t padding)
{
    union attr values[] = {{.integer = size}, {.integer = stride}, {.integer = padding}};
    return make(b, OP_convolution, values, 2, (struct inst *[]){x, w});
}

struct inst *make_product(struct builder *b, const struct inst *like, struct inst *x,
                          struct inst *w, struct inst *bias)
{
    return make(b, like->op, like->attr, bias ? 3 : 2, (struct inst *[]){x, w, bias});
}

struct inst *make_parameter(struct builder *b, const char *name, struct shape shape)
{
    union attr values[] = {{.string = name}, {.shape = shape}};
    return make(b, OP_parameter, values, 0, NULL);
}

struct inst *make_fill(struct builder *b, double value, struct shape shape)
{
    union attr values[] = {{.real = value}, {.shape = shape}};
    return make(b, OP_fill, values, 0, NULL);
}

struct inst *make_reshape(struct builder *b, struct inst *x, struct shape shape)
{
    if (shape_equal(&x->shape, &shape))
        return x;
    union attr value = {.shape = shape};
    return make(b, OP_reshape, &value, 1, &x);
}

struct inst *make_transpose(struct builder *b, struct inst *x, struct shape order)
{
    union attr value = {.shape = order};
    return make(b, OP_transpose, &value, 1, &x);
}

struct inst *make_slice(struct builder *b, struct inst *x, int axis, int64_t begin, int64_t end)
{
    if (begin == 0 && end == x->shape.dim[axis])
        return x;
    union attr values[] = {{.integer = axis}, {.integer = begin}, {.integer = end}};
    return make(b, OP_slice, values, 1, &x);
}

struct inst *make_concat(struct builder *b, int axis, int count, struct inst *const *in)
{
    union attr value = {.integer = axis};
    return make(b, OP_concat, &value, count, in);
}

struct inst *make_footprint(struct builder *b, enum op op, int kind, int64_t footprint,
                            int64_t dilation, int padding, struct inst *x, struct inst *y)
{
    union attr size = {.integer = footprint}, step = {.integer = dilation},
               border = {.integer = padding}, which = {.integer = kind};
    union attr relation[] = {which, size, step, border};
    return make(b, op, op == OP_relation ? relation : relation + 1, 2, (struct inst *[]){x, y});
}
