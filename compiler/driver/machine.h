/* What this machine runs: its processor's code (target.h), and its GPU's, through san/cuda.h. */
#ifndef COMPILER_MACHINE_H
#define COMPILER_MACHINE_H
#include "diag.h"
#include "ir.h"
#include "target.h"

/* Whether this machine runs code for the target; if not, the error says what is missing. GPUs:
 * device 0. */
bool machine_runs(const struct target *target, int precision, struct error *error);

/* The best of the module's targets that this machine has: the newest GPU; else the processor with
 * the widest vectors, the last of several. The name is the module's. Where the machine has none of
 * them, an error is printed. */
enum status choose_target(const struct module *module, const char **best);

#endif
