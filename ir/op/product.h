/* What ops that multiply rows by a matrix share: linear, grouped_linear and convolution. */
#ifndef IR_PRODUCT_H
#define IR_PRODUCT_H
#include "lowering.h"
#include "op.h"

/* Checks operand 1, a matrix with `terms` rows, and operand 2, a bias, if there is one. The
 * result's shape is set but for its last dimension. */
bool product_shape(struct inst *inst, int64_t terms, struct error *error);

/* A row of `terms` numbers by a matrix w. */
void product_of(const struct eval *e, int64_t terms, const double *restrict x,
                const double *restrict w, double *restrict out);
/* A row of the result, without the bias; then the bias of all rows. */
void product_row(const struct eval *e, const double *restrict x, double *restrict out);
void product_bias(const struct eval *e);

/* The variable of the sum; and the nest, once it is known where operand 0 is read. */
struct var *product_terms(struct lowering *l, const struct inst *inst);
void product_finish(struct lowering *l, struct inst *inst, struct kernel *kernel,
                    const struct loops *loops, struct var *k, const affine_ref *x);

struct inst_count product_count(const struct inst *inst);

#endif
