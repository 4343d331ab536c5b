#include "command.h"
#include "execute.h"
#include "observe.h"
#include "stats.h"
#include <inttypes.h>

struct memory {
    int64_t weights, workspace, stack; /* bytes; stack: of one thread, part of the workspace */
};

static void print_text(const struct module *module, const struct stats *stats, const char *what,
                       const struct memory *memory)
{
    printf("%-32s %15s %18s\n", "layer", "parameters", what);
    for (int i = 0; i < stats->count; i++)
        printf("%-32s %15" PRId64 " %18" PRId64 "\n", stats->layer[i].name,
               stats->layer[i].parameters, stats->layer[i].operations);
    printf("%-32s %15" PRId64 " %18" PRId64 "\n\n", "total", stats->parameters, stats->operations);
    printf("%s per image; memory for batches of %" PRId64 " and %" PRId64 " thread%s\n", what,
           module->batch, module->threads, module->threads == 1 ? "" : "s");
    printf("%-32s %15" PRId64 " bytes\n", "weights, as stored in the object", memory->weights);
    printf("%-32s %15" PRId64 " bytes\n", "workspace", memory->workspace);
    printf("%-32s %15" PRId64 " bytes\n", "stack of a thread, part of it", memory->stack);
}

static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < ' ' || c == 127)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_json(const struct module *module, const struct stats *stats, const char *key,
                       const struct memory *memory)
{
    printf("{\n  \"model\": ");
    print_json_string(module->name);
    printf(",\n  \"batch\": %" PRId64 ",\n  \"threads\": %" PRId64 ",\n  \"targets\": [",
           module->batch, module->threads);
    for (int i = 0; i < module->targets; i++) {
        printf("%s", i ? ", " : "");
        print_json_string(module->target[i]);
    }
    printf("],\n  \"parameters\": %" PRId64 ",\n  \"%s\": %" PRId64 ",\n", stats->parameters, key,
           stats->operations);
    printf("  \"weights_bytes\": %" PRId64 ",\n  \"workspace_bytes\": %" PRId64
           ",\n  \"stack_bytes\": %" PRId64 ",\n  \"layers\": [",
           memory->weights, memory->workspace, memory->stack);
    for (int i = 0; i < stats->count; i++) {
        printf("%s\n    { \"name\": ", i ? "," : "");
        print_json_string(stats->layer[i].name);
        printf(", \"parameters\": %" PRId64 ", \"%s\": %" PRId64 " }", stats->layer[i].parameters,
               key, stats->layer[i].operations);
    }
    printf("\n  ]\n}\n");
}

static enum status report(struct module *module, const struct options *options)
{
    struct stats stats;
    bool paper = options->count == COUNT_PAPER;
    enum status status = STATUS_DONE;
    if (!graph_stats(module, (enum count)options->count, &stats)) {
        diag_error(NULL, 0, 0, "out of memory");
        status = STATUS_SYSTEM;
    }
    if (status == STATUS_DONE)
        status = passes_run_observed(module, NULL, options, NULL);
    if (status == STATUS_DONE) {
        struct memory memory = {module_weights_bytes(module), module_workspace_bytes(module),
                                module->scratch_bytes};
        if (options->json)
            print_json(module, &stats, paper ? "flops" : "macs", &memory);
        else
            print_text(module, &stats, paper ? "FLOPs" : "MACs", &memory);
    }
    stats_free(&stats);
    return status;
}

enum status command_stats(const struct options *options)
{
    struct source source = {0};
    struct module *module = NULL;
    enum status status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &module);
    if (status == STATUS_DONE)
        status = report(module, options);
    if (module)
        module_free(module);
    source_free(&source);
    return status;
}
