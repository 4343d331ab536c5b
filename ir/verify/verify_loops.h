/* Kernels, each statement by itself. Private to this folder. */
#ifndef IR_VERIFY_LOOPS_H
#define IR_VERIFY_LOOPS_H
#include "verify.h"

bool verify_kernels(struct verifier *verifier);
bool verify_kernel(struct verifier *verifier, const struct kernel *kernel); /* all but its name */
/* The innermost of the outer `scope` loops whose kind is one of `kinds`, a bit for each: its kind;
 * else LOOP_KIND_COUNT. */
enum loop_kind loop_around(const struct verifier *verifier, int scope, unsigned kinds);

#endif
