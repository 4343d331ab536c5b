/* Rounding to what matrix units multiply, and which data is rounded already. */
#ifndef IR_ROUNDING_H
#define IR_ROUNDING_H
#include "ir.h"

/* Sums of how many products a matrix unit makes at once; 0: none, for f32. */
int matrix_depth(int precision);

/* To f32, and on to what `precision` (a precision_kind) says. */
double round_to(int precision, double value);
/* The scalar operation that does it; of f32, which has none, SCALAR_COUNT. */
enum scalar_op round_op(int precision);

/* Which buffers hold nothing but numbers of the module's precision: weights whose recipe rounds,
 * and what only rounded values are stored to. Made for the kernels as they are, in an arena. */
struct rounding;
struct rounding *rounding_new(const struct module *module, struct arena *arena);
bool rounding_has(const struct rounding *rounding, const struct expr *expr);

#endif
