/* Carries out the schedules: every kernel becomes one or more kernels for each target, whose loops
 * have kinds and whose accumulators are in registers (build/). */
#include "build_gpu.h"
#include "build_processor.h"
#include "edit_loops.h"
#include "plan_read.h"
#include "rounding.h"
#include "tidy.h"
#include "touches.h"
#include <assert.h>

pass_function apply_schedules;

static struct kernel **apply_one(const struct subject *s, const struct schedule *schedule,
                                 struct kernel **at)
{
    struct plan plan;
    struct kernel **first = at;
    if (!plan_read(s, schedule, &plan))
        return at;
    at = s->target->gpu ? gpu_build(s, &plan, at) : processor_build(s, &plan, at);
    loops_edit(s, schedule, *first);
    return at;
}

/* Whether a kernel has a schedule for each target; if not, m->error says so. */
static bool check_schedules(struct module *m, const struct kernel *kernel)
{
    for (int i = 0; i < m->targets; i++)
        if (!schedule_find(kernel, m->target[i]))
            return module_fail(m, kernel->at, "kernel %s has no schedule for \"%s\"", kernel->name,
                               m->target[i]);
    return true;
}

/* The nests of all kernels, in their order; NULL: m->error says why. */
static struct nests **find_nests(struct module *m)
{
    size_t kernels = 0, i = 0;
    for (const struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        kernels++;
    struct nests **nests = arena_alloc(m->arena, kernels * sizeof *nests);
    for (const struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        if (!(nests[i++] = nests_find(m, kernel)) || !check_schedules(m, kernel))
            return NULL;
    return nests;
}

int apply_schedules(struct module *m)
{
    struct kernel *kernels = m->kernels, **at = &m->kernels;
    struct nests **nests = find_nests(m);
    int changes = 0;
    if (!nests)
        return 0;
    struct subject s = {.m = m, .rounding = rounding_new(m, m->arena)};
    m->kernels = NULL;
    for (const struct kernel *from = kernels; from; from = from->next) {
        s.nests = *nests++;
        for (int i = 0; i < m->targets && !m->error; i++, changes++) {
            s.target = target_find(m->target[i], NULL);
            assert(s.target); /* of the module, which was checked */
            at = apply_one(&s, schedule_find(from, m->target[i]), at);
        }
    }
    *at = NULL;
    graph_tidy(m); /* tables of lines were added anywhere */
    touches_index(m);
    buffers_remove_unused(m);
    return changes;
}
