/* Schedules of GPUs: the lines of any schedule, and
 *
 *   threads 256                              ; of a block
 *   tile 4                                   ; pixels of a block
 *   split 256                                ; columns of the last nest that one block computes
 *   blocks 108                               ; at most so many, which take the tiles in turns
 *   place v44_tile workspace                 ; not in shared memory: a slice of each block's own
 *   nest 1 rows 4 columns 8 vector 4         ; the register tile of a thread
 *   stage 0                                  ; its rows are copied to shared memory first
 *   matrix 1 rows 32 columns 64              ; what a warp computes of it by its matrix unit at once
 *   pad 1                                    ; also of the rows that are no whole fragment
 */
#ifndef COMPILER_GPU_H
#define COMPILER_GPU_H
#include "plan_shared.h"
#include "schedule.h"

/* Decides about a kernel for a GPU. rounding: of the module's kernels. */
void gpu_plan(struct module *m, const struct kernel *kernel, const struct target *target,
              const struct rounding *rounding, struct plan *plan);

/* Carries a plan out: kernels for the target are appended at *at; returns where the next one goes.
 * pixels: of the kernel's loops over pixels, 1 without. */
struct kernel **gpu_apply(struct module *m, const struct kernel *from, const char *target,
                          const struct plan *plan, int64_t pixels, struct kernel **at);

/* Rows and columns of a nest, from the first on. */
struct area {
    int64_t row, rows, column, columns;
};

/* How many iterations of a reduction's innermost loop are written out in a register tile of so many
 * elements: so many loads can be under way at once. */
int64_t gpu_unroll(int64_t elements, int64_t extent);

/* Sums that a thread of a warp has in registers, at most, and terms that are written out. */
enum { MOST_MATRIX_SUMS = 64, MOST_MATRIX_UNROLL = 4 };
/* How many of `steps` steps, each of so many products of 16 x 8 elements, a loop's body writes out. */
int64_t matrix_unroll(int64_t products, int64_t steps);
/* The columns that follow each other in one thread's registers: 4, 2 or 1. */
int64_t matrix_lanes(int64_t columns);
/* Rows in whole fragments, and the shared memory for the sums of those that are not. */
int64_t matrix_padded(int64_t rows);
int64_t matrix_sums_bytes(const struct area *area);
/* Why a nest of a kernel is nothing for matrix units, or NULL. */
const char *matrix_error(const struct module *m, const struct kernel *kernel,
                         const struct kernel_stage *stage, int pixels, struct var *const *pixel,
                         const struct target *target, const struct rounding *rounding);

/* Why the rows of a nest of a kernel cannot be copied to shared memory first, or NULL. */
const char *stage_error(const struct kernel *kernel, const struct kernel_stage *stage, int stages,
                        int nest, int pixels, struct var *const *pixel);
/* What they take there. */
int64_t stage_bytes(const struct kernel_stage *stage, bool pixels, int64_t tile);

/* The columns of the last nest, if blocks may share them: whatever else they do is their own; else 0. */
int64_t gpu_columns(const struct kernel *kernel, const struct kernel_stage *stage, int stages);
/* What the split of a plan asks for that the kernel cannot have, or NULL. */
const char *gpu_split_error(struct module *m, const struct kernel *kernel, const struct plan *plan);

/* Whether a command is `place LOCAL workspace`, which is carried out with the nests. */
bool gpu_places_in_workspace(const struct target *target, const struct command *command);

/* Whether a kernel has neither pixels nor locals: its nests are kernels of their own on a GPU. */
bool gpu_kernel_is_list(const struct kernel *kernel);

/* The shape of a local in shared memory: rows are an odd number of 16 bytes apart, so that eight
 * neighbouring rows lie in different banks. */
struct shape gpu_local_shape(const struct buffer *local, bool pixels, int64_t tile);

#endif
