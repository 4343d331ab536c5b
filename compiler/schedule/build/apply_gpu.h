/* What the files that carry out schedules of GPUs share: a kernel while it is built, and its nests. */
#ifndef COMPILER_APPLY_GPU_H
#define COMPILER_APPLY_GPU_H
#include "gpu.h"
#include "loops.h"

typedef const struct affine *affine_ref;

/* One kernel under construction. */
struct device {
    struct module *m;
    struct kernel *to;
    int64_t threads;
    int pixels;
    struct var *pixel[3];
    int64_t tile;     /* pixels of a block */
    affine_ref first; /* number of the block's first pixel, n, y and x flattened */
    int64_t split;    /* blocks that share the last nest's columns */
    struct var *part; /* which of them */
    affine_ref block; /* which of `blocks`, that are all blocks */
    int64_t blocks;
    int accumulators, locals;
    struct {
        struct buffer *from, *to;
    } local[2 * MAX_STAGES_OF_KERNEL]; /* the kernel's, and rows of its nests */
};

/* One nest under construction. */
struct building {
    struct device *d;
    const struct kernel_stage *stage;
    struct rewriter r; /* from the nest's variables to the new loops' */
    affine_ref p;      /* the pixel within the tile */
    struct var *thread;
    /* the register tile at hand: `rows` rows and vectors of columns, each a segment's count apart */
    const struct segment *rows, *columns;
    affine_ref row, column; /* the first row, and the first vector's number */
    affine_ref origin;      /* the first column of the block */
    /* sums of matrix units, [row][column], which are done already; NULL: none are */
    struct buffer *sums;
    affine_ref at_row, at_column; /* in these, of an element */
};

static inline affine_ref of_var(struct module *m, struct var *var)
{
    return affine_var(m->arena, var);
}

static inline affine_ref scaled(struct module *m, struct var *var, int64_t factor)
{
    return affine_scale(m->arena, of_var(m, var), factor);
}

/* ---- apply_gpu.c ----------------------------------------------------------------------------- */

/* A nest whose variables are to be mapped. */
void gpu_building(struct building *b, struct device *d, const struct kernel_stage *stage);
/* Maps the nest's row variables and the pixel, from the number of a row among all rows of the tile. */
void gpu_map_row(struct building *b, affine_ref row);
/* Maps the nest's column variable, if it has one. */
void gpu_map_column(struct building *b, affine_ref column);
/* The nest's store of a value that is rewritten already. */
struct stmt *gpu_store(struct building *b, const struct expr *value);
/* Registers of `unit` (the variable of a thread or warp loop) for sums, with as many dimensions more. */
struct buffer *gpu_accumulators(struct building *b, struct var *unit, struct shape each);
/* What a sum or a maximum begins with. */
const struct expr *gpu_initial(struct building *b);
/* The nest's value, with `total` for its reduction. */
const struct expr *gpu_final(struct building *b, const struct expr *total);
/* Register tile number q of b->rows and b->columns, for thread b->thread; columns change fastest. */
struct stmt *gpu_tile(struct building *b, affine_ref q);

struct blocking {
    int rows, columns;
    struct segment row[MAX_SEGMENTS], column[MAX_SEGMENTS];
};
/* The register tiles that cover an area. */
struct blocking gpu_blocking(const struct nest_plan *plan, const struct area *area);
/* All of a nest, for `tile` pixels, its columns shared by `split` blocks. */
struct area gpu_area(const struct kernel_stage *stage, int64_t tile, int64_t split);
/* An area in register tiles, dealt out to the threads of a block. */
struct stmt *gpu_threads(struct building *b, const struct nest_plan *plan, const struct area *area);
struct kernel *gpu_kernel(struct module *m, const struct kernel *from, const char *target,
                          const char *suffix);

/* ---- apply_local.c: buffers of the kernel that pixels keep to themselves ---------------------- */

/* In shared memory, or in a slice of the workspace for each block. */
void gpu_add_local(struct device *d, struct buffer *local, bool memory);
/* What an access to one of the kernel's buffers becomes: the buffer that it is to, and `to` its indices,
 * those of the first buffer in terms of the new loops. */
struct buffer *gpu_local_index(const struct building *b, struct buffer *buffer,
                               const affine_ref *from, affine_ref *to);

/* ---- apply_list.c, apply_matrix.c, apply_stage.c --------------------------------------------- */

/* A kernel that is a list of nests: they run one after the other, each on the whole device. */
struct kernel **gpu_list(struct module *m, const struct kernel *from, const char *target,
                         const struct plan *plan, struct kernel **at);

/* Copies a nest's rows to shared memory, which the nest then reads. */
struct stmt *gpu_stage(struct device *d, struct kernel_stage *stage, int nest);

/* A nest by matrix units, as far as these go. */
struct stmt *gpu_warps(struct building *b, const struct nest_plan *plan,
                       const struct matrix_plan *matrix, const struct area *area);

#endif
