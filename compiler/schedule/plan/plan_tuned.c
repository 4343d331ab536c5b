/* Takes schedules out of a .sched file, which is checked here as those of a dump are when they are
 * carried out. */
#include "plan_tuned.h"
#include "commands.h"
#include "plan_read.h"
#include "signature.h"
#include "tunings.h"

/* Commands may not name loops and buffers: kernels of one signature may have other names. */
static bool names_nothing(const struct subject *s, const struct schedule *schedule)
{
    for (const struct command *command = schedule->commands; command; command = command->next) {
        enum command_id id = command_identify(s->target, command);
        if (id < COMMAND_COUNT && command_rows[id].scope >= SCOPE_LOCAL)
            return module_fail(s->m, command->at,
                               "'%s' names a loop or a buffer, which a dump has; here kernels have "
                               "none",
                               command_rows[id].syntax);
    }
    return true;
}

bool plan_tuned(const struct subject *s, struct plan *plan)
{
    struct module *m = s->m;
    if (!m->tunings || m->error)
        return false;
    const char *signature = kernel_signature(m, s->nests);
    struct tuning *tuning;
    while ((tuning = tunings_find(m->tunings, signature, s->target->name))) {
        if (names_nothing(s, tuning->schedule) && plan_read(s, tuning->schedule, plan))
            return true;
        tunings_refuse(m->tunings, tuning, m->error);
        m->error = NULL;
    }
    return false;
}
