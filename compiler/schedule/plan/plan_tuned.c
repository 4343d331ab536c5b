/* Takes schedules out of a .sched file, which is checked here as those of a dump are when they are
 * carried out. */
#include "plan_tuned.h"
#include "plan_read.h"
#include "signature.h"
#include "tunings.h"

/* Commands may not name loops and buffers: kernels of one signature may have other names. */
static bool read(const struct subject *s, const struct schedule *schedule, struct plan *plan)
{
    const struct command *named = schedule_first_named(schedule, s->target);
    if (!named)
        return plan_read(s, schedule, plan);
    return module_fail(s->m, named->at,
                       "'%s' names a loop or a buffer, which is for dumps: here nothing has a name",
                       named->word);
}

bool plan_tuned(const struct subject *s, struct plan *plan)
{
    struct module *m = s->m;
    if (!m->tunings || m->error)
        return false;
    const char *signature = kernel_signature(m, s->nests);
    struct tuning *tuning;
    while ((tuning = tunings_find(m->tunings, signature, s->target->name))) {
        if (read(s, tuning->schedule, plan))
            return true;
        tunings_refuse(m->tunings, tuning, m->error);
        m->error = NULL;
    }
    return false;
}
