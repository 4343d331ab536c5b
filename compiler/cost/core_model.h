/* What a core takes, beside what target.h says of each: for choosing plans, by constants that rank
 * them, and for predicting cycles. */
#ifndef COMPILER_CORE_MODEL_H
#define COMPILER_CORE_MODEL_H
#include "target.h"

/* ---- for choosing ---------------------------------------------------------------------------- */

/* As the core "any" has them: described cores have rates of their own (struct core), by which only
 * predictions go so far. */
enum { LOADS_PER_CYCLE = 2, L2_BYTES_PER_CYCLE = 32 };
/* From beyond L2, of weights that one nest streams, and of those that all of a network streams. */
enum { L3_BYTES_PER_CYCLE = 10, FAR_BYTES_PER_CYCLE = 5 };
/* To begin and to end a register tile. */
enum { BLOCK_CYCLES = 12 };

/* One step of a reduction in a register tile: so many vector FMAs and loads; no less than the sums'
 * chain. */
double core_step_cycles(const struct target *target, double fmas, double loads);

/* ---- for predicting -------------------------------------------------------------------------- */

/* Vector operations of an exponential as the backend writes it, with AVX-512's scaling by a power
 * of two and without, and FMAs among them. */
enum { EXP_OPERATIONS_SCALED = 13, EXP_OPERATIONS = 15, EXP_FMAS = 9 };

/* Streams from a cache run beside the arithmetic, and this part of their time or less is hidden by
 * it: from L2, from beyond, and from beyond where lines are asked for ahead. */
static const double L2_HIDDEN = 0.8, MEMORY_HIDDEN = 0.4, AHEAD_HIDDEN = 0.85;

#endif
