/* A plan: the decisions about a kernel for a target, which the pass `schedule` makes and
 * `apply_schedules` carries out. As text in a dump it is a schedule, whose commands are in
 * commands.def. */
#ifndef COMPILER_PLAN_H
#define COMPILER_PLAN_H
#include "nests.h"
#include "target.h"

/* The part of a nest that a warp of a GPU computes at a time by its matrix unit, in fragments of 16
 * x 8 elements; rows 0: none. */
struct matrix_plan {
    int64_t rows, columns;
    bool pad; /* rows that fill no fragment are repeated until they do */
};

struct nest_plan {
    int64_t rows, columns, lanes; /* of the register tile; columns a multiple of lanes */
    int64_t depth;                /* terms in a block of its reduction; 0: no blocks */
    int64_t parts;                /* GPU: of its reduction, computed at once; 0: one */
    bool ahead;                   /* fetches the weights that it reads next */
    bool halves;                  /* sums even and odd terms in neighbouring lanes */
    bool pairs;                   /* by the unit that adds two products of bf16 to a lane */
    bool amx;                     /* by AMX, which multiplies tiles of bf16 */
    bool staging;                 /* GPU: its rows are copied to shared memory first */
    struct matrix_plan matrix;    /* GPU */
};

/* Nests `begin` to `end - 1`; none where both are equal. */
struct nest_range {
    int64_t begin, end;
};

struct plan {
    int64_t tile;    /* pixels */
    int64_t threads; /* of a block of a GPU; 0: a processor */
    int64_t blocks;  /* of a GPU: at most so many, which take tiles in turn; 0: one for each tile */
    int64_t split;   /* columns of results that one worker or block computes; 0: all */
    struct nest_range together; /* run all for one pixel, then for the next */
    struct nest_range lanes;    /* have the pixels of a tile as columns */
    int nests;
    struct nest_plan nest[MAX_NESTS];
    bool in_workspace[MAX_NESTS]; /* GPU: by number of the kernel's buffer */
};

/* What a plan is for: a kernel on a target. */
struct subject {
    struct module *m;
    const struct nests *nests;
    const struct target *target;
    const struct rounding *rounding; /* of all kernels of the module */
};

/* The least plan: a pixel at a time, register tiles of one element. */
void plan_init(struct plan *plan, const struct subject *subject);

bool range_has(const struct nest_range *range, int64_t nest);

/* The columns of a nest in a plan: pixels of the tile, or its own. */
int64_t plan_nest_columns(const struct plan *plan, const struct nests *nests, int64_t nest);

/* Whether only nests in plan->together touch a buffer of the kernel, which then holds one pixel. */
bool plan_keeps_to_pixel(const struct plan *plan, const struct nests *nests,
                         const struct buffer *local);
/* Whether a nest with pixels as columns stores to a buffer of the kernel, whose last dimension is
 * then the pixel. */
bool plan_has_lanes(const struct plan *plan, const struct nests *nests, const struct buffer *local);

#endif
