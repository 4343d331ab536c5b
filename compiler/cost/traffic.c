/* Bytes that kernels read and write: what a network costs in memory traffic. */
#include "traffic.h"
#include "cost.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

/* Bytes of tensors and weights, without those in the kernel's own tiles. */
static int64_t shared_bytes(const struct work *work, unsigned kinds, int64_t *scratch)
{
    int64_t bytes = 0;
    work_footprint(work, kinds, scratch);
    for (int i = 0; i < work->buffers; i++)
        bytes += work->buffer[i]->place >= PLACE_STACK ? 0 : scratch[i];
    return bytes;
}

static bool runs_on(const struct kernel *kernel, const char *target)
{
    return !kernel->target || strcmp(kernel->target, target) == 0;
}

static void add_kernel(struct traffic *traffic, const struct kernel *kernel, int64_t turns)
{
    struct work *work = work_new(kernel);
    int64_t *scratch = allocate(work->buffers + 1, sizeof *scratch);
    struct kernel_traffic one = {kernel->name, kernel->label,
                                 turns * shared_bytes(work, ACCESS_READ, scratch),
                                 turns * shared_bytes(work, ACCESS_WRITE, scratch)};
    traffic->kernel[traffic->count++] = one;
    traffic->read += one.read;
    traffic->written += one.written;
    free(scratch);
    work_free(work);
}

void module_traffic(const struct module *module, const char *target, struct traffic *traffic)
{
    int64_t kernels = 0;
    *traffic = (struct traffic){0};
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
        kernels += runs_on(kernel, target);
    traffic->kernel = allocate(kernels, sizeof *traffic->kernel);
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
        if (runs_on(kernel, target))
            add_kernel(traffic, kernel, module->turns);
}

void traffic_free(struct traffic *traffic)
{
    free(traffic->kernel);
    *traffic = (struct traffic){0};
}
