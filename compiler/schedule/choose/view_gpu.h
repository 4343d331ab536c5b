/* A kernel as plans for GPUs see it. */
#ifndef COMPILER_VIEW_GPU_H
#define COMPILER_VIEW_GPU_H
#include "gpu.h"

struct view {
    const struct gpu *gpu;
    int64_t pixels;
    bool in_pixels, list;
    int64_t shared_columns;            /* of the last nest, that blocks may share */
    bool far[MAX_STAGES_OF_KERNEL];    /* a reduction reads other than shared memory */
    bool matrix[MAX_STAGES_OF_KERNEL]; /* matrix units may do it, so many terms at once */
    int64_t terms;
    bool stageable[MAX_STAGES_OF_KERNEL]; /* its rows may be copied to shared memory */
    int stages, locals;
    struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    int64_t rows[MAX_STAGES_OF_KERNEL], columns[MAX_STAGES_OF_KERNEL], depth[MAX_STAGES_OF_KERNEL];
    const struct buffer *local[MAX_STAGES_OF_KERNEL];
    bool memory[MAX_STAGES_OF_KERNEL]; /* the local is in the workspace, not in shared memory */
    int first[MAX_STAGES_OF_KERNEL], last[MAX_STAGES_OF_KERNEL]; /* nests that touch the local */
};

void view_kernel(struct module *m, const struct kernel *kernel, const struct target *target,
                 const struct rounding *rounding, struct view *view);
/* All that a tile of so many pixels keeps to itself, the shared memory that it needs, and the bytes of
 * what lies in the workspace instead. */
int64_t view_tile_bytes(const struct view *view, int64_t tile);
int64_t view_shared_bytes(const struct view *view, int64_t tile);
int64_t view_slice_bytes(const struct view *view, int64_t tile);

#endif
