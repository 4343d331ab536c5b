/* The register tiles of a processor. */
#ifndef COMPILER_BUILD_TILE_H
#define COMPILER_BUILD_TILE_H
#include "build.h"

/* The loops of a register tile: rows, vectors, terms that are added at once, lanes. Where it
 * consists of AMX's tiles, `row` and `group` count these, and the others are in one. */
struct tile_loops {
    struct var *row, *group, *pair, *lane; /* pair: NULL where one term is added at a time */
    struct var *within;                    /* the rows of a tile of AMX; NULL: there are none */
    affine_ref at_row, column;             /* in the register tile */
};

/* Sums of a register tile: in registers; of AMX, also in memory where that is needed. */
struct tile_sums {
    struct buffer *acc, *memory;
    bool behind; /* what they begin with is added when they are done */
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
/* Those of its sums: of AMX's tiles where the nest has them. */
struct tile_loops tile_sum_loops(const struct nest_build *b, int64_t rows,
                                 const struct segment *columns);
struct buffer *tile_registers(const struct nest_build *b, int64_t rows,
                              const struct segment *columns);
/* The index of an element of the sums in registers. */
enum { SUM_RANK = 4 };
void tile_sum_index(struct module *m, const struct tile_loops *t, affine_ref at[SUM_RANK]);
/* The loop over the terms of a step of the nest's sum, NULL where it has one. *term is the step's
 * number, and becomes that of a term. */
struct var *tile_pair(const struct nest_build *b, const struct segment *columns, affine_ref *term);
struct stmt *tile_wrap(struct module *m, const struct tile_loops *t, struct stmt *stmt);
/* Maps the nest's variables to an element of the register tile, by its row and column there. */
void tile_enter_element(struct nest_build *b, const struct origin *origin, affine_ref row,
                        affine_ref column);
void tile_enter(struct nest_build *b, const struct origin *origin, const struct tile_loops *t);

/* Sets the sums to what they begin with; stores the results. */
struct stmt *tile_begin(struct nest_build *b, const struct origin *origin, int64_t rows,
                        const struct segment *columns, struct tile_sums *sums);
struct stmt *tile_end(struct nest_build *b, const struct origin *origin, int64_t rows,
                      const struct segment *columns, struct tile_sums *sums);

/* The blocks of a nest's rows. */
int tile_row_segments(const struct nest_build *b, int64_t total, struct segment *segment);

/* Whether the rows of a nest's factor lie equally far apart in memory, in each of AMX's tiles,
 * so that it can load them. */
bool tile_rows_are_even(struct nest_build *b, int64_t total, const struct segment *columns);

#endif
