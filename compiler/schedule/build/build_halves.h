/* Nests whose even and odd terms are summed apart. */
#ifndef COMPILER_BUILD_HALVES_H
#define COMPILER_BUILD_HALVES_H
#include "build_tile.h"

/* A register tile of all columns whose even and odd terms are summed apart. */
struct stmt *halves_tile(struct nest_build *b, const struct origin *origin, int64_t rows,
                         const struct segment *columns);

#endif
