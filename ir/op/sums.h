/* Sums of many float32 numbers. Adding them in order loses digits: 3e-3 of the mean of 2048 x 2048
 * numbers from 0 to 1. So at most SUM_AT_ONCE numbers are added in order. More are added in blocks
 * of SUM_BLOCK first, then the sums of these in blocks, and so on. */
#ifndef IR_SUMS_H
#define IR_SUMS_H
#include "lowering.h"
#include "op.h"

enum { SUM_AT_ONCE = 256, SUM_BLOCK = 64 };

/* The sum of numbers that lie `stride` apart. */
double eval_sum(const struct eval *e, int64_t count, const double *in, int64_t stride);

/* What is added up: a value, or sums of it in a buffer. */
struct sums {
    struct inst *of;       /* the value; or NULL, and the sums are in */
    struct buffer *buffer; /* this buffer */
    struct shape shape;
};

const struct expr *sums_load(struct lowering *l, const struct sums *sums, const affine_ref *index);
/* Adds up blocks along one axis, in a buffer of that name, for an instruction. */
struct sums sums_add_up(struct lowering *l, struct inst *inst, const struct sums *from, int axis,
                        const char *name);

#endif
