/* Rounding to what matrix units multiply, and which data is rounded already. */
#ifndef IR_ROUNDING_H
#define IR_ROUNDING_H
#include "ir.h"

/* The number of products that a matrix unit adds up at once; 0 for f32, which it does not take. */
int matrix_depth(int precision);

/* To f32, and on to what `precision` (a precision_kind) says. */
double round_to(int precision, double value);
/* The scalar operation that does it; of f32, which has none, SCALAR_COUNT. */
enum scalar_op round_op(int precision);

/* Whether an expression is a bf16 by what it is made of: rounded to it, loaded from a buffer of
 * that type, or the larger of two such. Only such values may be stored to these buffers. */
bool expr_is_bf16(const struct expr *expr);

/* Whether every element of a constant value is rounded to that already. */
bool recipe_is_rounded(const struct inst *inst, int precision);

/* Which buffers hold only numbers of the module's precision: weights whose recipe rounds, and
 * buffers to which only rounded values are stored. Made in an arena, for the kernels as they are
 * now. */
struct rounding;
struct rounding *rounding_new(const struct module *module, struct arena *arena);
bool rounding_has(const struct rounding *rounding, const struct expr *expr);

#endif
