/* The cost of operations on a core, in addition to target.h: constants that rank plans when one is
 * chosen, and those that predict cycles. */
#ifndef COMPILER_CORE_MODEL_H
#define COMPILER_CORE_MODEL_H
#include "target.h"

/* ---- for choosing ---------------------------------------------------------------------------- */

/* As the core "any" has them. The rates of other cores (struct core) are so far used by predictions
 * only. */
enum { LOADS_PER_CYCLE = 2, L2_BYTES_PER_CYCLE = 32 };
/* From beyond L2: of weights that one nest streams, and of weights that all of a network streams.
 */
enum { L3_BYTES_PER_CYCLE = 10, FAR_BYTES_PER_CYCLE = 5 };
/* AMX: cycles of a product for each row, and of a tile's move between registers and
 * memory that nothing hides (a load takes half a cycle a row, a store one). */
enum { TILE_ROW_CYCLES = 1, TILE_MOVE_CYCLES = 16, TILE_SETUP_CYCLES = 40 /* estimated */ };
/* To begin and to end a register tile. */
enum { BLOCK_CYCLES = 12 };

/* Cycles of one step of a reduction in a register tile with so many vector FMAs and loads; at least
 * the latency of the chain of sums. */
double core_step_cycles(const struct target *target, double fmas, double loads);

/* The same for a block of rows and vectors in AMX's tiles, for a step of `terms` terms; and what
 * comes before and after its steps: vectors of results too, where AMX has not stored them. */
double core_tiles_cycles(int64_t rows, int64_t vectors, int64_t terms);
double core_tiles_moved(int64_t tiles, int64_t rows, int64_t vectors, bool stored);

/* ---- for predicting -------------------------------------------------------------------------- */

/* Vector operations of an exponential in the backend, with AVX-512's scaling by a power of two and
 * without; the FMAs among them. */
enum { EXP_OPERATIONS_SCALED = 13, EXP_OPERATIONS = 15, EXP_FMAS = 9 };

/* Streams from a cache overlap with the arithmetic, which hides at most this part of their time:
 * from L2, from beyond, and from beyond with prefetches. */
static const double L2_HIDDEN = 0.8, MEMORY_HIDDEN = 0.4, AHEAD_HIDDEN = 0.85;

#endif
