/* Kernels of one signature are one entry. The time is shared out by what kernels cost, since those
 * that take long can gain most; what an entry leaves is for the later ones. */
#include "tune.h"
#include "memory.h"
#include "plan_read.h"
#include "plan_write.h"
#include "progress.h"
#include "signature.h"
#include "touches.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct entry {
    const struct kernel *kernel; /* the first of them */
    const char *signature;
    int kernels;
    double cost; /* a rough lower bound of the cycles of all */
    bool done;   /* in the file already */
};

struct run {
    struct tune *tune;
    int count;
    struct entry *entry; /* the largest cost first */
    int at, disturbed;   /* entries that could not be measured */
    double begin;        /* of all */
    struct quiet quiet;
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the kernels ----------------------------------------------------------------------------- */

/* Cycles of its operations, or of its bytes from L2. */
static double cost_of(const struct kernel *kernel, const struct target *target)
{
    enum { L2_BYTES = 32, EXP_CYCLES = 15 };
    double vectors = (double)kernel->cost->flops / 2 + (double)kernel->cost->exps * EXP_CYCLES;
    double cycles = vectors / target->lanes / target->fma_per_cycle;
    double bytes = (double)kernel->cost->bytes / L2_BYTES;
    return cycles > bytes ? cycles : bytes;
}

static int by_cost(const void *a, const void *b)
{
    const struct entry *p = a, *q = b;
    return p->cost == q->cost ? strcmp(p->signature, q->signature) : p->cost < q->cost ? 1 : -1;
}

static bool is_done(const struct tune *tune, const char *signature)
{
    const struct tuning *found = tunings_find(tune->tunings, signature, tune->module->target[0]);
    return found && found->measured.tried && !found->measured.unfinished;
}

static enum status find_entries(struct run *run)
{
    struct module *m = run->tune->module;
    const struct target *target = target_find(m->target[0], NULL);
    struct names known = {.arena = m->arena};
    touches_index(m);
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        const struct nests *nests = nests_find(m, kernel);
        if (!nests) {
            diag_report(m->error);
            return STATUS_INPUT;
        }
        const char *signature = kernel_signature(m, nests);
        struct name_entry *before = names_find(&known, signature, strlen(signature));
        if (!before) {
            run->entry = allocate_again(run->entry, run->count + 1, sizeof *run->entry);
            run->entry[run->count] =
                (struct entry){kernel, signature, .done = is_done(run->tune, signature)};
            names_add(&known, signature, strlen(signature), (void *)(intptr_t)run->count++);
            before = names_find(&known, signature, strlen(signature));
        }
        struct entry *entry = &run->entry[(intptr_t)before->value];
        entry->kernels++;
        entry->cost += cost_of(kernel, target);
    }
    qsort(run->entry, (size_t)run->count, sizeof *run->entry, by_cost);
    return STATUS_DONE;
}

/* ---- time ------------------------------------------------------------------------------------ */

static double seconds_left(const struct run *run)
{
    return run->tune->seconds - (seconds_now() - run->begin);
}

/* The share of the current entry in the time that is left. A part of it is the same for all. */
static double share(const struct run *run)
{
    double all = 0;
    int left = 0;
    for (int i = run->at; i < run->count; i++)
        if (!run->entry[i].done) {
            all += run->entry[i].cost;
            left++;
        }
    const double even = 0.3;
    return even / left + (1 - even) * run->entry[run->at].cost / all;
}

static bool show_and_go_on(void *context, int tried, double us, double chosen_us)
{
    struct run *run = context;
    if (progress_due()) {
        double left = seconds_left(run);
        char gain[48] = "";
        if (chosen_us > 0)
            snprintf(gain, sizeof gain, ", %.1f µs, as chosen %.1f", us, chosen_us);
        progress_show("kernel %d of %d, %s: %d tried%s; %.0f s left", run->at + 1, run->count,
                      run->entry[run->at].kernel->name, tried, gain, left > 0 ? left : 0);
    }
    return !run->tune->stopped();
}

/* ---- a kernel -------------------------------------------------------------------------------- */

/* The schedule that a search begins with, if there is one that is allowed. */
static bool find_start(const struct run *run, struct alone *alone, const char *signature,
                       struct plan *plan)
{
    const char *target = run->tune->module->target[0];
    struct tunings *const from[] = {run->tune->tunings, run->tune->source->tunings};
    for (int i = 0; i < 2; i++) {
        const struct tuning *found = from[i] ? tunings_find(from[i], signature, target) : NULL;
        if (found && plan_read(&alone->subject, found->schedule, plan))
            return true;
        alone->module->error = NULL;
    }
    return false;
}

static void keep(const struct run *run, const struct alone *alone, const struct search *search)
{
    struct tunings *tunings = run->tune->tunings;
    struct arena *arena = tunings->memory->arena;
    struct kernel none = {.locals = alone->subject.nests->kernel->locals};
    const char *target = arena_printf(arena, "%s", run->tune->module->target[0]);
    const char *signature = run->entry[run->at].signature;
    plan_write(tunings->memory, &none, target, &search->best);
    struct tuning *tuning = tunings_find(tunings, signature, target);
    if (tuning)
        tuning->schedule = none.schedules;
    else
        tuning = tunings_add(tunings, arena_printf(arena, "%s", signature), none.schedules);
    tuning->measured = search->measured;
    tuning->measured.unfinished |= run->tune->stopped();
}

static void print_line(const struct run *run, const struct measured *m)
{
    const struct entry *entry = &run->entry[run->at];
    char name[64];
    snprintf(name, sizeof name, "%s", entry->kernel->name);
    progress_clear();
    printf("%-40s %5d %10.1f %10.1f %7.1f%% %6.1f%% %6" PRId64 "%s\n", name, entry->kernels, m->us,
           m->chosen_us, 100 * (m->us / m->chosen_us - 1), m->noise, m->tried,
           m->unfinished ? "  disturbed" : "");
    fflush(stdout);
}

static enum status tune_kernel(struct run *run, int64_t weights_bytes)
{
    const struct entry *entry = &run->entry[run->at];
    struct alone alone;
    struct plan start;
    enum status status = alone_make(&alone, run->tune->module, entry->kernel, run->tune->source);
    struct search search = {.alone = &alone,
                            .quiet = &run->quiet,
                            .weights_bytes = weights_bytes,
                            .seconds = share(run) * seconds_left(run),
                            .goes_on = show_and_go_on,
                            .context = run};
    if (status == STATUS_DONE && find_start(run, &alone, entry->signature, &start))
        search.start = &start;
    if (status == STATUS_DONE)
        status = search_run(&search);
    if (status == STATUS_DONE) {
        keep(run, &alone, &search);
        print_line(run, &search.measured);
        run->disturbed += search.measured.unfinished;
    }
    alone_free(&alone);
    return status;
}

enum status tune_run(struct tune *tune)
{
    struct run run = {.tune = tune, .begin = seconds_now()};
    int64_t weights_bytes = module_weights_bytes(tune->module);
    quiet_begin(&run.quiet);
    enum status status = find_entries(&run);
    printf("%-40s %5s %10s %10s %8s %7s %6s\n", "kernel", "times", "µs", " as chosen", "gain",
           "noise", "tried");
    for (run.at = 0; run.at < run.count && status == STATUS_DONE && !tune->stopped(); run.at++) {
        if (run.entry[run.at].done)
            continue;
        status = tune_kernel(&run, weights_bytes);
        if (status == STATUS_DONE)
            status = tune->save(tune->context);
    }
    if (run.disturbed && !tune->stopped())
        printf("disturbed: others were on the core; the same command tries %s again\n",
               run.disturbed > 1 ? "these kernels" : "this kernel");
    free(run.entry);
    return status;
}
