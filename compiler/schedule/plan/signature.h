/* What a kernel is known by, whatever its network and its names. */
#ifndef COMPILER_SIGNATURE_H
#define COMPILER_SIGNATURE_H
#include "nests.h"

/* "1x28x28 pixels: 49x16, 64 sum 49 #31ab2fe5a1f0c394": the sizes of its nests, with the terms of
 * their sums, for people; and 16 digits of the SHA-256 of all that a schedule can depend on: loops,
 * what they compute, shapes and places of buffers, the module's threads and precision. It is in
 * the module's arena. */
const char *kernel_signature(struct module *m, const struct nests *nests);

#endif
