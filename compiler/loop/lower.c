/* Graph form to loop form, op by op: every value becomes a buffer, every op one nest of loops (or a
 * few) in a kernel of its own. Nothing is fused, ordered or placed here.
 *
 *   %3 = linear %1, %2, %b : f32[1, 28, 28, 64]
 *   =>
 *   kernel conv_28x28x64 {
 *     for n in 1, y in 28, x in 28, c in 64
 *       v3[n, y, x, c] = sum k in 32 (v1[n, y, x, k] * w2[k, c]) from w2b[c]
 *   }
 *
 * Requires: footprints with padding valid, windows without padding (pad_borders); borders are then
 * plain offsets. */
#include "loops.h"
#include "lowering.h"
#include "memory.h"
#include "op.h"
#include <stdlib.h>

pass_function lower;

int lower(struct module *m)
{
    struct lowering l = {.m = m, .last_buffer = &m->buffers, .last_kernel = &m->kernels};
    l.of = allocate(m->next_id + 1, sizeof *l.of);
    l.kernels.arena = m->arena;
    for (const struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        lowering_name_kernel(&l, kernel->name);
    int changes = 0;
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (!inst_is_constant(inst)) {
            inst_lower(&l, inst);
            changes++;
        }
    free(l.of);
    kernels_name_vars(m);
    return changes;
}
