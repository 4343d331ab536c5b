/* Writes a schedule for every kernel and target: the one that the module's tunings have for it, or
 * one that is chosen. apply_schedules carries it out, so that edited schedules are treated the same
 * way. */
#include "choose.h"
#include "plan_read.h"
#include "plan_tuned.h"
#include "plan_write.h"
#include "rounding.h"
#include "tidy.h"
#include <assert.h>

pass_function schedule;

int schedule(struct module *m)
{
    int changes = 0;
    struct names chosen = {.arena = m->arena};
    struct subject subject = {.m = m, .rounding = rounding_new(m, m->arena)};
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        subject.nests = nests_find(m, kernel);
        for (int i = 0; subject.nests && i < m->targets; i++) {
            subject.target = target_find(m->target[i], NULL);
            assert(subject.target); /* the command line was checked */
            if (schedule_find(kernel, m->target[i]))
                continue;
            struct plan plan;
            if (!plan_tuned(&subject, &plan))
                plan_choose_once(&subject, &chosen, &plan);
            plan_write(m, kernel, m->target[i], &plan);
            changes++;
        }
        if (!subject.nests)
            break;
    }
    return changes;
}
