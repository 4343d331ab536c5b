#include "stats.h"
#include "batches.h"
#include "command.h"
#include "escape.h"
#include "execute.h"
#include "observe.h"
#include "traffic.h"
#include <inttypes.h>

struct memory {
    int64_t weights, workspace, stack; /* bytes; stack: of one thread, part of the workspace */
};

/* Everything that is printed. */
struct report {
    const struct module *module;
    struct stats stats;
    struct traffic traffic; /* of the first target */
    struct memory memory;
};

static void print_kernels(const struct traffic *traffic)
{
    printf("%-44s %15s %15s\n", "kernel", "bytes read", "bytes written");
    for (int i = 0; i < traffic->count; i++)
        printf("%-44s %15" PRId64 " %15" PRId64 "\n", traffic->kernel[i].name,
               traffic->kernel[i].read, traffic->kernel[i].written);
    printf("%-44s %15" PRId64 " %15" PRId64 "\n\n", "total", traffic->read, traffic->written);
}

static void print_text(const struct report *report, const char *what)
{
    const struct module *module = report->module;
    const struct stats *stats = &report->stats;
    const struct memory *memory = &report->memory;
    printf("%-32s %15s %18s\n", "layer", "parameters", what);
    for (int i = 0; i < stats->count; i++)
        printf("%-32s %15" PRId64 " %18" PRId64 "\n", stats->layer[i].name,
               stats->layer[i].parameters, stats->layer[i].operations);
    printf("%-32s %15" PRId64 " %18" PRId64 "\n\n", "total", stats->parameters, stats->operations);
    print_kernels(&report->traffic);
    printf("%s are per image; bytes for batches of %" PRId64 " and %" PRId64
           " thread%s, kernels for %s\n",
           what, module_images(module), module->threads, module->threads == 1 ? "" : "s",
           module->target[0]);
    printf("%-40s %15" PRId64 " bytes\n", "moved to and from tensors and weights",
           report->traffic.read + report->traffic.written);
    printf("%-40s %15" PRId64 " bytes\n", "weights, as stored in the object", memory->weights);
    printf("%-40s %15" PRId64 " bytes\n", "workspace", memory->workspace);
    printf("%-40s %15" PRId64 " bytes\n", "stack of a thread, part of it", memory->stack);
}

static void print_json_layers(const struct stats *stats, const char *key)
{
    printf("  \"layers\": [");
    for (int i = 0; i < stats->count; i++) {
        printf("%s\n    { \"name\": ", i ? "," : "");
        escape_print(stats->layer[i].name, stdout);
        printf(", \"parameters\": %" PRId64 ", \"%s\": %" PRId64 " }", stats->layer[i].parameters,
               key, stats->layer[i].operations);
    }
    printf("\n  ],\n");
}

static void print_json_kernels(const struct traffic *traffic)
{
    printf("  \"kernels\": [");
    for (int i = 0; i < traffic->count; i++) {
        const struct kernel_traffic *kernel = &traffic->kernel[i];
        printf("%s\n    { \"name\": ", i ? "," : "");
        escape_print(kernel->name, stdout);
        printf(", \"layers\": ");
        escape_print(kernel->label ? kernel->label : "", stdout);
        printf(", \"bytes_read\": %" PRId64 ", \"bytes_written\": %" PRId64 " }", kernel->read,
               kernel->written);
    }
    printf("\n  ]\n");
}

static void print_json(const struct report *report, const char *key)
{
    const struct module *module = report->module;
    printf("{\n  \"model\": ");
    escape_print(module->name, stdout);
    printf(",\n  \"batch\": %" PRId64 ",\n  \"threads\": %" PRId64 ",\n  \"targets\": [",
           module_images(module), module->threads);
    for (int i = 0; i < module->targets; i++) {
        printf("%s", i ? ", " : "");
        escape_print(module->target[i], stdout);
    }
    printf("],\n  \"parameters\": %" PRId64 ",\n  \"%s\": %" PRId64 ",\n", report->stats.parameters,
           key, report->stats.operations);
    printf("  \"bytes_read\": %" PRId64 ",\n  \"bytes_written\": %" PRId64 ",\n",
           report->traffic.read, report->traffic.written);
    printf("  \"weights_bytes\": %" PRId64 ",\n  \"workspace_bytes\": %" PRId64
           ",\n  \"stack_bytes\": %" PRId64 ",\n",
           report->memory.weights, report->memory.workspace, report->memory.stack);
    print_json_layers(&report->stats, key);
    print_json_kernels(&report->traffic);
    printf("}\n");
}

/* Layers are counted before the passes fold them away, kernels after. */
static enum status report_print(struct report *report, struct module *module,
                                const struct options *options)
{
    bool paper = options->count == CHOICE_count_paper;
    report->module = module;
    graph_stats(module, paper ? COUNT_PAPER : COUNT_MACS, &report->stats);
    enum status status = passes_run_observed(module, NULL, options, NULL);
    if (status != STATUS_DONE)
        return status;
    module_traffic(module, module->target[0], &report->traffic);
    report->memory = (struct memory){module_weights_bytes(module), module_workspace_bytes(module),
                                     module->scratch_bytes};
    if (options->json)
        print_json(report, paper ? "paper_flops" : "macs");
    else
        print_text(report, paper ? "FLOPs" : "MACs");
    return STATUS_DONE;
}

enum status command_stats(const struct options *options)
{
    struct source source = {0};
    struct report report = {0};
    struct module *module = NULL;
    enum status status = batches_single(options);
    if (status == STATUS_DONE)
        status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &module);
    if (status == STATUS_DONE)
        status = report_print(&report, module, options);
    stats_free(&report.stats);
    traffic_free(&report.traffic);
    if (module)
        module_free(module);
    source_free(&source);
    return status;
}
