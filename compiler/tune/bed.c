#define _GNU_SOURCE /* CLOCK_THREAD_CPUTIME_ID */
#include "bed.h"
#include "difference.h"
#include "memory.h"
#include "passes.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_OTHER_BYTES = 16 << 20, LINE = 64, MOST_PAIRS = 128 };
/* Of ||out - ref|| / ||ref||: a schedule changes the order of sums and nothing else. */
static const double TOLERANCE = 1e-5;
static const double SURE = 3; /* times the noise */

/* ---- running --------------------------------------------------------------------------------- */

/* With one thread the processor's time of that thread, so that others disturb least. */
static uint64_t clock_now(void *context)
{
    const struct bed *bed = context;
    struct timespec now;
    clock_gettime(bed->threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

enum status bed_new(struct bed *bed, struct alone *alone, int64_t weights_bytes,
                    struct quiet *quiet)
{
    const struct module *m = alone->module;
    *bed = (struct bed){.alone = alone, .quiet = quiet, .threads = (unsigned)m->threads};
    bed->input = allocate(m->width, sizeof(float));
    bed->output = allocate(m->classes, sizeof(float));
    for (int64_t i = 0; i < m->width; i++)
        bed->input[i] = (float)alone->input[i];
    bed->other_bytes =
        (size_t)(weights_bytes < MOST_OTHER_BYTES ? weights_bytes : MOST_OTHER_BYTES);
    bed->others = allocate((int64_t)bed->other_bytes, 1);
    memset(bed->others, 1, bed->other_bytes); /* pages of its own, not that of zeros */
    if (bed->threads > 1 && !(bed->pool = san_pool_new(bed->threads))) {
        diag_error(NULL, 0, 0, "cannot start %u threads: %s", bed->threads, strerror(errno));
        return STATUS_SYSTEM;
    }
    return STATUS_DONE;
}

void bed_free(struct bed *bed)
{
    if (bed->pool)
        san_pool_free(bed->pool);
    free(bed->input);
    free(bed->output);
    free(bed->workspace);
    free(bed->others);
}

static void pass_other_bytes(const struct bed *bed)
{
    unsigned sum = 0;
    for (size_t i = 0; i < bed->other_bytes; i += LINE)
        sum += bed->others[i];
    *(volatile unsigned char *)bed->others = (unsigned char)(sum & 1);
}

static void *workspace_of(struct bed *bed, const struct san_model *model)
{
    enum { PAGE = 4096 };
    size_t bytes = (model->workspace_bytes + PAGE) / PAGE * PAGE;
    if (bytes > bed->workspace_bytes) {
        free(bed->workspace);
        bed->workspace = aligned_alloc(PAGE, bytes);
        bed->workspace_bytes = bytes;
        if (!bed->workspace)
            memory_fail();
    }
    return bed->workspace;
}

/* Of several threads the others are on the cores themselves. */
static bool is_quiet(const struct bed *bed)
{
    return bed->threads > 1 || quiet_now(bed->quiet);
}

/* Microseconds of the kernel alone; and whether the core was quiet before and after. */
static double run(struct bed *bed, struct timed *timed, bool *quiet)
{
    const struct san_model *model = timed->compiled.model;
    struct san_profile profile = {clock_now, bed, timed->ticks, timed->ticks + model->kernel_count};
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1};
    if (bed->pool)
        exec = san_pool_exec(bed->pool);
    exec.profile = &profile;
    void *workspace = workspace_of(bed, model);
    memset(timed->ticks, 0, 2 * model->kernel_count * sizeof *timed->ticks);
    pass_other_bytes(bed);
    *quiet = is_quiet(bed);
    model->run(bed->input, bed->output, workspace, &exec);
    *quiet = *quiet && is_quiet(bed);
    uint64_t ticks = 0;
    for (uint32_t i = 0; i < model->kernel_count; i++)
        ticks += alone_is_it(model->kernel_names[i]) ? timed->ticks[i] : 0;
    return 1e-3 * (double)ticks;
}

/* ---- a schedule ------------------------------------------------------------------------------ */

/* Once, between pages that cannot be touched. */
static enum status check(const struct bed *bed, const struct timed *timed)
{
    const struct alone *alone = bed->alone;
    int64_t count = alone->module->classes;
    const struct images images = {alone->input, 1, alone->module->width};
    float *output = allocate(count, sizeof *output);
    double *out = allocate(count, sizeof *out);
    enum status status = execute_on_threads(timed->compiled.model, bed->threads, &images, output);
    for (int64_t i = 0; i < count; i++)
        out[i] = output[i];
    if (status == STATUS_DONE && !(relative_error(out, alone->reference, count) <= TOLERANCE))
        status = STATUS_CHECK_FAILED;
    free(output);
    free(out);
    return status;
}

enum status timed_new(struct timed *timed, struct bed *bed, const struct plan *plan)
{
    *timed = (struct timed){0};
    struct module *module = alone_with(bed->alone, plan);
    enum status status = passes_run(module, NULL, NULL);
    if (status == STATUS_DONE)
        status = compiled_load(module, &bed->alone->source, &timed->compiled);
    module_free(module);
    if (status == STATUS_DONE)
        status = check(bed, timed);
    if (status == STATUS_DONE)
        timed->ticks =
            allocate(2 * (int64_t)timed->compiled.model->kernel_count, sizeof *timed->ticks);
    return status;
}

void timed_free(struct timed *timed)
{
    compiled_free(&timed->compiled);
    free(timed->ticks);
    *timed = (struct timed){0};
}

/* ---- two schedules --------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

/* Others only add to a time, often half of it and for some of the runs; so a low quantile says most
 * about the schedule. Sorts the values. */
static double low(double *value, int count)
{
    enum { PART = 5 };
    qsort(value, (size_t)count, sizeof *value, by_value);
    return value[count / PART];
}

/* Runs of a, b, a, b, .. */
struct turns {
    int pairs, quiet; /* quiet: runs, of both */
    double a[MOST_PAIRS], b[MOST_PAIRS];
};

/* The time of the first of a few runs on a quiet core, or of the shortest. */
static double quiet_run(struct bed *bed, struct timed *timed, struct turns *t)
{
    enum { TRIES = 4 };
    double least = HUGE_VAL;
    for (int i = 0; i < TRIES; i++) {
        bool quiet;
        if (bed->threads == 1)
            quiet_wait(bed->quiet);
        double us = run(bed, timed, &quiet);
        least = fmin(least, us);
        if (!quiet)
            continue;
        t->quiet++;
        return us;
    }
    return least;
}

/* A number below `count`. */
static int draw(uint64_t *state, int count)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (int)((*state >> 33) % (uint64_t)count);
}

/* The time of b, as part of a's, in runs drawn from those that were; in all where state is NULL. */
static double quotient(const struct turns *t, uint64_t *state)
{
    double a[MOST_PAIRS], b[MOST_PAIRS];
    for (int i = 0; i < t->pairs; i++) {
        a[i] = t->a[state ? draw(state, t->pairs) : i];
        b[i] = t->b[state ? draw(state, t->pairs) : i];
    }
    return low(b, t->pairs) / low(a, t->pairs);
}

/* The bootstrap: what the quotient would be if other runs had been disturbed. */
static struct comparison judge(const struct turns *t)
{
    enum { DRAWS = 200 };
    struct turns sorted = *t;
    struct comparison c = {.pairs = t->pairs,
                           .gain = 1 - quotient(t, NULL),
                           .a_us = low(sorted.a, t->pairs),
                           .b_us = low(sorted.b, t->pairs)};
    uint64_t state = 1;
    double squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        double off = 1 - quotient(t, &state) - c.gain;
        squares += off * off;
    }
    c.noise = sqrt(squares / DRAWS);
    c.disturbed = t->quiet < t->pairs;
    c.better = !c.disturbed && c.gain > LEAST_GAIN && c.gain > SURE * c.noise;
    return c;
}

/* Whether b is not better, or cannot be seen to be. */
static bool is_no_better(const struct comparison *c, int least)
{
    double hope = c->pairs < 3 * least ? SURE : 1;
    return c->disturbed || c->gain + hope * c->noise < LEAST_GAIN;
}

/* Whether the core is so busy that there is nothing to wait for. */
static bool is_hopeless(const struct turns *t)
{
    enum { ENOUGH = 3 };
    return t->pairs >= ENOUGH && t->quiet < t->pairs / 2;
}

struct comparison bed_compare(struct bed *bed, struct timed *a, struct timed *b, int least,
                              int most)
{
    struct turns t = {.pairs = 0};
    struct comparison c = {0};
    bool quiet;
    run(bed, a, &quiet); /* code and pages are touched for the first time */
    run(bed, b, &quiet);
    for (int i = 0; i < most && i < MOST_PAIRS; i++) {
        t.a[i] = quiet_run(bed, a, &t);
        t.b[i] = quiet_run(bed, b, &t);
        t.pairs++;
        if (t.pairs < least && !is_hopeless(&t))
            continue;
        c = judge(&t);
        if (is_no_better(&c, least) || (c.better && t.pairs >= 2 * least))
            break;
    }
    return c;
}
