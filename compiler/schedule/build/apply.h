/* What the files of apply_schedules share: a kernel for one target while it is built. */
#ifndef COMPILER_APPLY_H
#define COMPILER_APPLY_H
#include "schedule.h"

typedef const struct affine *affine_ref;

/* Groups of columns that different iterations compute, one behind the other. */
struct groups {
    affine_ref base, number; /* the first one's first column; which one is computed */
    int64_t count;
};

/* One kernel for one target under construction. */
struct application {
    struct module *m;
    const struct kernel *from;
    struct kernel *to;
    int pixels;
    struct var *pixel[3];
    int64_t tile;     /* pixels of this kernel's tile */
    affine_ref first; /* number of the tile's first pixel, n, y and x flattened */
    /* what nests that store to memory compute of their columns; 0: all */
    int64_t columns;
    affine_ref first_column;
    struct groups groups;
    struct var
        *together; /* the pixel, while nests are built that take pixels one by one; or NULL */
    int accumulators;
    int locals;
    struct {
        struct buffer *from, *to;
        bool one;      /* pixel at a time, of those */
        bool lanes;    /* its last dimension is the pixel */
        int64_t depth; /* 0; or the tile is [channel div depth][pixel][channel mod depth] */
    } local[MAX_STAGES_OF_KERNEL];
};

/* One nest under construction: what its loops became. */
struct building {
    struct application *a;
    const struct kernel_stage *stage;
    struct rewriter r; /* from the nest's variables to the new loops' */
    affine_ref p;      /* the pixel within the tile */
    affine_ref first_column;
    struct groups groups; /* the application's; or this one alone */
    bool pixels_are_rows, pixels_are_columns, halves;
};

/* The loops of a register tile: rows, vectors, lanes. */
struct tile_loops {
    struct var *row, *group, *lane;
    affine_ref column; /* within the tile */
};

/* Where a register tile stands: its first row and column, and the rows' loops if those are not
 * flattened. */
struct origin {
    affine_ref row, column;
    bool flat;        /* row is the number of a row; else the nest's variables are mapped already */
    affine_ref next;  /* the column whose weights are fetched ahead; NULL: none are */
    affine_ref block; /* then, which of `blocks` blocks of rows it is */
    int64_t blocks;
};

/* ---- apply.c --------------------------------------------------------------------------------- */

struct tile_loops tile_loops(struct module *m, int64_t rows, const struct segment *columns);
struct stmt *wrap_tile(struct module *m, const struct tile_loops *t, struct stmt *stmt);
/* Maps the nest's variables to an element of the register tile, by its row and column there. */
void enter_element(struct building *b, const struct origin *origin, affine_ref row,
                   affine_ref column);
void enter_tile(struct building *b, const struct origin *origin, const struct tile_loops *t);
struct stmt *store_of(struct building *b, const struct expr *value);
/* Number, from groups.base on, of the block that follows number `block` of the group's `count`: behind the
 * last comes the next group's first, behind the last group's the first of all. */
affine_ref block_behind(const struct building *b, affine_ref block, int64_t count);
struct buffer *new_accumulators(struct application *a, int64_t rows, int64_t columns);

/* ---- apply_fetch.c --------------------------------------------------------------------------- */

/* A block of weights to fetch, `depth` from k on and `columns` from `column` on, in `steps` steps, of
 * which `step` is at hand. */
struct ahead {
    affine_ref k, column, step;
    int64_t depth, columns, steps;
};

/* Prefetches of a nest's weights in one step, and of what of the rows from `origin` on its sums are
 * added to. NULL: there is nothing to fetch. */
struct stmt *fetch_weights(struct building *b, const struct ahead *next);
struct stmt *fetch_operands(struct building *b, const struct origin *origin, int64_t rows,
                            int64_t columns);

/* ---- apply_halves.c -------------------------------------------------------------------------- */

/* A register tile of all columns whose even and odd terms are summed apart. */
struct stmt *halves_tile(struct building *b, const struct origin *origin, int64_t rows,
                         const struct segment *columns);

/* ---- apply_lanes.c --------------------------------------------------------------------------- */

/* What a load is in a nest whose columns are pixels: of a table by classes of pixels, a load of lines. */
const struct expr *load_line(struct building *b, const struct expr *load);

/* ---- apply_depth.c --------------------------------------------------------------------------- */

/* A nest whose reduction runs in blocks of plan->depth, of `rows` rows and `columns` columns. */
struct stmt *depth_nest(struct building *b, const struct nest_plan *plan, int64_t rows,
                        int64_t columns);

#endif
