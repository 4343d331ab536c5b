#include "core_model.h"

static double larger(double a, double b)
{
    return a > b ? a : b;
}

double core_step_cycles(const struct target *target, double fmas, double loads)
{
    double step = larger(fmas / target->fma_per_cycle, loads / LOADS_PER_CYCLE);
    return larger(step, target->fma_latency);
}
