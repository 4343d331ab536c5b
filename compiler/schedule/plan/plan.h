/* A plan: what one pass decides about a kernel for a target and another carries out. As text in a
 * dump it is a schedule, whose commands are in commands.def. */
#ifndef COMPILER_PLAN_H
#define COMPILER_PLAN_H
#include "nests.h"
#include "target.h"

/* What a warp of a GPU computes of a nest by its matrix unit, 16 x 8 elements at a time; rows 0:
 * nothing. */
struct matrix_plan {
    int64_t rows, columns;
    bool pad; /* rows that are no whole fragment are repeated to be one */
};

struct nest_plan {
    int64_t rows, columns, lanes; /* of the register tile; columns a multiple of lanes */
    int64_t depth;                /* of a block of its reduction; 0: it is not in blocks */
    bool ahead;                   /* fetches the weights that it reads next */
    bool halves;                  /* sums even and odd terms in lanes beside each other */
    bool staging;                 /* GPU: its rows are copied to shared memory first */
    struct matrix_plan matrix;    /* GPU */
};

/* Nests `begin` to `end - 1`; none where both are equal. */
struct nest_range {
    int64_t begin, end;
};

struct plan {
    int64_t tile;               /* pixels */
    int64_t threads;            /* of a block of a GPU; 0: a processor */
    int64_t blocks;             /* of a GPU, at most, which take tiles in turns; 0: one for each */
    int64_t split;              /* columns of results that one worker or block computes; 0: all */
    struct nest_range together; /* take the pixels of a tile one by one, all for one pixel */
    struct nest_range lanes;    /* have the pixels of a tile as columns */
    int nests;
    struct nest_plan nest[MAX_NESTS];
    bool in_workspace[MAX_NESTS]; /* GPU: buffers of the kernel, in their order, that are there */
};

/* What a plan is for: a kernel on a target. */
struct subject {
    struct module *m;
    const struct nests *nests;
    const struct target *target;
    const struct rounding *rounding; /* of all kernels of the module */
};

/* A plan that asks for nothing: a pixel at a time, register tiles of one element. */
void plan_init(struct plan *plan, const struct subject *subject);

bool range_has(const struct nest_range *range, int64_t nest);

/* The columns of a nest in a plan: pixels of the tile, or its own. */
int64_t plan_nest_columns(const struct plan *plan, const struct nests *nests, int64_t nest);

/* Whether only the nests that a plan has together touch a buffer of the kernel, which then holds
 * one pixel. */
bool plan_keeps_to_pixel(const struct plan *plan, const struct nests *nests,
                         const struct buffer *local);
/* Whether a nest that has pixels as columns stores to a buffer of the kernel, which then has the
 * pixel as its last dimension. */
bool plan_has_lanes(const struct plan *plan, const struct nests *nests, const struct buffer *local);

#endif
