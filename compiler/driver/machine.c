#include "machine.h"
#include "san/cuda.h"
#include <string.h>

static bool gpu_runs(const struct target *target, char *why, size_t why_size)
{
    struct san_cuda_error error;
    unsigned capability;
    if (san_cuda_capability(0, &capability, &error)) {
        snprintf(why, why_size, "%s", error.text);
        return false;
    }
    bool runs = target->gpu->exact ? capability == target->gpu->capability
                                   : capability >= target->gpu->capability;
    if (!runs)
        snprintf(why, why_size, "the GPU has compute capability %u.%u", capability / 10,
                 capability % 10);
    return runs;
}

bool machine_runs(const struct target *target, char *why, size_t why_size)
{
    return (target->gpu ? gpu_runs : target_runs_here)(target, why, why_size);
}

/* More is better. */
static int rank(const struct target *target)
{
    enum { GPU = 1000 };
    return target->gpu ? GPU + 2 * (int)target->gpu->capability + target->gpu->exact
                       : target->lanes;
}

enum status choose_target(const struct module *module, const char **best)
{
    int most = 0;
    char why[MAX_TARGETS][512];
    for (int i = 0; i < module->targets; i++) {
        const struct target *target = target_find(module->target[i], why[i], sizeof why[i]);
        if (!target || rank(target) < most || !machine_runs(target, why[i], sizeof why[i]))
            continue;
        most = rank(target);
        *best = module->target[i];
    }
    if (most)
        return STATUS_DONE;
    for (int i = 0; i < module->targets; i++)
        diag_error(NULL, 0, 0, "this machine does not run %s: %s", module->target[i], why[i]);
    return STATUS_SYSTEM;
}
