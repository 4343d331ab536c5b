#include "choose.h"
#include "choose_gpu.h"
#include "choose_linear.h"
#include "choose_processor.h"
#include "rules_gpu.h"
#include "signature.h"
#include <string.h>

void plan_choose(const struct subject *subject, struct plan *plan)
{
    if (subject->target->gpu)
        gpu_choose(subject, plan);
    else
        processor_choose(subject, plan);
}

/* All that a choice depends on. A signature does not say which values are rounded: that decides only
 * which nests matrix units can do. */
static const char *key_of(const struct subject *subject)
{
    struct arena *arena = subject->m->arena;
    const char *key = arena_printf(arena, "%s: %s ", subject->target->name,
                                   kernel_signature(subject->m, subject->nests));
    for (int i = 0; i < subject->nests->count; i++)
        key = arena_printf(arena, "%s%c", key, nest_no_matrix(subject, i) ? '-' : 'm');
    return key;
}

void plan_choose_once(const struct subject *subject, struct names *chosen, struct plan *plan)
{
    const char *key = key_of(subject);
    const struct name_entry *known = names_find(chosen, key, strlen(key));
    if (known) {
        *plan = *(const struct plan *)known->value;
        return;
    }
    plan_choose(subject, plan);
    names_add(chosen, key, strlen(key), arena_copy(chosen->arena, plan, sizeof *plan));
}

void plan_enumerate(const struct subject *subject, plan_visitor *visit, void *context)
{
    struct plan chosen;
    processor_enumerate(subject, visit, context);
    plan_choose(subject, &chosen);
    linear_enumerate(subject, &chosen, visit, context);
}
