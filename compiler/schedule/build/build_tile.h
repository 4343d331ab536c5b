/* The register tiles of a processor. */
#ifndef COMPILER_BUILD_TILE_H
#define COMPILER_BUILD_TILE_H
#include "build.h"

/* The loops of a register tile: rows, vectors, terms that are added at once, lanes. */
struct tile_loops {
    struct var *row, *group, *pair, *lane; /* pair: NULL where one term is added at a time */
    affine_ref column; /* within the tile */
};

/* The place of a register tile: its first row and column. */
struct origin {
    affine_ref row, column;
    bool flat;       /* `row` counts flattened rows; else the nest's variables are mapped already */
    affine_ref next; /* the column whose weights are fetched ahead; NULL: none are */
    affine_ref block; /* the tile's block of rows, of `blocks` */
    int64_t blocks;
};

struct tile_loops tile_loops_new(struct module *m, int64_t rows, const struct segment *columns);
/* The loop over the terms of a step of the nest's sum, NULL where it has one. *term is the step's
 * number, and becomes that of a term. */
struct var *tile_pair(const struct nest_build *b, const struct segment *columns, affine_ref *term);
struct stmt *tile_wrap(struct module *m, const struct tile_loops *t, struct stmt *stmt);
/* Maps the nest's variables to an element of the register tile, by its row and column there. */
void tile_enter_element(struct nest_build *b, const struct origin *origin, affine_ref row,
                        affine_ref column);
void tile_enter(struct nest_build *b, const struct origin *origin, const struct tile_loops *t);

#endif
