/* Copies that a barrier completes. Private to this folder. */
#ifndef IR_VERIFY_ASYNC_H
#define IR_VERIFY_ASYNC_H
#include "verify_flow.h"

bool verify_copy(struct verifier *verifier, const struct stmt *stmt); /* by itself */
/* What copies bring is there when it is read. */
bool verify_async(struct verifier *verifier, const struct flow *flow);

#endif
