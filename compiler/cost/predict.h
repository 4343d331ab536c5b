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
    double cycles_of
        [BOUND_COUNT]; /* what each limit alone would take, and what begins and ends loops */
    int loops;
    struct loop_cost *loop;
};

/* One execution of a kernel on one core, cold but for what earlier kernels left: of its bytes beyond L2
 * `kept` were in L2 already. A kernel that holds reductions has no schedule yet: it has no cycles, and
 * no loops here; nor has any without a target (NULL). prediction_free in any case. */
void kernel_predict(const struct kernel *kernel, const struct target *target, double kept,
                    struct prediction *prediction);
void prediction_free(struct prediction *prediction);

/* All kernels that run on the target, in their order, each after what the ones before (and the run
 * before) left in L2. predictions_free in any case. */
struct predictions {
    int count;
    const struct kernel **kernel;
    struct prediction *of;
    double cycles;
};
void module_predict(const struct module *module, const char *name, const struct target *target,
                    struct predictions *predictions);
/* What so many runs take together; the loops of kernels stay those of one. */
void predictions_repeat(struct predictions *predictions, int64_t times);
void predictions_free(struct predictions *predictions);

/* Writes every kernel's cost into the module: cycles and bytes by level for those that have been
 * scheduled, operations and distinct bytes for the others. */
void module_write_costs(struct module *module);

#endif
