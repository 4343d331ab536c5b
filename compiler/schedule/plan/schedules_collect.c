#include "schedules_collect.h"
#include "plan_read.h"
#include "plan_write.h"
#include "rounding.h"
#include "signature.h"
#include <assert.h>

void schedules_collect(struct module *m, struct tunings *tunings)
{
    struct arena *arena = tunings->memory->arena;
    struct subject subject = {.m = m, .rounding = rounding_new(m, m->arena)};
    for (const struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        subject.nests = nests_find(m, kernel);
        const char *signature = kernel_signature(m, subject.nests);
        for (const struct schedule *s = kernel->schedules; s; s = s->next) {
            struct plan plan;
            struct kernel none = {.locals = kernel->locals};
            subject.target = target_find(s->target, NULL);
            if (tunings_find(tunings, signature, s->target) ||
                schedule_first_named(s, subject.target) || !plan_read(&subject, s, &plan))
                continue;
            plan_write(tunings->memory, &none, arena_printf(arena, "%s", s->target), &plan);
            tunings_add(tunings, arena_printf(arena, "%s", signature), none.schedules);
        }
    }
}
