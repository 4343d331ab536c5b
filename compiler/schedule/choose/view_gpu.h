/* A kernel as plans for GPUs see it. */
#ifndef COMPILER_VIEW_GPU_H
#define COMPILER_VIEW_GPU_H
#include "plan.h"

struct nest_view {
    int64_t rows, columns, depth;
    bool far;     /* its reduction, if any, or its value reads other memory than shared */
    bool matrix;  /* matrix units may do it */
    bool staging; /* its rows may be copied to shared memory */
    bool halves;  /* it multiplies values of type bf16, terms in pairs */
};

/* A buffer of the kernel. */
struct local_view {
    const struct buffer *buffer;
    bool in_workspace; /* not in shared memory */
    int first, last;   /* nests that touch it */
};

struct view {
    const struct nests *nests;
    const struct gpu *gpu;
    int64_t shared_columns; /* columns of the last nest that blocks may share */
    int64_t terms;          /* that a matrix unit adds up at once */
    struct nest_view nest[MAX_NESTS];
    int locals;
    struct local_view local[MAX_NESTS];
};

void view_init(struct view *view, const struct subject *subject);
/* Bytes of all local buffers for a tile of `tile` pixels; those in shared memory; and those in the
 * workspace instead. */
int64_t view_tile_bytes(const struct view *view, int64_t tile);
int64_t view_shared_bytes(const struct view *view, int64_t tile);
/* Bytes in shared memory of all but one; NULL: of all. */
int64_t view_shared_bytes_without(const struct view *view, const struct buffer *without,
                                  int64_t tile);
int64_t view_slice_bytes(const struct view *view, int64_t tile);

#endif
