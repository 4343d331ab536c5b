/* Schedules of GPUs: the lines of any schedule, and
 *
 *   threads 256                              ; of a block
 *   tile 4                                   ; pixels of a block
 *   split 256                                ; columns of the last nest that one block computes
 *   nest 1 rows 4 columns 8 vector 4         ; the register tile of a thread
 */
#ifndef COMPILER_GPU_H
#define COMPILER_GPU_H
#include "schedule.h"

/* Decides about a kernel for a GPU. */
void gpu_plan(struct module *m, const struct kernel *kernel, const struct target *target,
              struct plan *plan);

/* Carries a plan out: kernels for the target are appended at *at; returns where the next one goes.
 * pixels: of the kernel's loops over pixels, 1 without. */
struct kernel **gpu_apply(struct module *m, const struct kernel *from, const char *target,
                          const struct plan *plan, int64_t pixels, struct kernel **at);

/* How many iterations of a reduction's innermost loop are written out in a register tile of so many
 * elements: so many loads can be under way at once. */
int64_t gpu_unroll(int64_t elements, int64_t extent);

/* The columns of the last nest, if blocks may share them: whatever else they do is their own; else 0. */
int64_t gpu_columns(const struct kernel *kernel, const struct kernel_stage *stage, int stages);
/* What the split of a plan asks for that the kernel cannot have, or NULL. */
const char *gpu_split_error(struct module *m, const struct kernel *kernel, const struct plan *plan);

/* Whether a kernel has neither pixels nor locals: its nests are kernels of their own on a GPU. */
bool gpu_kernel_is_list(const struct kernel *kernel);

/* The shape of a local in shared memory: rows are an odd number of 16 bytes apart, so that eight
 * neighbouring rows lie in different banks. */
struct shape gpu_local_shape(const struct buffer *local, bool pixels, int64_t tile);

/* Buffers that hold data from interval `first` to `last`: those that do at once do not overlap. */
struct shared_buffer {
    int64_t bytes, offset;
    int first, last;
};

/* Gives each its offset; returns the bytes of all. */
int64_t shared_place(int count, struct shared_buffer *buffer);

/* Gives the shared buffers of a kernel their offsets; returns how many there are. Lives are counted
 * in barriers. */
int shared_plan(struct kernel *kernel);

#endif
