/* Buffers that share memory are never in use at once. Private to this folder. */
#ifndef IR_VERIFY_LIVES_H
#define IR_VERIFY_LIVES_H
#include "verify_flow.h"

bool verify_tiles(struct verifier *verifier, const struct flow *flow);
bool verify_workspace(struct verifier *verifier, const struct flow *flows, const char *target);
/* The innermost loops that have all of its accesses. */
const struct scope *scope_around(const struct usage *usage);
bool flow_runs_on(const struct flow *flow, const char *target);

#endif
