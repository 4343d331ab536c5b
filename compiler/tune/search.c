/* Best first: of all candidates that were not tried, the one with the least predicted cycles runs
 * against the best so far. Where it wins, its neighbours become candidates.
 *
 *   chosen plan, plans that the chooser considers, neighbours of the chosen one
 *     -> rules (alone_check), prediction (cost/)
 *     -> compiled, compared with the evaluator, timed in turns with the best (bed.c)
 *
 * At the end the best runs against the chosen one once more, longer: of many candidates one may
 * have been lucky. */
#include "search.h"
#include "choose.h"
#include "memory.h"
#include "neighbours.h"
#include "passes.h"
#include "predict_module.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Considered plans that are predicted; candidates in a row that are no better, after which the
 * search ends; pairs of runs of a comparison, and of the last one. */
enum { CONSIDERED = 48, MOST_MISSES = 40, LEAST_PAIRS = 6, MOST_PAIRS = 40, LAST_PAIRS = 40 };
/* Candidates predicted to take longer than this, as part of the best one's time, are not tried. */
static const double WORTH_TRYING = 1.25;

struct candidate {
    struct plan plan;
    double cycles; /* predicted; negative: it was tried */
};

struct state {
    struct search *search;
    struct bed bed;
    struct target here;
    struct arena *arena;
    struct names seen; /* commands of all candidates */
    int count, room;
    struct candidate **candidate;
    double begin, best_cycles;
    struct timed chosen, best;
    bool best_is_chosen;
    double chosen_us, best_us;
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool goes_on(const struct state *s)
{
    const struct search *search = s->search;
    return search->goes_on(search->context, (int)search->measured.tried, s->best_us,
                           s->chosen_us) &&
           seconds_now() - s->begin < search->seconds;
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Cycles on this machine's core; infinite where the plan cannot be carried out. */
static double predict(const struct state *s, const struct plan *plan)
{
    struct module *module = alone_with(s->search->alone, plan);
    struct predictions predictions = {0};
    double cycles = 0;
    apply_schedules(module);
    if (module->error)
        cycles = HUGE_VAL;
    else
        module_predict(module, module->target[0], &s->here, &predictions);
    for (int i = 0; i < predictions.count; i++)
        cycles +=
            alone_is_it(predictions.kernel[i]->name) ? (double)predictions.of[i].cost.cycles : 0;
    predictions_free(&predictions);
    module_free(module);
    return cycles;
}

/* Whether a plan is allowed and new; from then on it is known. */
static bool is_new(struct state *s, const struct plan *plan)
{
    char *text = alone_check(s->search->alone, plan);
    size_t length = text ? strlen(text) : 0;
    bool new = text && !names_find(&s->seen, text, length);
    if (new)
        names_add(&s->seen, arena_copy(s->arena, text, length + 1), length, NULL);
    free(text);
    return new;
}

static void add_candidate(void *context, const struct plan *plan)
{
    struct state *s = context;
    if (!goes_on(s) || !is_new(s, plan))
        return;
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->candidate = allocate_again(s->candidate, s->room, sizeof *s->candidate);
    }
    struct candidate *candidate = ARENA_NEW(s->arena, struct candidate);
    *candidate = (struct candidate){*plan, predict(s, plan)};
    s->candidate[s->count++] = candidate;
}

/* The plans of least cost, as the chooser estimates it. */
struct considered {
    int count;
    struct candidate best[CONSIDERED];
};

static void consider(void *context, const struct plan *plan, double cycles)
{
    struct considered *c = context;
    int worst = 0;
    for (int i = 1; i < c->count; i++)
        worst = c->best[i].cycles > c->best[worst].cycles ? i : worst;
    if (c->count < CONSIDERED)
        worst = c->count++;
    else if (cycles >= c->best[worst].cycles)
        return;
    c->best[worst] = (struct candidate){*plan, cycles};
}

static void add_considered(struct state *s)
{
    struct considered *c = allocate(1, sizeof *c);
    plan_enumerate(&s->search->alone->subject, consider, c);
    for (int i = 0; i < c->count; i++)
        add_candidate(s, &c->best[i].plan);
    free(c);
}

/* The best that was not tried; NULL: none is worth it. */
static struct candidate *next_candidate(const struct state *s)
{
    struct candidate *next = NULL;
    for (int i = 0; i < s->count; i++) {
        struct candidate *c = s->candidate[i];
        if (c->cycles >= 0 && c->cycles <= WORTH_TRYING * s->best_cycles &&
            (!next || c->cycles < next->cycles))
            next = c;
    }
    return next;
}

/* ---- trying ---------------------------------------------------------------------------------- */

static void say_off(const struct state *s, const struct plan *plan)
{
    char *text = alone_check(s->search->alone, plan);
    for (char *at = text; at && *at; at++)
        *at = *at == '\n' ? ';' : *at;
    diag_error(NULL, 0, 0, "defect: with this schedule a kernel is off; it is left out: %s", text);
    free(text);
}

static void take_best(struct state *s, struct timed *timed, const struct candidate *candidate)
{
    if (!s->best_is_chosen)
        timed_free(&s->best);
    s->best = *timed;
    s->best_is_chosen = false;
    s->best_cycles = candidate->cycles;
    s->search->best = candidate->plan;
}

/* Whether the candidate is better than the best so far, which it then is. */
static enum status try(struct state *s, struct candidate *candidate, bool *better)
{
    struct timed timed;
    *better = false;
    enum status status = timed_new(&timed, &s->bed, &candidate->plan);
    s->search->measured.tried++;
    if (status == STATUS_DONE) {
        struct comparison c = bed_compare(&s->bed, &s->best, &timed, LEAST_PAIRS, MOST_PAIRS);
        *better = c.better;
        s->best_us = c.better ? c.b_us : c.a_us;
        if (s->best_is_chosen)
            s->chosen_us = c.a_us;
        if (c.better)
            take_best(s, &timed, candidate);
    } else if (status == STATUS_CHECK_FAILED) {
        say_off(s, &candidate->plan);
    }
    if (!*better)
        timed_free(&timed);
    candidate->cycles = -1;
    return status == STATUS_SYSTEM ? status : STATUS_DONE;
}

static enum status try_all(struct state *s)
{
    enum status status = STATUS_DONE;
    struct candidate *next;
    for (int misses = 0; status == STATUS_DONE && misses < MOST_MISSES && goes_on(s) &&
                         (next = next_candidate(s));) {
        bool better;
        status = try(s, next, &better);
        misses = better ? 0 : misses + 1;
        if (better)
            neighbours_visit(&s->search->alone->subject, &s->search->best, add_candidate, s);
    }
    return status;
}

/* The best against the chosen one. */
static void confirm(struct state *s, const struct plan *chosen)
{
    struct search *search = s->search;
    struct comparison c = bed_compare(&s->bed, &s->chosen, &s->best, LAST_PAIRS, 2 * LAST_PAIRS);
    search->measured.us = c.b_us;
    search->measured.chosen_us = c.a_us;
    search->measured.noise = 100 * c.noise;
    search->measured.unfinished = c.disturbed;
    if (c.better)
        return;
    search->best = *chosen;
    search->measured.us = c.a_us;
}

static enum status begin(struct state *s, const struct plan *chosen)
{
    struct search *search = s->search;
    s->best_cycles = predict(s, chosen);
    search->best = *chosen;
    enum status status = timed_new(&s->chosen, &s->bed, chosen);
    s->best = s->chosen;
    s->best_is_chosen = true;
    if (status == STATUS_CHECK_FAILED) {
        say_off(s, chosen);
        return STATUS_DEFECT;
    }
    bool better, starts = is_new(s, chosen) && search->start && is_new(s, search->start);
    if (status == STATUS_DONE && starts) {
        struct candidate start = {*search->start, predict(s, search->start)};
        status = try(s, &start, &better);
    }
    return status;
}

enum status search_run(struct search *search)
{
    struct state s = {.search = search, .arena = arena_new(), .begin = seconds_now()};
    struct plan chosen;
    s.seen.arena = s.arena;
    s.here = target_on_this_machine(search->alone->subject.target);
    search->measured = (struct measured){.tried = 1};
    alone_plan(search->alone, &chosen);
    enum status status = bed_new(&s.bed, search->alone, search->weights_bytes, search->quiet);
    if (status == STATUS_DONE)
        status = begin(&s, &chosen);
    if (status == STATUS_DONE) {
        add_considered(&s);
        neighbours_visit(&search->alone->subject, &search->best, add_candidate, &s);
        status = try_all(&s);
    }
    if (status == STATUS_DONE)
        confirm(&s, &chosen);
    if (!s.best_is_chosen)
        timed_free(&s.best);
    timed_free(&s.chosen);
    bed_free(&s.bed);
    arena_free(s.arena);
    free(s.candidate);
    return status;
}
