#define _GNU_SOURCE /* CLOCK_THREAD_CPUTIME_ID */
#include "bench.h"
#include "memory.h"
#include "progress.h"
#include "san/runtime.h"
#include "verify.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t clock_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A profile's clock; context: the number of threads, 0 for a GPU. */
static uint64_t clock_of_threads(void *context)
{
    return clock_now(*(const unsigned *)context == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC);
}

static int by_value(const void *a, const void *b)
{
    const double *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

static struct spread spread_of(double *value, int count)
{
    qsort(value, (size_t)count, sizeof *value, by_value);
    double middle = (value[(count - 1) / 2] + value[count / 2]) / 2;
    return (struct spread){value[0], value[count / 10], middle, value[count - 1 - count / 10]};
}

/* ---- the model ------------------------------------------------------------------------------- */

enum { LEAST_RUNS = 5, MOST_RUNS = 10000 };

/* Times of runs, and of each kernel in each run. */
struct record {
    int runs, kernels;
    double *run, *kernel; /* kernel: run after run */
};

static void keep(struct record *record, double ms, const uint64_t *ticks)
{
    record->run[record->runs] = ms;
    for (int i = 0; i < record->kernels; i++)
        record->kernel[(size_t)record->runs * (size_t)record->kernels + (size_t)i] =
            (double)ticks[i] / 1e6;
    record->runs++;
}

static void make_room(struct record *record)
{
    if (record->runs & (record->runs - 1))
        return;
    int64_t room = 2 * (record->runs ? record->runs : 1);
    record->run = allocate_again(record->run, room, sizeof *record->run);
    record->kernel =
        allocate_again(record->kernel, room * (record->kernels + 1), sizeof *record->kernel);
}

static void show_progress(const struct record *record, bool profiled, uint64_t start,
                          double seconds)
{
    if (progress_due())
        progress_show("measuring%s: %.1f of %.1f s, %d runs", profiled ? " each kernel" : "",
                      1e-9 * (double)(clock_now(CLOCK_MONOTONIC) - start), seconds, record->runs);
}

/* Runs until the time is over; with a profile, its ticks are kept for each run. */
static enum status repeat(const struct execution *execution, struct san_exec *exec, double seconds,
                          struct record *record)
{
    const struct san_model *model = execution->model;
    const struct san_profile *profile = exec->profile;
    unsigned threads = execution->cuda ? 0 : exec->threads;
    uint64_t start = clock_now(CLOCK_MONOTONIC);
    while (record->runs < MOST_RUNS &&
           (record->runs < LEAST_RUNS ||
            (double)(clock_now(CLOCK_MONOTONIC) - start) < 1e9 * seconds)) {
        make_room(record);
        if (profile)
            memset(profile->ticks, 0, model->kernel_count * sizeof *profile->ticks);
        uint64_t begin = clock_of_threads(&threads);
        enum status status = execution_once(execution, exec);
        double ms = (double)(clock_of_threads(&threads) - begin) / 1e6;
        if (status != STATUS_DONE)
            return status;
        keep(record, ms, profile ? profile->ticks : NULL);
        show_progress(record, profile != NULL, start, seconds);
    }
    return STATUS_DONE;
}

static void take_kernels(struct bench *bench, const struct record *record)
{
    double *value = allocate(record->runs, sizeof *value);
    bench->kernel = allocate(record->kernels, sizeof *bench->kernel);
    for (int i = 0; i < record->kernels; i++) {
        for (int run = 0; run < record->runs; run++)
            value[run] = record->kernel[(size_t)run * (size_t)record->kernels + (size_t)i];
        bench->kernel[i] = spread_of(value, record->runs);
    }
    free(value);
}

/* As repeat does, each kernel of a GPU by events. */
static enum status repeat_kernels(const struct execution *execution, double seconds,
                                  struct record *record)
{
    uint64_t *ticks = allocate(record->kernels, sizeof *ticks);
    uint64_t start = clock_now(CLOCK_MONOTONIC);
    enum status status = STATUS_DONE;
    while (status == STATUS_DONE && record->runs < MOST_RUNS &&
           (record->runs < LEAST_RUNS ||
            (double)(clock_now(CLOCK_MONOTONIC) - start) < 1e9 * seconds)) {
        make_room(record);
        status = execution_time_kernels(execution, ticks);
        keep(record, 0, ticks);
        show_progress(record, true, start, seconds);
    }
    free(ticks);
    return status;
}

static enum status time_gpu_kernels(struct bench *bench, const struct execution *execution)
{
    struct record record = {.kernels = (int)san_cuda_kernels(execution->cuda)};
    enum status status = repeat_kernels(execution, bench->seconds, &record);
    if (status == STATUS_DONE)
        take_kernels(bench, &record);
    free(record.run);
    free(record.kernel);
    return status;
}

/* First plain runs, then runs with a profile. */
static enum status time_runs(struct bench *bench, const struct execution *execution,
                             struct san_exec *exec)
{
    const struct san_model *model = execution->model;
    struct record plain = {0}, profiled = {.kernels = (int)model->kernel_count};
    enum status status = repeat(execution, exec, bench->seconds, &plain);
    if (status == STATUS_DONE) {
        bench->runs = plain.runs;
        bench->run = spread_of(plain.run, plain.runs);
    }
    unsigned threads = exec->threads;
    uint64_t *ticks = allocate(2 * (int64_t)model->kernel_count, sizeof *ticks);
    struct san_profile profile = {clock_of_threads, &threads, ticks, ticks + model->kernel_count};
    exec->profile = &profile;
    if (status == STATUS_DONE && bench->kernels)
        status = repeat(execution, exec, bench->seconds, &profiled);
    if (status == STATUS_DONE && bench->kernels)
        take_kernels(bench, &profiled);
    exec->profile = NULL;
    free(ticks);
    free(plain.run);
    free(plain.kernel);
    free(profiled.run);
    free(profiled.kernel);
    return status;
}

static enum status time_on_threads(struct bench *bench, const struct execution *execution)
{
    unsigned threads = (unsigned)bench->module->threads;
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1};
    if (execution->cuda) {
        const bool kernels = bench->kernels;
        bench->kernels = false; /* in no profile */
        enum status status = time_runs(bench, execution, &exec);
        bench->kernels = kernels;
        return status == STATUS_DONE && kernels ? time_gpu_kernels(bench, execution) : status;
    }
    if (threads <= 1)
        return time_runs(bench, execution, &exec);
    struct san_pool *pool = san_pool_new(threads);
    if (!pool) {
        diag_error(NULL, 0, 0, "cannot start %u threads: %s", threads, strerror(errno));
        return STATUS_SYSTEM;
    }
    exec = san_pool_exec(pool);
    enum status status = time_runs(bench, execution, &exec);
    san_pool_free(pool);
    return status;
}

static enum status time_model(struct bench *bench)
{
    const struct module *m = bench->module;
    struct compiled compiled = {0};
    struct execution execution = {0};
    double *image = random_input(m, 1, module_images(m));
    struct images images = {image, module_images(m), m->channels * m->height * m->width};
    enum status status = image ? compiled_load(m, bench->source, &compiled) : STATUS_SYSTEM;
    if (status == STATUS_DONE)
        status = execution_new(&execution, compiled.model);
    if (status == STATUS_DONE) /* not timed: memory is touched for the first time */
        status = execution_run(&execution, NULL, &images, 0);
    if (status == STATUS_DONE)
        status = time_on_threads(bench, &execution);
    execution_free(&execution);
    compiled_free(&compiled);
    free(image);
    return status;
}

/* Predictions for this machine's core: its description, corrected by what was measured. */
static enum status predict_here(struct bench *bench, const struct target *target)
{
    bench->here = target_on_this_machine(target);
    bench->described_fma_per_cycle = bench->here.fma_per_cycle;
    enum status status = core_measure(&bench->here, bench->source, &bench->speed);
    if (status != STATUS_DONE)
        return status;
    bench->here.fma_per_cycle = bench->speed.fma_per_cycle;
    module_predict(bench->module, bench->target, &bench->here, &bench->predictions);
    predictions_repeat(&bench->predictions, bench->module->turns);
    return STATUS_DONE;
}

enum status bench_run(struct bench *bench)
{
    const struct target *target = target_find(bench->target, NULL);
    assert(target); /* it was chosen */
    enum status status = STATUS_DONE;
    if (!target->gpu) {
        progress_show("measuring what this core can do");
        status = predict_here(bench, target);
    }
    if (status == STATUS_DONE) {
        progress_show("compiling for %s", bench->target);
        status = time_model(bench);
    }
    progress_clear();
    return status;
}

void bench_free(struct bench *bench)
{
    predictions_free(&bench->predictions);
    free(bench->kernel);
}

double prediction_limit(const struct prediction *prediction, enum bound *bound)
{
    double most = 0;
    *bound = BOUND_FMA;
    for (int b = 0; b < BOUND_COUNT; b++)
        if (b != BOUND_LATENCY && prediction->alone[b] > most) {
            most = prediction->alone[b];
            *bound = (enum bound)b;
        }
    return most;
}

void rates_print(const struct target *target, FILE *file)
{
    fprintf(file,
            "\"rates\": { \"flops\": %d, \"l1\": %.1f, \"l2\": %.1f, \"memory\": %.1f, "
            "\"l1_size\": %lld, \"l2_size\": %lld }",
            2 * target->lanes * target->fma_per_cycle,
            4 * target->lanes * target->core->load[target->lanes > 8], target->core->l2_bytes,
            target->core->memory_bytes, (long long)target->l1_bytes, (long long)target->l2_bytes);
}
