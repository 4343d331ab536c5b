/* Stagings: rows of a nest, copied to shared memory. */
#ifndef COMPILER_BUILD_STAGING_H
#define COMPILER_BUILD_STAGING_H
#include "build.h"

/* The shared memory that the rows of a nest take. */
int64_t staging_bytes(const struct nests *nests, int nest, int64_t tile);

/* What copies of a factor are: its values as they are, of type bf16 where they are rounded to that.
 */
enum dtype staging_type(const struct expr *factor);
/* Elements of a copy's vectors. */
int64_t staging_lanes(enum dtype dtype);

/* Whether a store copies an element of memory, and marks all stores as such copies, which are there
 * after a barrier. */
bool staging_is_copy(const struct stmt *store);
void staging_set_async(struct stmt *stmt);

/* Copies the rows of a nest, with its number, to shared memory, from where the nest then reads
 * them. */
struct stmt *staging_build(struct kernel_build *k, struct kernel_nest *nest, int number);

#endif
