/* PTX to a cubin, by NVIDIA's ptxas. */
#ifndef COMPILER_CUBIN_H
#define COMPILER_CUBIN_H
#include "backend.h"
#include "diag.h"

/* Assembles `ptx` for a GPU ("sm_80"). STATUS_SYSTEM with a message where there is no ptxas,
 * neither on the PATH nor in /usr/local/cuda/bin. */
enum status cubin_assemble(const struct backend_file *ptx, const char *gpu,
                           struct backend_file *cubin);

/* What `ptxas -v` says of `ptx`: registers and spilled bytes of each function. NULL: there is no
 * ptxas, or it refuses the text. free() it. */
char *cubin_report(const struct backend_file *ptx, const char *gpu);

#endif
