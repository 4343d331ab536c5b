/* Compiles random models and compares them with the evaluator.
 *
 *   random_models [--seed N] [--first N] [--count N] [--jobs N] [--targets A,B] [--bf16] [-v]
 *   random_models --list [--seed N] [--first N] [--count N]
 *   random_models --write FOLDER [--seed N] [--first N] [--count N]
 *   random_models --model FILE.json [--exact] [--batch N] [--threads N] [--values N]
 *
 * Model number i of a seed is always the same. A failure prints it, and the smallest model found
 * that fails in the same way, as JSON, with the options that run it again. --bf16: each in bf16
 * too, not only every sixth. */
#include "../keep_memory.h"
#include "model_write.h"
#include "progress.h"
#include "random_model.h"
#include "target.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST_JOBS = 64,
    PASSES_EVERY = 20,
    BATCH_EVERY = 4,
    PERMUTED_EVERY = 5,
    TOGETHER_EVERY = 16,
    EMITTED_EVERY = 4,
    BF16_EVERY = 6,
    MOST_SHRUNKEN = 3,
    FEW_RATIOS = 20
};
static const double MOST_MEDIAN_RATIO = 1.5;
static const int SKIPPED = 77;

struct settings {
    unsigned long long seed, values;
    int first, count, jobs, batch, threads;
    bool verbose, exact, list, bf16;
    const char *model, *write;
    int targets, others;
    const char *target[MAX_TARGETS], *other[MAX_TARGETS]; /* others do not run here */
};

struct job {
    bool active;
    int number;
    struct random_model m;
    struct checks checks;
    struct running running;
};

struct tally {
    int passed, failed, exact, ratios, shrunken;
    double *ratio;
    double worst, seconds;
};

/* ---- the command line ------------------------------------------------------------------------ */

static int usage(void)
{
    fputs("usage: random_models [--seed N] [--first N] [--count N] [--jobs N] [--targets A,B] "
          "[--bf16] [-v]\n       random_models --list [--seed N] [--first N] [--count N]\n"
          "       random_models --write FOLDER [--seed N] [--first N] [--count N]\n"
          "       random_models --model FILE.json [--exact] [--batch N] [--threads N] "
          "[--values N]\n",
          stderr);
    return 2;
}

/* Those of the list that this machine runs, and those that it does not. */
static void add_targets(struct settings *s, char *list)
{
    struct error error;
    s->targets = s->others = 0;
    for (char *name = strtok(list, ","); name && s->targets + s->others < MAX_TARGETS;
         name = strtok(NULL, ",")) {
        const struct target *target = target_find(name, &error);
        if (target && target_runs_here(target, precision_kind_f32, &error)) {
            s->target[s->targets++] = name;
            continue;
        }
        fprintf(stderr, "%s: %s: %s\n", name, target ? "evaluated, not run" : "left out",
                error.text);
        if (target)
            s->other[s->others++] = name;
    }
}

static bool read_option(struct settings *s, const char *name, char *value)
{
    const struct {
        const char *name;
        int *to;
    } number[] = {{"--first", &s->first},
                  {"--count", &s->count},
                  {"--jobs", &s->jobs},
                  {"--batch", &s->batch},
                  {"--threads", &s->threads}};
    if (strcmp(name, "--targets") == 0)
        add_targets(s, value);
    else if (strcmp(name, "--model") == 0)
        s->model = value;
    else if (strcmp(name, "--write") == 0)
        s->write = value;
    else if (strcmp(name, "--seed") == 0)
        s->seed = strtoull(value, NULL, 0);
    else if (strcmp(name, "--values") == 0)
        s->values = strtoull(value, NULL, 0);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (strcmp(name, number[i].name) == 0) {
            *number[i].to = atoi(value);
            return *number[i].to >= 0;
        }
    return strcmp(name, "--targets") == 0 || s->model || s->write || strcmp(name, "--seed") == 0 ||
           strcmp(name, "--values") == 0;
}

static bool read_command_line(struct settings *s, int count, char **words)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "-v") == 0)
            s->verbose = true;
        else if (strcmp(words[i], "--exact") == 0)
            s->exact = true;
        else if (strcmp(words[i], "--list") == 0)
            s->list = true;
        else if (strcmp(words[i], "--bf16") == 0)
            s->bf16 = true;
        else if (i + 1 == count || !read_option(s, words[i], words[i + 1]))
            return false;
        else
            i++;
    }
    return s->jobs >= 1 && s->jobs <= MOST_JOBS && s->batch >= 1 && s->threads >= 1;
}

/* ---- reports --------------------------------------------------------------------------------- */

static void print_model(const struct random_model *m)
{
    model_write_json(&m->model, stdout);
    printf("random_models --model FILE.json --batch %d --threads %d --values 0x%llx%s\n", m->batch,
           m->threads, (unsigned long long)m->seed, m->exact ? " --exact" : "");
}

static void report_failure(const struct settings *s, struct tally *tally, const struct job *job,
                           const struct outcome *outcome)
{
    printf("model %d of seed %llu (--seed %llu --first %d --count 1): %s: %s\n", job->number,
           s->seed, s->seed, job->number, verdict_name[outcome->verdict], outcome->message);
    print_model(&job->m);
    if (++tally->shrunken > MOST_SHRUNKEN) {
        fflush(stdout);
        return;
    }
    struct random_model small = model_shrink(&job->m, &job->checks, outcome->verdict);
    struct outcome again = model_check_apart(&small, &job->checks, false);
    printf("shrunken: %s: %s\n", verdict_name[again.verdict], again.message);
    print_model(&small);
    fflush(stdout);
}

static void count_outcome(const struct settings *s, struct tally *tally, const struct job *job,
                          const struct outcome *outcome)
{
    bool passed = outcome->verdict == PASSED;
    tally->passed += passed;
    tally->failed += !passed;
    tally->exact += outcome->exact;
    tally->seconds += outcome->seconds;
    for (int i = 0; i < outcome->ratios; i++)
        tally->ratio[tally->ratios++] = outcome->ratio[i];
    if (outcome->error > tally->worst)
        tally->worst = outcome->error;
    if (s->verbose || (passed && *outcome->message))
        printf("%6d %-8s %5.2f s  %5.2f M  error %.2e  plain %.2e  %s\n", job->number,
               passed ? outcome->exact ? "exact" : "real" : "FAILED", outcome->seconds,
               1e-6 * random_model_work(&job->m), outcome->error, outcome->plain, outcome->message);
    if (s->verbose && s->count == 1)
        print_model(&job->m);
    if (!passed)
        report_failure(s, tally, job, outcome);
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static int summarise(const struct tally *tally)
{
    double median = 0;
    qsort(tally->ratio, (size_t)tally->ratios, sizeof *tally->ratio, by_value);
    if (tally->ratios)
        median = tally->ratio[tally->ratios / 2];
    /* a few models have no median to speak of */
    bool good = tally->ratios < FEW_RATIOS || median <= MOST_MEDIAN_RATIO;
    printf("%d of them in exact whole numbers; of the others the largest error is %.2e, and the "
           "median of the error to that of the plain evaluation %.2f (at most %.1f)%s\n",
           tally->exact, tally->worst, median, MOST_MEDIAN_RATIO, good ? "" : ": too large");
    printf("%d passed, %d failed\n", tally->passed, tally->failed + !good);
    return tally->failed || !good;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static struct checks checks_of(const struct settings *s, int number)
{
    return (struct checks){.targets = s->targets,
                           .target = s->target,
                           .others = s->others,
                           .other = s->other,
                           .emitted = number % EMITTED_EVERY == 3,
                           .bf16 = s->bf16 || number % BF16_EVERY == 4,
                           .passes = number % PASSES_EVERY == 0,
                           .batch = number % BATCH_EVERY == 0,
                           .together = number % TOGETHER_EVERY == 1,
                           .permuted = number % PERMUTED_EVERY == 2};
}

static struct job *job_of(struct job *jobs, int count, int process)
{
    for (int i = 0; i < count; i++)
        if (process ? jobs[i].active && jobs[i].running.process == process : !jobs[i].active)
            return &jobs[i];
    return NULL;
}

static int run_many(const struct settings *s)
{
    static struct job jobs[MOST_JOBS];
    struct tally tally = {.ratio = calloc((size_t)s->count * MOST_RATIOS + 1, sizeof(double))};
    int next = s->first, end = s->first + s->count, active = 0;
    progress_begin(!s->verbose);
    while (tally.ratio && (next < end || active)) {
        for (struct job *job; next < end && (job = job_of(jobs, s->jobs, 0)); active++) {
            *job = (struct job){
                true, next, random_model_draw(s->seed, (uint64_t)next), checks_of(s, next), {0, 0}};
            job->running = check_start(&job->m, &job->checks, false);
            next++;
        }
        int status, process = waitpid(-1, &status, 0);
        struct job *job = process > 0 ? job_of(jobs, s->jobs, process) : NULL;
        if (!job)
            continue;
        struct outcome outcome = check_finish(&job->running, status);
        progress_clear();
        count_outcome(s, &tally, job, &outcome);
        progress_show("%d of %d models, %d failed", tally.passed + tally.failed, s->count,
                      tally.failed);
        job->active = false;
        active--;
    }
    progress_clear();
    int failed = summarise(&tally);
    free(tally.ratio);
    return failed;
}

static int list(const struct settings *s)
{
    for (int i = s->first; i < s->first + s->count; i++) {
        struct random_model m = random_model_draw(s->seed, (uint64_t)i);
        print_model(&m);
    }
    return 0;
}

static int write_cases(const struct settings *s)
{
    bool good = true;
    for (int i = s->first; good && i < s->first + s->count; i++) {
        struct random_model m = random_model_draw(s->seed, (uint64_t)i);
        good = random_model_write(&m, s->write, i);
    }
    return !good;
}

static int run_one(const struct settings *s)
{
    struct random_model m = {
        .batch = s->batch, .threads = s->threads, .exact = s->exact, .seed = s->values};
    struct checks checks = {s->targets, s->target, s->others, s->other, true,
                            true,       true,      true,      true,     true};
    if (model_read(s->model, &m.model) != STATUS_DONE)
        return 3;
    struct outcome outcome = model_check_apart(&m, &checks, false);
    printf("%s: %s; error %.3e, plain %.3e, %.2f s\n", verdict_name[outcome.verdict],
           outcome.message, outcome.error, outcome.plain, outcome.seconds);
    return outcome.verdict != PASSED;
}

int main(int count, char **words)
{
    keep_memory();
    static char all[] = "x86-64-v3,x86-64-v4";
    struct settings s = {.seed = 1, .count = 100, .batch = 1, .threads = 1};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    s.jobs = processors < 1 ? 1 : processors > MOST_JOBS ? MOST_JOBS : (int)processors;
    add_targets(&s, all);
    if (!read_command_line(&s, count, words))
        return usage();
    if (s.list)
        return list(&s);
    if (s.write)
        return write_cases(&s);
    if (!s.targets) {
        printf("skipped: this machine runs none of the targets\n");
        return SKIPPED;
    }
    return s.model ? run_one(&s) : run_many(&s);
}
