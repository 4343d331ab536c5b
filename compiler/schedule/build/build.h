/* A kernel for one target while it is built from its plan; shared by processors and GPUs. */
#ifndef COMPILER_BUILD_H
#define COMPILER_BUILD_H
#include "plan.h"
#include "segments.h"

typedef const struct affine *affine_ref;

/* Groups of columns. An iteration computes one of them. */
struct groups {
    affine_ref base, number; /* the first group's first column; the group that is computed */
    int64_t count;
};

/* A buffer with the elements of one pixel, and the buffer with those of a tile that replaces it. */
struct local_build {
    struct buffer *from, *to;
    enum {
        LAYOUT_PIXELS,    /* [pixel][element], or [element] where there are no pixels */
        LAYOUT_ONE_PIXEL, /* [0][element], for one pixel at a time */
        LAYOUT_LANES,     /* [element][pixel] */
        LAYOUT_COLUMNS,   /* [pixel][element - the nest's first column] */
        LAYOUT_DEPTH      /* [element div depth][pixel][element mod depth] */
    } layout;
    int64_t depth;
    bool no_pixels; /* the same elements for all pixels of a tile */
};

struct kernel_build {
    struct module *m;
    const struct nests *nests;
    const struct plan *plan;
    struct kernel *to;
    int64_t registers; /* for vectors, that the target has; 0: a GPU */
    int64_t tile;      /* pixels of this kernel's tile */
    affine_ref first;  /* number of the tile's first pixel, n, y and x flattened */
    int accumulators, locals;
    struct local_build *local; /* room for the kernel's, and one more for each nest */
    /* On processors: how many columns of their results nests compute; 0: all. */
    int64_t columns;
    affine_ref first_column;
    struct groups groups;
    struct var *together; /* the current pixel while nests that run together are built; else NULL */
    /* Of GPUs: blocks that share the last nest's columns, which of them one is; which of all
     * blocks. */
    int64_t split;
    struct var *part;
    affine_ref block;
    int64_t blocks;
};

/* Sums that a thread or warp keeps in registers from one part of a nest to the next, on GPUs. */
enum { MOST_KEPT = 16 };
struct kept {
    enum { NEST_WHOLE, NEST_BEGIN, NEST_TERMS, NEST_END } part; /* that is built */
    struct buffer *sums[MOST_KEPT];                             /* made by NEST_BEGIN, in order */
    int next;
};

/* One of `count` equal pieces of something. */
struct piece {
    int64_t count;
    affine_ref number;
};

struct nest_build {
    struct kernel_build *k;
    const struct kernel_nest *nest;
    const struct nest_plan *plan; /* of the nest */
    struct rewriter r;            /* from the nest's variables to the new loops' */
    affine_ref p;                 /* the pixel within the tile */
    affine_ref first_column;      /* of what this worker or block computes */
    /* On processors. */
    struct groups groups; /* those of the kernel, or a single one */
    bool pixels_are_rows, pixels_are_columns;
    /* Of AMX: terms that it multiplies at once, 0: the nest has none; the height of
     * all tiles, 0: each block has its own; a copy of the rows [0][row][term], or NULL. */
    int64_t tile_terms, tile_height;
    struct buffer *tile_rows;
    const struct expr *row_factor; /* its element at hand, rewritten already; NULL: see the nest */
    /* Of GPUs: the register tile at hand, `rows` rows and vectors of columns, each a segment's
     * count apart. */
    struct var *thread;
    const struct segment *rows, *columns;
    affine_ref row, column; /* the first row, and the first vector's number */
    int64_t row_pixels;     /* of the tile, which rows go through fastest */
    affine_ref first_row;   /* of what is computed */
    struct piece terms;     /* that part of a sum is computed */
    struct buffer *sums;    /* [row][column], or of parts [part][row][column]; NULL: none are */
    bool sums_done;         /* they are made, and results are made of them */
    int64_t parts;          /* of the reduction that tiles of their own compute; 1: no parts */
    affine_ref part;        /* of the tile at hand */
    affine_ref at_row, at_column; /* in these, of an element */
    struct kept kept;
    bool updates; /* see threads_updates */
};

static inline affine_ref of_var(struct module *m, struct var *var)
{
    return affine_var(m->arena, var);
}

static inline affine_ref scaled(struct module *m, struct var *var, int64_t factor)
{
    return affine_scale(m->arena, of_var(m, var), factor);
}

/* Begins a kernel, named after the one that it comes from. */
void build_begin_kernel(struct kernel_build *k, const struct subject *s, const struct plan *plan,
                        const char *suffix);
/* Begins another one of the same nests. */
void build_next_kernel(struct kernel_build *k, const char *target, const char *suffix);
/* A nest whose variables are to be mapped. */
void build_begin_nest(struct nest_build *b, struct kernel_build *k, const struct kernel_nest *nest,
                      const struct nest_plan *plan);

/* Maps the variables of the pixel, whose number within the tile is `p`. */
void build_map_pixel(struct nest_build *b, affine_ref p);

/* Translates an access to a buffer of the original kernel, whose indices are in terms of the new
 * loops already: returns the new buffer and sets its indices `to`. */
struct buffer *build_local_index(const struct nest_build *b, struct buffer *buffer,
                                 const affine_ref *from, affine_ref *to);
/* The nest's store of a value that is rewritten already. */
struct stmt *build_store(struct nest_build *b, const struct expr *value);

/* Registers for sums. */
struct buffer *build_accumulators(struct kernel_build *k, struct shape shape);
/* The initial value of a sum or a maximum, its value after one more term, and the nest's value with
 * `total` in its place. */
const struct expr *build_initial(struct nest_build *b);
const struct expr *build_step(struct nest_build *b, const struct expr *old);
const struct expr *build_final(struct nest_build *b, const struct expr *total);

/* Whether a register tile of these columns is one of tiles. */
bool build_in_tiles(const struct nest_build *b, const struct segment *columns);
/* Terms that a step of a sum adds: units that take several need vectors of some columns. */
int64_t build_step_terms(const struct nest_build *b, const struct segment *columns);
/* Terms that lie together in the weights of a sum of products: PAIR, or 1. */
int64_t build_terms_together(const struct nest_build *b);
/* Of a sum over windows: the consecutive terms of a line of a window; 0: it is no such sum. */
int64_t build_line_terms(const struct nest_build *b, const struct var *var);
/* How many of `steps` consecutive steps of a sum are written out: of a linear on a processor 4 or 8
 * that divide them, else 1. So index arithmetic and the end of the loop are for several steps: a
 * core that serves another thread too begins half as many instructions of this one. With a single
 * vector of columns loads take longer than that; and a register tile of so many rows and columns
 * has to leave a sixteenth of the registers unused, or LLVM would spill sums. */
enum { LEAST_AT_ONCE = 4, MOST_AT_ONCE = 8 };
int64_t build_steps_at_once(const struct nest_build *b, int64_t steps, int64_t rows,
                            const struct segment *columns);

/* Of a nest whose reduction is computed in parts or pieces: the terms of the one at hand, and the
 * first of them; the part's store; the total of all. */
int64_t build_terms(const struct nest_build *b, const struct var *var);
affine_ref build_first_term(const struct nest_build *b, int64_t terms);
struct stmt *build_partial(struct nest_build *b, affine_ref row, affine_ref column,
                           const struct expr *value);
const struct expr *build_total(struct nest_build *b);

/* The loops of a register tile: rows, vectors, lanes. */
struct stmt *build_tile_loops(struct module *m, struct var *row, struct var *group,
                              struct var *lane, struct stmt *stmt);
/* A loop; only its body where there is one iteration. */
struct stmt *build_loop(struct module *m, struct var *var, enum loop_kind kind, struct stmt *stmt);

#endif
