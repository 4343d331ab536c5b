/* A schedule: what one pass decides about a kernel for a target and another carries out.
 *
 *   schedule "x86-64-v4" {
 *     tile 2                                             ; pixels at a time
 *     nest 1 rows 14 columns 32 vector 16 ; the second nest: register tile 14 x 32
 *     depth 1 128                         ; its reduction in blocks of 128: apply_depth.c
 *     ahead 1                             ; it fetches its next weights: apply_fetch.c
 *     halves 2                            ; even and odd terms of its sum apart: apply_halves.c
 *     together 0 2                        ; nests 0 to 2 for one pixel of the tile, then for the next
 *     lanes 0 2                           ; or with the tile's pixels as columns: apply_lanes.c
 *     split 384                           ; one worker computes 384 columns of each tile
 *     kind k unroll                       ; a person's: of the loops that all this makes, one is
 *     order b r                           ; of another kind, two change places, and a buffer is
 *     place acc0 stack                    ; elsewhere: apply_edits.c
 *   }
 *
 * A nest's innermost loop, if it stores to consecutive elements, is its columns; the loops around
 * it (pixels of the tile included) are its rows. */
#ifndef COMPILER_SCHEDULE_H
#define COMPILER_SCHEDULE_H
#include "loops.h"
#include "target.h"
#include "tiles.h"

enum { MAX_SEGMENTS = 16 };

struct nest_plan {
    int64_t rows, columns, lanes; /* of the register tile; columns a multiple of lanes */
    int64_t depth;                /* of a block of its reduction; 0: it is not in blocks */
    bool ahead;                   /* fetches the weights that it reads next */
    bool halves;                  /* sums even and odd terms in lanes beside each other */
};

/* What a warp of a GPU computes of a nest by its matrix unit, 16 x 8 elements at a time; rows 0: nothing. */
struct matrix_plan {
    int64_t rows, columns;
    bool pad; /* rows that are no whole fragment are repeated to be one */
};

struct plan {
    int64_t tile;    /* pixels */
    int64_t threads; /* of a block of a GPU (gpu.h) */
    int64_t blocks;  /* of a GPU, at most, which take tiles in turns; 0: a block for each tile */
    int64_t split;   /* columns that one worker or block computes of what goes to memory; 0: all */
    int64_t together
        [2]; /* the first and the last nest of those that take pixels one by one; equal: none do */
    int64_t lanes[2]; /* the first nest whose columns are pixels, and the first behind those */
    int nests;
    struct nest_plan nest[MAX_STAGES_OF_KERNEL];
    struct matrix_plan matrix[MAX_STAGES_OF_KERNEL]; /* gpu.h */
    bool staged[MAX_STAGES_OF_KERNEL];               /* rows are copied to shared memory first */
    bool memory[MAX_STAGES_OF_KERNEL]; /* locals of the kernel, in their order, in the workspace */
};

/* What a nest of a kernel is to a schedule. */
struct kernel_stage {
    struct nest nest;
    struct stmt alone; /* the stage without what follows it */
    const struct expr *reduce;
    int rows; /* the first loops are rows; the columns are the last loop, if there is one more */
    bool multiply; /* an operand serves all rows, as in a matrix product */
};

/* Whether a kernel is as passes leave it for schedules, which one in a dump need not be; if not,
 * m->error says why. */
bool kernel_check_schedulable(struct module *m, const struct kernel *kernel);

/* The stages of a schedulable kernel: those in its loops over pixels (*pixels = 3), or its whole body (0). */
int kernel_list_stages(struct module *m, const struct kernel *kernel, int *pixels,
                       struct var **pixel, struct kernel_stage *stage);

/* Register tiles cover rows x columns, `repeats` times: a pixel at a time, or all of them at once. */
enum { OWN_ROWS = 5 };
struct stage_size {
    int64_t rows, columns, repeats;
};
struct stage_size stage_size(const struct kernel_stage *stage, int64_t tile);

/* Blocks of `rows` x `columns` that cover `total`: equal ones, then what is left. */
struct segment {
    int64_t begin, size, count, lanes;
    int64_t first; /* number of the first block, among those of all segments */
};
int segments_of_rows(int64_t total, int64_t block, struct segment *segment);
int segments_of_columns(int64_t total, int64_t columns, int64_t lanes, struct segment *segment);

/* What a schedule of a schedulable kernel asks for. False: it asks for what cannot be, and m->error
 * says what is allowed, m->error_at where. */
bool schedule_read(struct module *m, const struct kernel *kernel, const struct schedule *schedule,
                   const struct rounding *rounding, struct plan *plan);

/* Gives a kernel one more schedule, which asks for that plan. */
void schedule_write(struct module *m, struct kernel *kernel, const char *target,
                    const struct plan *plan);

/* Carries out the commands of a schedule that change the loops of the kernels which a kernel has become.
 * Where one cannot be, m->error says why; where that is said already, nothing is done. apply_edits.c */
void edit_kernels(struct module *m, const struct kernel *from, const struct schedule *schedule,
                  struct kernel *kernels);

/* The factor of a nest's products that differs by rows and by nothing else, where the nest is a sum
 * over one variable of products of such a factor and one that differs by columns; else NULL. */
const struct expr *stage_row_factor(const struct kernel_stage *stage, int pixels,
                                    struct var *const *pixel);
/* The tile whose channels such a factor is; NULL: it is something else. */
struct buffer *stage_row_tile(const struct kernel_stage *stage, const struct expr *factor);

/* Whether a nest is a sum of products x[.., k] * w[k, column], whose even and odd terms may be summed
 * apart, in a vector of twice the columns. */
bool stage_halves(struct module *m, const struct kernel_stage *stage, const struct target *target);

/* Whether nests `together[0]` to `together[1]` may take the pixels of a tile one by one: each does
 * anyway. */
bool stages_together(const struct kernel_stage *stage, int stages, int pixels,
                     const int64_t *together);
/* Whether only these touch a tile, which then has to hold one pixel. */
bool stages_own(const struct kernel_stage *stage, int stages, const int64_t *together,
                const struct buffer *tile);

/* A nest whose columns are the pixels of a tile: all of its own variables are rows. */
struct stage_size lanes_size(const struct kernel_stage *stage, int64_t tile);
/* Whether it is so with a plan's nest; whether such a nest stores to a tile, which then has the pixel as its
 * last dimension. schedule_lanes.c */
bool lanes_has(const struct plan *plan, int64_t nest);
bool lanes_store(const struct kernel_stage *stage, const struct plan *plan,
                 const struct buffer *tile);

/* The columns of what a kernel stores to memory; 0: these cannot be split. */
int64_t kernel_columns(struct module *m, const struct kernel *kernel);
/* What the `split`, the `depth` of a nest, or the `lanes` of a plan asks for that the kernel cannot have,
 * or NULL. */
const char *plan_split_error(struct module *m, const struct kernel *kernel,
                             const struct plan *plan);
const char *plan_depth_error(struct module *m, const struct kernel *kernel, const struct plan *plan,
                             int nest);
const char *plan_lanes_error(struct module *m, const struct kernel *kernel,
                             const struct plan *plan);

/* Takes pixels as lanes for the first nests of a plan whose tile divides a line, if that is cheaper than
 * what each nest costs `without`: cycles of a tile. */
double plan_lanes(const struct target *t, const struct kernel_stage *stage,
                  struct var *const *pixel, const double *without, struct plan *plan);

/* Replaces what a plan says of a kernel that is one linear, if its weights fill much of L2, and decides
 * whether others fetch ahead. */
void plan_linear(struct module *m, const struct kernel *kernel, const struct target *target,
                 struct plan *plan);

/* Shares out a kernel without loops over pixels by its columns, where that is worth it. */
void plan_shares(struct module *m, const struct kernel *kernel, const struct target *target,
                 struct plan *plan);

struct schedule *schedule_of(const struct kernel *kernel, const char *target);

#endif
