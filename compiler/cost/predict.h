/* The cost model: predicts the cycles of a kernel's loops on a target. */
#ifndef COMPILER_PREDICT_H
#define COMPILER_PREDICT_H
#include "ir.h"
#include "target.h"

/* The cost of a loop's own statements, without those of inner loops. */
struct loop_cost {
    const struct stmt *loop; /* serial or parallel; NULL: the kernel's body */
    int parent;
    double runs;   /* of its body */
    double cycles; /* of all runs */
    enum bound bound;
};

struct prediction {
    struct cost cost;
    double cycles_of[BOUND_COUNT]; /* by limit; beginnings of loops are BOUND_LATENCY */
    double alone[BOUND_COUNT];     /* what each limit would take if there were no other */
    int loops;
    struct loop_cost *loop;
};

/* One execution of a kernel on one core. Caches are cold, but for `kept` of its bytes beyond L2,
 * which earlier kernels left in L2. A kernel with reductions in it is not scheduled yet and gets
 * neither cycles nor loops; nor does any kernel without a target (NULL). prediction_free in any
 * case. */
void kernel_predict(const struct kernel *kernel, const struct target *target, double kept,
                    struct prediction *prediction);
void prediction_free(struct prediction *prediction);

#endif
