/* Matrix loops of processors, which the verifier, the passes and the backend take apart alike. */
#ifndef IR_MATRIX_H
#define IR_MATRIX_H
#include "affine.h"

/* A processor adds PAIR products to a lane at once; or to a tile of at most so many rows and
 * columns the products of at most so many terms. */
enum { TILE_ROWS = 16, TILE_COLUMNS = 16, TILE_TERMS = 32 };

/* Whether a matrix loop is that of the terms that a unit adds to each lane of a vector. */
bool matrix_is_pairs(const struct stmt *loop);
/* Whether it is the loop over the rows of a tile: outermost, in no warp loop. */
bool matrix_is_tile(const struct stmt *loop);

/* A variable of terms as PAIR * pair + inside. */
struct tile_terms {
    const struct var *of;
    struct var *pair, *inside;
};
struct tile_terms tile_terms_new(struct arena *arena, const struct var *depth);
/* The place of a load's element, in elements, in terms of these. */
const struct affine *tile_terms_flat(struct arena *arena, const struct expr *load,
                                     const struct tile_terms *terms);

#endif
