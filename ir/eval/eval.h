/* Inside of the evaluator: what its files share. */
#ifndef IR_EVAL_H
#define IR_EVAL_H
#include "ir.h"

/* One instruction while it is evaluated: its operands, and room for its result, row-major. */
struct eval {
    const struct inst *inst;
    bool single; /* every operation rounds to float */
    const double *in[MAX_INPUTS];
    double *out;
    const double *image; /* what the op `input` returns */
    const struct parameters *parameters;
};

/* float has so few digits that +, -, *, / and sqrt in double and then rounded are rounded once. */
static inline double eval_round(const struct eval *e, double value)
{
    return e->single ? single_of(value) : value;
}

/* False: a parameter is missing. */
#define OP(name, least, most, traits) bool name##_eval(const struct eval *e);
#include "ops.def"

#endif
