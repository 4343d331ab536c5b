/* The cost model for all kernels of a module. */
#ifndef COMPILER_PREDICT_MODULE_H
#define COMPILER_PREDICT_MODULE_H
#include "predict.h"

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
/* Multiplies the predictions by `times` runs; the loops of kernels stay those of one run. */
void predictions_repeat(struct predictions *predictions, int64_t times);
void predictions_free(struct predictions *predictions);

/* Writes every kernel's cost into the module: cycles and bytes by level for those that have been
 * scheduled, operations and distinct bytes for the others. */
void module_write_costs(struct module *module);

#endif
