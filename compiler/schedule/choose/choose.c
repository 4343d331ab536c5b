#include "choose.h"
#include "choose_gpu.h"
#include "choose_linear.h"
#include "choose_processor.h"
#include "rules_gpu.h"
#include "signature.h"
#include <string.h>

/* Plans are those for the level of a processor. They were fitted to measured times by its numbers:
 * with its own, native code was 1 to 2% slower on a Zen 4, 9 to 12% on a Sapphire Rapids. */
static struct subject on_level(const struct subject *subject)
{
    struct subject s = *subject;
    s.target = target_level_of(s.target, s.m->precision);
    return s;
}

void plan_choose(const struct subject *subject, struct plan *plan)
{
    struct subject s = on_level(subject);
    if (s.target->gpu)
        gpu_choose(&s, plan);
    else
        processor_choose(&s, plan);
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
    struct subject s = on_level(subject);
    struct plan chosen;
    processor_enumerate(&s, visit, context);
    plan_choose(&s, &chosen);
    linear_enumerate(&s, &chosen, visit, context);
}
