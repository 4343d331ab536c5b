/* Finds a smaller model that fails too: tries changes in turn and keeps those with which it still
 * fails. */
#include "model_shrink.h"
#include "random_model.h"
#include <string.h>
#include <time.h>

static const double MOST_SECONDS = 60;

enum { RUN_CHANGES = 3 };

static void change_run(struct random_model *m, int change)
{
    if (change == 0)
        m->batch = 1;
    else if (change == 1)
        m->threads = 1;
    else
        m->doubles = false;
}

/* Smaller or plainer, so that shrinking ends. */
static bool simpler(const struct random_model *a, const struct random_model *b)
{
    struct random_model p = *a, q = *b;
    if (!random_model_valid(&p) || memcmp(&p, &q, sizeof p) == 0)
        return false;
    return random_model_work(&p) <= random_model_work(&q);
}

static double seconds_now(void)
{
    return (double)time(NULL);
}

struct random_model model_shrink(const struct random_model *m, const struct checks *checks,
                                 enum verdict verdict)
{
    struct random_model best = *m;
    double end = seconds_now() + MOST_SECONDS;
    bool changed = true;
    while (changed) {
        changed = false;
        for (int i = RUN_CHANGES + model_changes(&best.model) - 1; i >= 0 && seconds_now() < end;
             i--) {
            struct random_model next = best;
            if (i < RUN_CHANGES)
                change_run(&next, i);
            else if (i < RUN_CHANGES + model_changes(&best.model))
                model_change(&next.model, i - RUN_CHANGES);
            if (!simpler(&next, &best))
                continue;
            if (model_check_apart(&next, checks, true).verdict == verdict) {
                best = next;
                changed = true;
            }
        }
    }
    return best;
}
