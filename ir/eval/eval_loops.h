/* The loop form as the evaluator runs it: a kernel compiled to steps that do many lanes at once.
 *
 *   eval_loops.c      the module: memory of buffers, kernels in order
 *   eval_compile.c    a kernel to steps: which loops become lanes
 *   eval_access.c     indices, loads and stores of lanes
 *   eval_steps.c      steps and expressions
 *
 *   for y in 28 { for n in 64 { for v in 8 { a[y, n, v] = b[n, v] * c[v] } } }
 *   =>
 *   loop y in 28
 *     lanes n in 64, v in 8:  load 512 of b; load 512 of c; multiply 512; store 512 to a */
#ifndef IR_EVAL_LOOPS_H
#define IR_EVAL_LOOPS_H
#include "ir.h"

enum { MOST_LANES = 512 };

/* ---- indices --------------------------------------------------------------------------------- */

/* An affine index with its variables as slots of `value` in struct frame. */
struct linear {
    int slot;
    int64_t factor;
};

struct index {
    int64_t constant;
    int linears, nonlinears;
    struct linear *linear;
    struct nonlinear *nonlinear;
};

struct nonlinear {
    int64_t factor;
    enum term_kind kind; /* not TERM_VAR */
    int64_t divisor;
    struct index inner;
    const double *table;
};

int64_t index_value(const struct index *index, const int64_t *value);

/* ---- lanes ----------------------------------------------------------------------------------- */

/* Loops whose iterations are carried out together, in row-major order. The outermost may be cut
 * into chunks: its variable then holds where the chunk begins, the others' hold 0. */
struct lanes {
    int loops; /* 0: one lane */
    int slot[MAX_RANK];
    int64_t extent[MAX_RANK];
    int64_t chunk; /* the most iterations of the outermost loop at a time */
    int stores;
    struct store *store;
};

/* Where the lanes of one load or store lie. Loops that follow one another in memory are merged;
 * extents are without the outermost loop's, which differs in the last chunk. */
struct access {
    double *data;
    int64_t elements;
    struct index index; /* of the chunk's first lane */
    int dims;
    int64_t stride[MAX_RANK], extent[MAX_RANK];
    struct gather *gather; /* NULL: strides are enough */
};

/* Lanes whose distance from the first takes a division, a remainder or a lookup. */
struct gather {
    struct index index; /* the terms that differ between lanes */
    int watched;        /* the variables that the offsets were computed for */
    int *slot;
    int64_t *seen;
    bool valid;
    int64_t offset[MOST_LANES];
};

/* ---- steps ----------------------------------------------------------------------------------- */

struct node {
    enum scalar_op op;
    struct access load;
    struct node *in[3];
    int vars; /* of a reduction */
    int slot[MAX_RANK];
    int64_t extent[MAX_RANK];
    double *out; /* MOST_LANES results; a constant's are filled in */
};

struct store {
    struct access to;
    struct node *value;
};

struct step {
    struct step *next;
    struct lanes *lanes; /* or NULL: a loop */
    int slot;
    int64_t extent;
    struct step *body;
};

struct memory {
    const struct buffer *buffer;
    double *data;
    bool owned;
};

/* What runs a kernel. */
struct frame {
    bool single;    /* every operation rounds to float */
    int64_t *value; /* of the variables, by slot */
    const struct lanes *lanes;
    int64_t head;  /* iterations of the outermost lane loop in this chunk */
    int64_t count; /* lanes in this chunk */
};

/* A kernel compiled; everything in the arena. */
struct program {
    struct arena *arena;
    bool single; /* every operation rounds to float */
    int slots;
    struct step *steps;
};

struct memories {
    int count;
    struct memory *memory;
};

void kernel_compile(const struct kernel *kernel, const struct memories *memories, bool single,
                    struct arena *arena, struct program *program);
void program_run(const struct program *program);

const double *access_load(const struct access *access, const struct frame *frame, double *room);
/* Whether every lane lies in the buffer, the first at `base`. */
bool access_is_within(const struct access *access, const struct frame *frame, int64_t base);
void access_store(const struct access *access, const struct frame *frame, const double *from);

#endif
