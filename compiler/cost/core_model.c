#include "core_model.h"
#include "matrix.h"

static double larger(double a, double b)
{
    return a > b ? a : b;
}

double core_tiles_cycles(int64_t rows, int64_t vectors, int64_t terms)
{
    /* each row of a tile is a load; a vector's terms lie in pairs */
    double loads = (double)(rows + vectors * terms / PAIR) / LOADS_PER_CYCLE;
    return larger((double)(TILE_ROW_CYCLES * rows * vectors), loads);
}

double core_tiles_moved(int64_t tiles, int64_t rows, int64_t vectors, bool stored)
{
    enum { VECTOR_CYCLES = 2 }; /* of a vector of results, which comes from memory */
    return (double)(tiles * TILE_MOVE_CYCLES + (stored ? 0 : VECTOR_CYCLES * rows * vectors));
}

double core_step_cycles(const struct target *target, double fmas, double loads)
{
    double step = larger(fmas / target->fma_per_cycle, loads / LOADS_PER_CYCLE);
    return larger(step, target->fma_latency);
}
