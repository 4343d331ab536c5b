#include "batches.h"
#include "command.h"
#include "images.h"
#include "machine.h"
#include "memory.h"
#include "npy.h"
#include "observe.h"
#include "outputs.h"
#include "passes.h"
#include "top.h"
#include <math.h>
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

/* (images, classes), or (images, channels, height, width) of a map. */
static enum status write_output(const char *path, const float *output, int64_t images,
                                const struct module *graph)
{
    struct tensor_data result = {"output", output, 2, {images, graph->classes}, NULL};
    if (graph->map[0]) {
        result.rank = 4;
        memcpy(result.dim + 1, graph->map, sizeof graph->map);
    }
    return npy_is(path) ? npy_write(path, output, result.rank, result.dim)
                        : weights_write(path, &result, 1);
}

/* Whether the network ends with a softmax. A dump does not say it any more, its results do. */
static bool returns_probabilities(const struct source *source, const float *output, int64_t classes)
{
    double sum = 0;
    if (!source->is_dump)
        return source->model.output == OUTPUT_PROBABILITIES;
    for (int64_t i = 0; i < classes; i++)
        sum += output[i] >= 0 ? output[i] : NAN;
    return fabs(sum - 1) < 1e-4;
}

static enum status run_images(const struct source *source, struct module *graph,
                              const struct image_files *files, const struct labels *labels)
{
    const struct options *options = source->options;
    const struct images *images = &files->images;
    float *output = allocate(images->count * graph->classes, sizeof(float));
    bool native = options->engine == CHOICE_NONE || options->engine == CHOICE_engine_native;
    enum status status = (native ? run_native : run_evaluator)(source, graph, images, output);
    if (status == STATUS_DONE && options->output)
        status = write_output(options->output, output, images->count, graph);
    if (status == STATUS_DONE && options->top)
        top_print(files, output, graph->classes, options->top,
                  returns_probabilities(source, output, graph->classes), labels);
    free(output);
    return status;
}

static enum status check_output(const struct options *options)
{
    const char *problem = NULL;
    if (!options->output && !options->top)
        problem = "'sanc run' needs --output FILE or --top N: where results go";
    else if (options->labels && !options->top)
        problem = "--labels is for --top";
    else if (options->output && options->top && strcmp(options->output, "-") == 0)
        problem = "--top and --output - both write to standard output";
    if (problem) {
        diag_error(NULL, 0, 0, "%s", problem);
        return STATUS_USAGE;
    }
    if (!options->output)
        return STATUS_DONE;
    return output_check(options, options->output,
                        npy_is(options->output) ? ".npy" : ".safetensors");
}

enum status command_run(const struct options *options)
{
    struct source source = {0};
    struct module *graph = NULL;
    struct image_files files = {0};
    struct labels labels = {0};
    enum status status = check_output(options);
    if (status == STATUS_DONE)
        status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &graph);
    if (status == STATUS_DONE)
        status = labels_read(options->labels, graph->classes, &labels);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE)
        status = images_read(&source, graph, &files);
    if (status == STATUS_DONE)
        status = run_images(&source, graph, &files, &labels);
    labels_free(&labels);
    images_free(&files);
    if (graph)
        module_free(graph);
    source_free(&source);
    return status;
}
