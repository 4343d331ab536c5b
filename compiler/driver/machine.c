#include "machine.h"
#include "san/cuda.h"
#include <string.h>

static bool gpu_runs(const struct target *target, struct error *error)
{
    struct san_cuda_error failure;
    unsigned capability;
    if (san_cuda_capability(0, &capability, &failure))
        return error_set(error, "%s", failure.text);
    bool runs = target->gpu->exact ? capability == target->gpu->capability
                                   : capability >= target->gpu->capability;
    if (!runs)
        error_set(error, "the GPU has compute capability %u.%u", capability / 10, capability % 10);
    return runs;
}

bool machine_runs(const struct target *target, int precision, struct error *error)
{
    return target->gpu ? gpu_runs(target, error) : target_runs_here(target, precision, error);
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
    struct error why[MAX_TARGETS];
    for (int i = 0; i < module->targets; i++) {
        const struct target *target = target_find(module->target[i], &why[i]);
        if (!target || rank(target) < most || !machine_runs(target, module->precision, &why[i]))
            continue;
        most = rank(target);
        *best = module->target[i];
    }
    if (most)
        return STATUS_DONE;
    for (int i = 0; i < module->targets; i++)
        diag_error(NULL, 0, 0, "this machine does not run %s: %s", module->target[i], why[i].text);
    return STATUS_SYSTEM;
}
