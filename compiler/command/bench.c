#include "bench.h"
#include "batches.h"
#include "command.h"
#include "escape.h"
#include "machine.h"
#include "memory.h"
#include "observe.h"
#include "progress.h"
#include <inttypes.h>
#include <stdlib.h>

static const double DEFAULT_SECONDS = 2;

/* One line of the table of kernels. */
struct line {
    const struct kernel *kernel;
    const struct prediction *prediction;
    struct spread ms;
    double predicted_ms, limit_ms, lost_ms;
    enum bound bound; /* of the limit */
};

static int by_lost(const void *a, const void *b)
{
    const struct line *p = a, *q = b;
    return (q->lost_ms > p->lost_ms) - (q->lost_ms < p->lost_ms);
}

/* The kernels, sorted by the time lost against the limit. free() it. */
static struct line *lines_new(const struct bench *bench)
{
    const struct predictions *p = &bench->predictions;
    struct line *line = allocate(p->count, sizeof *line);
    for (int i = 0; i < p->count; i++) {
        line[i] = (struct line){p->kernel[i], &p->of[i], .ms = bench->kernel[i]};
        line[i].predicted_ms = (double)p->of[i].cost.cycles / bench->speed.ghz / 1e6;
        line[i].limit_ms = prediction_limit(&p->of[i], &line[i].bound) / bench->speed.ghz / 1e6;
        line[i].lost_ms = line[i].ms.median - line[i].limit_ms;
    }
    qsort(line, (size_t)p->count, sizeof *line, by_lost);
    return line;
}

static double flops_of(const struct bench *bench)
{
    double flops = 0;
    for (int i = 0; i < bench->predictions.count; i++)
        flops += (double)bench->predictions.of[i].cost.flops;
    return flops;
}

static double gflops(double flops, double ms)
{
    return ms > 0 ? flops / ms / 1e6 : 0;
}

/* Of all threads. */
static double peak_of(const struct bench *bench)
{
    return bench->speed.gflops * (double)bench->module->threads;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* As "12.3 µs" where `beside`, a time in the same line, is below a tenth of a millisecond; else as
 * "0.123 ms". */
static const char *time_text(double ms, double beside, char text[32])
{
    if (beside < 0.1)
        snprintf(text, 32, "%.1f µs", 1e3 * ms);
    else
        snprintf(text, 32, "%.3f ms", ms);
    return text;
}

static void print_kernels(const struct bench *bench, const struct line *line)
{
    printf("\nTimes in µs. The lower bound is what FMAs, other vector operations, loads and "
           "stores, L2 or\n"
           "memory would take alone, whichever takes longest; lost is the time above it.\n\n");
    printf("%-44s %9s %9s %9s %11s  %-7s %9s %8s\n", "kernel", "measured", "lost", "predicted",
           "lower bound", "by", "GFLOP/s", "of peak");
    for (int i = 0; i < bench->predictions.count; i++) {
        double rate = gflops((double)line[i].prediction->cost.flops, line[i].ms.median);
        printf("%-44s %9.1f %9.1f %9.1f %11.1f  %-7s %9.1f %7.1f%%\n", line[i].kernel->name,
               1e3 * line[i].ms.median, 1e3 * line[i].lost_ms, 1e3 * line[i].predicted_ms,
               1e3 * line[i].limit_ms, bound_name[line[i].bound], rate,
               100 * rate / peak_of(bench));
    }
}

/* What was measured of the core, and where its description says otherwise. */
static void print_core(const struct bench *bench)
{
    const struct core_speed *speed = &bench->speed;
    printf("core        %.2f GHz, %d vector FMA%s a cycle, as measured", speed->ghz,
           speed->fma_per_cycle, speed->fma_per_cycle == 1 ? "" : "s");
    if (speed->fma_per_cycle != bench->described_fma_per_cycle)
        printf("; its description (%s) says %d", bench->here.core->name,
               bench->described_fma_per_cycle);
    printf("\n");
}

/* A GPU's kernels, in their order. */
static void print_gpu_kernels(const struct bench *bench)
{
    int i = 0;
    double sum = 0;
    printf("\nTimes in µs by the device's clock, with the gaps between kernels.\n\n");
    printf("%-44s %9s %9s %9s %9s %8s %9s\n", "kernel", "measured", "best", "GFLOP/s", "blocks",
           "threads", "shared");
    for (const struct kernel *k = bench->module->kernels; k; k = k->next) {
        const struct launch launch = kernel_launch(k);
        const struct spread *ms = &bench->kernel[i++];
        printf("%-44s %9.1f %9.1f %9.1f %9" PRId64 " %8" PRId64 " %9" PRId64 "\n", k->name,
               1e3 * ms->median, 1e3 * ms->best,
               gflops(k->cost ? (double)k->cost->flops : 0, ms->median), launch.blocks,
               launch.threads, launch.shared_bytes);
        sum += ms->median;
    }
    printf("%-44s %9.1f\n", "all", 1e3 * sum);
}

static void print_text(const struct bench *bench, const struct line *line)
{
    const struct module *m = bench->module;
    double rate = gflops(flops_of(bench), bench->run.median);
    double peak = peak_of(bench);
    char text[4][32];
    printf("%s on %s", m->name, bench->target);
    if (bench->here.core)
        printf(" (%s)", bench->here.core->name);
    printf(", batches of %" PRId64, module_images(m));
    if (bench->here.core)
        printf(", %" PRId64 " thread%s", m->threads, m->threads == 1 ? "" : "s");
    printf(", %d runs\n", bench->runs);
    const struct spread *run = &bench->run;
    printf("latency     %s median, 10%% to 90%% %s to %s, best %s\n",
           time_text(run->median, run->median, text[0]), time_text(run->low, run->median, text[1]),
           time_text(run->high, run->median, text[2]), time_text(run->best, run->median, text[3]));
    printf("throughput  %.2f images/s\n", 1e3 * (double)module_images(m) / bench->run.median);
    if (!bench->here.core) { /* a GPU */
        if (bench->kernel)
            print_gpu_kernels(bench);
        return;
    }
    print_core(bench);
    printf("arithmetic  %.1f GFLOP/s, %.1f%% of %.1f, the measured FMA peak\n", rate,
           100 * rate / peak, peak);
    double predicted = bench->predictions.cycles / bench->speed.ghz / 1e6;
    printf("predicted   %s on one core\n", time_text(predicted, predicted, text[0]));
    if (line)
        print_kernels(bench, line);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void print_spread(const struct spread *ms)
{
    printf("{ \"median\": %.6f, \"low\": %.6f, \"high\": %.6f, \"best\": %.6f }", ms->median,
           ms->low, ms->high, ms->best);
}

static void print_json_line(const struct line *line)
{
    const struct cost *cost = &line->prediction->cost;
    printf("    { \"name\": ");
    escape_print(line->kernel->name, stdout);
    printf(", \"layers\": ");
    escape_print(line->kernel->label ? line->kernel->label : "", stdout);
    printf(",\n      \"ms\": ");
    print_spread(&line->ms);
    printf(",\n      \"predicted_ms\": %.6f, \"limit_ms\": %.6f, \"lost_ms\": %.6f, \"limit\": "
           "\"%s\",\n"
           "      \"cycles\": %" PRId64 ", \"limit_cycles\": %.0f, \"bound\": \"%s\",\n",
           line->predicted_ms, line->limit_ms, line->lost_ms, bound_name[line->bound], cost->cycles,
           prediction_limit(line->prediction, &(enum bound){0}), bound_name[cost->bound]);
    printf("      \"cycles_by\": {");
    for (int b = 0; b < BOUND_COUNT; b++)
        printf("%s \"%s\": %.0f", b ? "," : "", bound_name[b], line->prediction->cycles_of[b]);
    printf(" },\n");
    printf(
        "      \"flops\": %" PRId64 ", \"exps\": %" PRId64 ", \"bytes\": %" PRId64
        ", \"l1_bytes\": %" PRId64 ", \"l2_bytes\": %" PRId64 ", \"memory_bytes\": %" PRId64 " }",
        cost->flops, cost->exps, cost->bytes, cost->l1_bytes, cost->l2_bytes, cost->memory_bytes);
}

static void print_gpu_json(const struct bench *bench)
{
    int i = 0;
    printf(",\n  \"kernels\": [");
    for (const struct kernel *k = bench->module->kernels; k; k = k->next) {
        const struct launch launch = kernel_launch(k);
        printf("%s\n    { \"name\": ", i ? "," : "");
        escape_print(k->name, stdout);
        printf(", \"layers\": ");
        escape_print(k->label ? k->label : "", stdout);
        printf(",\n      \"ms\": ");
        print_spread(&bench->kernel[i++]);
        printf(", \"flops\": %" PRId64 ",\n      \"blocks\": %" PRId64 ", \"threads\": %" PRId64
               ", \"shared_bytes\": %" PRId64 " }",
               k->cost ? k->cost->flops : 0, launch.blocks, launch.threads, launch.shared_bytes);
    }
    printf("\n  ]");
}

static void print_json(const struct bench *bench, const struct line *line)
{
    const struct module *m = bench->module;
    double flops = flops_of(bench), rate = gflops(flops, bench->run.median);
    double peak = peak_of(bench);
    printf("{\n  \"model\": ");
    escape_print(m->name, stdout);
    printf(",\n  \"target\": ");
    escape_print(bench->target, stdout);
    if (bench->here.core)
        printf(",\n  \"core\": \"%s\",\n  \"threads\": %" PRId64, bench->here.core->name,
               m->threads);
    printf(",\n  \"batch\": %" PRId64 ",\n  \"runs\": %d,\n  \"latency_ms\": ", module_images(m),
           bench->runs);
    print_spread(&bench->run);
    printf(",\n  \"images_per_second\": %.4f", 1e3 * (double)module_images(m) / bench->run.median);
    if (!bench->here.core) { /* a GPU */
        if (bench->kernel)
            print_gpu_json(bench);
        printf("\n}\n");
        return;
    }
    printf(",\n  \"flops\": %.0f,\n  \"gflops\": %.4f,\n"
           "  \"peak_gflops\": %.4f,\n  \"fraction_of_peak\": %.6f,\n  \"ghz\": %.4f,\n"
           "  \"fma_per_cycle\": %d,\n  \"described_fma_per_cycle\": %d,\n"
           "  \"predicted_ms\": %.6f,\n  ",
           flops, rate, peak, rate / peak, bench->speed.ghz, bench->speed.fma_per_cycle,
           bench->described_fma_per_cycle, bench->predictions.cycles / bench->speed.ghz / 1e6);
    rates_print(&bench->here, stdout);
    for (int i = 0; line && i < bench->predictions.count; i++) {
        printf(i ? ",\n" : ",\n  \"kernels\": [\n");
        print_json_line(&line[i]);
    }
    printf(line ? "\n  ]\n}\n" : "\n}\n");
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum status bench_target(const struct source *source, const char *target)
{
    const struct options *options = source->options;
    struct module *module = NULL;
    struct line *line = NULL;
    progress_begin(shows_progress(options));
    enum status status = source_module(source, target, &module);
    if (status == STATUS_DONE)
        status = passes_run_observed(module, NULL, options, NULL);
    struct bench bench = {.module = module,
                          .target = target,
                          .source = source,
                          .seconds = options->seconds > 0 ? options->seconds : DEFAULT_SECONDS,
                          .kernels = options->kernels};
    if (status == STATUS_DONE)
        status = bench_run(&bench);
    if (status == STATUS_DONE && bench.kernels && !target_is_gpu(target))
        line = lines_new(&bench);
    if (status == STATUS_DONE)
        (options->json ? print_json : print_text)(&bench, line);
    free(line);
    bench_free(&bench);
    if (module)
        module_free(module);
    return status;
}

enum status command_bench(const struct options *options)
{
    struct source source = {0};
    struct module *graph = NULL;
    const char *target = NULL;
    enum status status = batches_single(options);
    if (status == STATUS_DONE)
        status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &graph);
    if (status == STATUS_DONE)
        status = choose_target(graph, &target);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE)
        status = bench_target(&source, target);
    if (graph)
        module_free(graph);
    source_free(&source);
    return status;
}
