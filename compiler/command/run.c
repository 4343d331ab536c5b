#include "batches.h"
#include "command.h"
#include "execute.h"
#include "machine.h"
#include "memory.h"
#include "observe.h"
#include "outputs.h"
#include "passes.h"
#include <stdlib.h>
#include <string.h>

static enum status run_native(const struct source *source, struct module *graph,
                              const struct images *images, float *output)
{
    const char *target = NULL;
    struct module *module = NULL;
    struct compiled compiled = {0};
    enum status status = choose_target(graph, &target);
    if (status == STATUS_DONE)
        status = source_module(source, target, &module);
    if (status == STATUS_DONE)
        status = passes_run_observed(module, NULL, source->options, NULL);
    if (status == STATUS_DONE)
        status = batches_join(source, target, module);
    if (status == STATUS_DONE)
        status = compiled_load(module, source, &compiled);
    if (status == STATUS_DONE && source->options->verbose)
        fprintf(stderr, "sanc: runs %s on %s\n", module->name, target);
    if (status == STATUS_DONE)
        status = execute_on_threads(compiled.model, (unsigned)module->threads, images, output);
    compiled_free(&compiled);
    if (module)
        module_free(module);
    return status;
}

/* Evaluates the model's graph. In a precision other than f32, it rounds the operands that the
 * compiled model rounds. */
static enum status run_evaluator(const struct source *source, struct module *graph,
                                 const struct images *images, float *output)
{
    int64_t count = images->count * graph->classes;
    double *result = allocate(count, sizeof(double));
    enum precision precision =
        source->options->engine == CHOICE_engine_eval32 ? PRECISION_F32 : PRECISION_F64;
    enum status status = passes_round(graph);
    if (status == STATUS_DONE)
        status = execute_evaluator(graph, &source->parameters, precision, graph->target[0], images,
                                   result);
    for (int64_t i = 0; i < count && status == STATUS_DONE; i++)
        output[i] = (float)result[i];
    free(result);
    return status;
}

static enum status run_images(const struct source *source, struct module *graph,
                              const struct images *images)
{
    const struct options *options = source->options;
    float *output = allocate(images->count * graph->classes, sizeof(float));
    struct tensor_data result = {"output", output, 2, {images->count, graph->classes}, NULL};
    if (graph->map[0]) {
        result.rank = 4;
        memcpy(result.dim + 1, graph->map, sizeof graph->map);
    }
    bool native = options->engine == CHOICE_NONE || options->engine == CHOICE_engine_native;
    enum status status = (native ? run_native : run_evaluator)(source, graph, images, output);
    if (status == STATUS_DONE)
        status = weights_write(options->output, &result, 1);
    free(output);
    return status;
}

enum status command_run(const struct options *options)
{
    struct source source = {0};
    struct module *graph = NULL;
    struct weights *file = NULL;
    struct images images;
    enum status status = output_check(options, options->output, ".safetensors");
    if (status == STATUS_DONE)
        status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &graph);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE)
        status = images_read(options->input, graph, &file, &images);
    if (status == STATUS_DONE)
        status = run_images(&source, graph, &images);
    weights_free(file);
    if (graph)
        module_free(graph);
    source_free(&source);
    return status;
}
