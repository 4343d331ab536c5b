/* Loops whose iterations run at once. Private to this folder. */
#ifndef IR_VERIFY_RACES_H
#define IR_VERIFY_RACES_H
#include "verify_flow.h"

/* Whether `store` in one iteration of the loop over `var` and `other` in another one may touch one
 * element, both in the same iteration of `around` and of the loops around that. */
enum answer accesses_meet(struct effort *effort, const struct buffer *buffer,
                          const struct scope *around, struct var *var, const struct access *store,
                          const struct access *other);
bool verify_races(struct verifier *verifier, const struct usage *usage);

#endif
