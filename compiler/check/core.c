#define _GNU_SOURCE /* CLOCK_THREAD_CPUTIME_ID */
#include "core.h"
#include "passes.h"
#include <assert.h>
#include <math.h>
#include <string.h>
#include <time.h>

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- the clock ------------------------------------------------------------------------------- */

/* GHz: a chain of additions of two registers takes a cycle each on every x86 core. */
static double clock_try(void)
{
#if defined __x86_64__
    enum { LINKS = 64, STEPS = 3000 };
    unsigned long sum = 1, one = 1;
    double begin = seconds_now();
    for (int i = 0; i < STEPS; i++)
        __asm__ volatile(".rept 64\n\tadd %1, %0\n\t.endr" : "+r"(sum) : "r"(one));
    return (double)LINKS * STEPS / (seconds_now() - begin) / 1e9;
#else
    return 0; /* not an x86: no target runs here anyway */
#endif
}

/* ---- peak ------------------------------------------------------------------------------------ */

enum { PEAK_ROWS = 12, PEAK_STEPS = 100000 };

/* 12 chains of FMAs: enough to hide a latency of 4 to 6 cycles on two ports. */
static const char peak_text[] =
    "sanir 1 model \"peak\" input f32[1, 1, 2, %d] classes %d targets \"%s\" threads 1 after %s\n"
    "workspace 64 scratch 64\n"
    "graph { }\n"
    "input : input f32[2, %d]\n"
    "output : output f32[%d, %d]\n"
    "kernel peak target \"%s\" {\n"
    "  factor : registers f32[2, %d]\n"
    "  acc : registers f32[%d, %d]\n"
    "  for f in 2 unroll, u in %d vector factor[f, u] = input[f, u]\n"
    "  for i in %d unroll, v in %d vector acc[i, v] = 1\n"
    "  for k in %d, i2 in %d unroll, v2 in %d vector\n"
    "    acc[i2, v2] = fma(acc[i2, v2], factor[0, v2], factor[1, v2])\n"
    "  for i3 in %d unroll, v3 in %d vector output[i3, v3] = acc[i3, v3]\n"
    "}\n";

static struct module *peak_module(const char *target, int lanes)
{
    struct arena *arena = arena_new();
    const char *last = pass_table[pass_count - 1].name;
    char *text = arena_printf(arena, peak_text, lanes, PEAK_ROWS * lanes, target, last, lanes,
                              PEAK_ROWS, lanes, target, lanes, PEAK_ROWS, lanes, lanes, PEAK_ROWS,
                              lanes, PEAK_STEPS, PEAK_ROWS, lanes, PEAK_ROWS, lanes);
    struct error error;
    struct module *module = module_parse(text, strlen(text), &error);
    assert(module);
    arena_free(arena);
    return module;
}

/* GFLOP/s of one run. */
static double peak_try(const struct execution *execution, int lanes)
{
    float *input = execution->input;
    for (int j = 0; j < 2 * lanes; j++)
        input[j] = j < lanes ? 0.5f : 1.0f;
    double begin = seconds_now();
    execution->model->run(execution->input, execution->output, execution->workspace, NULL);
    return 2.0 * PEAK_STEPS * PEAK_ROWS * lanes / (seconds_now() - begin) / 1e9;
}

enum status core_measure(const struct target *target, const struct source *source,
                         struct core_speed *speed)
{
    enum { TRIES = 40 };
    struct module *module = peak_module(target->name, target->lanes);
    struct compiled compiled = {0};
    struct execution execution = {0};
    enum status status = compiled_load(module, source, &compiled);
    *speed = (struct core_speed){0};
    if (status == STATUS_DONE)
        status = execution_new(&execution, compiled.model);
    for (int i = 0; i < TRIES && status == STATUS_DONE; i++) {
        speed->gflops = fmax(speed->gflops, peak_try(&execution, target->lanes));
        speed->ghz = fmax(speed->ghz, clock_try());
    }
    if (status == STATUS_DONE)
        speed->fma_per_cycle =
            (int)fmax(1, round(speed->gflops / (2 * target->lanes * speed->ghz)));
    execution_free(&execution);
    compiled_free(&compiled);
    module_free(module);
    return status;
}
