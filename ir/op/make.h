/* Short forms for making instructions, for the graph of a model and the graph passes. Each makes
 * one instruction after `b->after` (or at the end), with its shape. */
#ifndef IR_MAKE_H
#define IR_MAKE_H
#include "ir.h"

struct builder {
    struct module *module;
    struct inst *after; /* NULL: at the end. Moves on with every instruction made. */
    const char *label;  /* of the instructions made */
};

/* `values` fill the attributes in the order of the op's rows; NULL: none. */
struct inst *make(struct builder *b, enum op op, const union attr *values, int inputs,
                  struct inst *const *in);
struct inst *make_1(struct builder *b, enum op op, struct inst *x);
struct inst *make_2(struct builder *b, enum op op, struct inst *x, struct inst *y);
struct inst *make_linear(struct builder *b, struct inst *x, struct inst *w, struct inst *bias);
/* Windows of x: size x size, `stride` apart, with `padding` zeros around x. */
struct inst *make_convolution(struct builder *b, struct inst *x, struct inst *w, int64_t size,
                              int64_t stride, int64_t padding);
/* Like a linear or a convolution, of other operands; bias may be NULL. */
struct inst *make_product(struct builder *b, const struct inst *like, struct inst *x,
                          struct inst *w, struct inst *bias);
struct inst *make_parameter(struct builder *b, const char *name, struct shape shape);
struct inst *make_fill(struct builder *b, double value, struct shape shape);
struct inst *make_reshape(struct builder *b, struct inst *x, struct shape shape);
struct inst *make_transpose(struct builder *b, struct inst *x, struct shape order);
struct inst *make_slice(struct builder *b, struct inst *x, int axis, int64_t begin, int64_t end);
struct inst *make_concat(struct builder *b, int axis, int count, struct inst *const *in);
/* A relation (OP_relation, with its kind) or an aggregation (OP_aggregate, kind unused). */
struct inst *make_footprint(struct builder *b, enum op op, int kind, int64_t footprint,
                            int64_t dilation, int padding, struct inst *x, struct inst *y);

/* A pass: changes the module, and returns how many changes it made. Each pass is one file, whose
 * public function has the name of its row in compiler/pass/passes.def. */
typedef int pass_function(struct module *m);

#define SHAPE(...)                                                                                 \
    ((struct shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})

static inline int64_t last_dim(const struct inst *inst)
{
    return inst->shape.dim[inst->shape.rank - 1];
}

#endif
