/* The ops. Each file of this room has one op, or a few similar ones, and for each of them,
 * together:
 *
 *   NAME_shape    the shape of its result, or why its operands do not fit
 *   NAME_eval     what it computes
 *   NAME_lower    the loops that compute it
 *   NAME_count    what it counts as, if anything
 *
 * op.c finds them by the names in ops.def: forgetting one of the first three does not link. */
#ifndef IR_OP_H
#define IR_OP_H
#include "error.h"
#include "ir.h"
#include "rules.h"
#include <assert.h>

/* ---- of an instruction ----------------------------------------------------------------------- */

/* Whether the number of inputs and every attribute are within the limits of the op's rows. */
bool inst_check_rows(const struct inst *inst, struct error *error);

/* An instruction while it is evaluated: its operands, and room for its result, row-major. */
struct eval {
    const struct inst *inst;
    bool single; /* every operation rounds to float */
    const double *in[MAX_INPUTS];
    double *out;
    const double *image; /* what the op `input` returns */
    const struct parameters *parameters;
};

/* False: a parameter is missing. */
bool inst_eval(const struct eval *e);

/* Appends its buffers and kernels to the module. */
struct lowering;
void inst_lower(struct lowering *l, struct inst *inst);

/* What an instruction counts as: multiply-adds, and what the paper's table 2 counts in addition. */
struct inst_count {
    int64_t macs, extras;
};
struct inst_count inst_count(const struct inst *inst);

/* ---- of each op ------------------------------------------------------------------------------ */

/* Functions that several ops have. */
#define relu_shape same_shape
#define sqrt_shape same_shape
#define round_shape same_shape
#define add_shape both_shape
#define sub_shape both_shape
#define mul_shape both_shape
#define div_shape both_shape
#define add_eval binary_eval
#define sub_eval binary_eval
#define mul_eval binary_eval
#define div_eval binary_eval
#define add_lower binary_lower
#define sub_lower binary_lower
#define mul_lower binary_lower
#define div_lower binary_lower
#define parameter_lower constant_lower
#define fill_lower constant_lower
#define coordinates_lower constant_lower
#define border_classes_lower constant_lower
#define select_classes_lower constant_lower
#define by_class_lower constant_lower /* read by lowering_load */

#define OP(name, least, most, traits)                                                              \
    bool name##_shape(struct inst *inst, struct error *error);                                     \
    bool name##_eval(const struct eval *e);                                                        \
    void name##_lower(struct lowering *l, struct inst *inst);
#include "ops.def"

struct inst_count linear_count(const struct inst *inst);
struct inst_count grouped_linear_count(const struct inst *inst);
struct inst_count convolution_count(const struct inst *inst);
struct inst_count batch_norm_count(const struct inst *inst);
struct inst_count relu_count(const struct inst *inst);
struct inst_count max_pool_count(const struct inst *inst);
struct inst_count relation_count(const struct inst *inst);
struct inst_count aggregate_count(const struct inst *inst);

/* ---- shapes (operands.c) --------------------------------------------------------------------- */

static inline struct shape shape_of(int rank, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e)
{
    return (struct shape){rank, {a, b, c, d, e}};
}

static inline int64_t shape_last(const struct shape *shape)
{
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

bool want_rank(const struct inst *inst, int input, int rank, struct error *error);
bool want_shape(const struct inst *inst, int input, const struct shape *shape, struct error *error);
bool want_axis(const struct inst *inst, int64_t axis, struct error *error);
/* A mirrored border of s pixels needs s + 1 pixels to mirror. */
bool want_reflectable(const struct shape *x, int64_t padding, int64_t s, struct error *error);
/* As NumPy does, into *shape, which starts as the first operand's. Skips `axis` (-1: none). */
bool shape_broadcast(struct shape *shape, const struct shape *other, int axis);

/* ---- values ---------------------------------------------------------------------------------- */

/* float has so few digits that +, -, *, / and sqrt in double and then rounded are rounded once. */
static inline double eval_round(const struct eval *e, double value)
{
    return e->single ? single_of(value) : value;
}

static inline int64_t eval_elements(const struct eval *e)
{
    return shape_elements(&e->inst->shape);
}

/* Unrounded. */
static inline double scalar_apply(enum scalar_op op, double a, double b)
{
    switch (op) {
    case SCALAR_add:
        return a + b;
    case SCALAR_sub:
        return a - b;
    case SCALAR_mul:
        return a * b;
    case SCALAR_max:
        return scalar_max(a, b);
    default:
        assert(op == SCALAR_div);
        return a / b;
    }
}

/* The result is these elements. */
bool eval_copy(const struct eval *e, const double *from);
/* a + b, a - b, a * b or a / b of numbers that broadcast to the result. */
void eval_binary(const struct eval *e, enum scalar_op op, const double *a,
                 const struct shape *a_shape, const double *b, const struct shape *b_shape);

#endif
