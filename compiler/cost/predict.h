/* The cost model: what a target makes of a kernel's loops. */
#ifndef COMPILER_PREDICT_H
#define COMPILER_PREDICT_H
#include "ir.h"
#include "target.h"

/* What a loop's own statements (those of inner loops apart) cost. */
struct loop_cost {
    const struct stmt *loop; /* serial or parallel; NULL: the kernel's body */
    int parent;
    double runs;   /* of its body */
    double cycles; /* of all runs */
    enum bound bound;
};

struct prediction {
    struct cost cost;
    double cycles_of[BOUND_COUNT]; /* of the loops that each limit binds; and what begins loops */
    double alone[BOUND_COUNT];     /* what each limit would take if there were no other */
    int loops;
    struct loop_cost *loop;
};

/* One execution of a kernel on one core, cold but for what earlier kernels left: of its bytes
 * beyond L2 `kept` were in L2 already. A kernel that holds reductions has no schedule yet: it has
 * no cycles, and no loops here; nor has any without a target (NULL). prediction_free in any case.
 */
void kernel_predict(const struct kernel *kernel, const struct target *target, double kept,
                    struct prediction *prediction);
void prediction_free(struct prediction *prediction);

#endif
