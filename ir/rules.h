/* Limits that both the builder and the verifier check. Private to this folder. */
#ifndef IR_RULES_H
#define IR_RULES_H
#include "ir.h"

/* Beyond these a module is refused, so that sizes in bytes and offsets always fit 64 bits. */
#define MOST_ELEMENTS ((int64_t)1 << 40)
enum { MOST_NAME = 128, MOST_ID = (1 << 24) - 1 };

/* Every dimension at least 1 and fewer than MOST_ELEMENTS elements; rank 0 is a scalar. */
bool shape_valid(const struct shape *shape);

/* "[1, 28, 28, 16]" */
enum { SHAPE_TEXT = 24 * MAX_RANK };
const char *shape_text(const struct shape *shape, char text[SHAPE_TEXT]);

/* The value of inst->constant. */
bool inst_infer_constant(const struct inst *inst);

#endif
