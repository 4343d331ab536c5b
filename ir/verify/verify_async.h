/* Copies that a barrier completes. Private to this folder. */
#ifndef IR_VERIFY_ASYNC_H
#define IR_VERIFY_ASYNC_H
#include "verify_flow.h"

bool verify_copy(struct verifier *verifier, const struct stmt *stmt); /* the statement alone */
/* Whether copies are complete when they are read. */
bool verify_async(struct verifier *verifier, const struct flow *flow);

#endif
