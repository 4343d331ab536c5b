/* Reads and writes of a buffer in the order of the loops. Private to this folder. */
#ifndef IR_VERIFY_REPLAY_H
#define IR_VERIFY_REPLAY_H
#include "verify_flow.h"

/* Whether every read of the buffer follows a write; `missing`: the number of an element that is
 * read before it is written. */
enum answer replay_reads(struct verifier *verifier, const struct usage *usage,
                         const struct written *before, int64_t *missing);

#endif
