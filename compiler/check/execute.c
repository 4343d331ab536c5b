#include "execute.h"
#include "check.h"
#include "memory.h"
#include "san/runtime.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- images ---------------------------------------------------------------------------------- */

/* Image `first` + i of the batch, or the last one where there are no more. */
static int64_t image_of_batch(const struct images *images, int64_t first, int64_t i)
{
    return first + i < images->count ? first + i : images->count - 1;
}

/* ---- compiled -------------------------------------------------------------------------------- */

int64_t module_weights_bytes(const struct module *module)
{
    int64_t bytes = 0;
    for (const struct buffer *buffer = module->buffers; buffer; buffer = buffer->next)
        if (buffer->place == PLACE_WEIGHTS)
            bytes += buffer_bytes(buffer);
    return bytes;
}

/* False: says which constant an object cannot hold. The error names the dump, or a model's weight
 * file. */
static bool constants_good(const struct module *module, const struct parameters *parameters,
                           const char *weights)
{
    struct error error = {0};
    if (module_check_constants(module, parameters, &error))
        return true;
    error.file = module->file ? module->file : weights;
    diag_report(&error);
    return false;
}

enum status emit_failed(const struct source *source, const struct module *module,
                        struct error *error)
{
    if (source->parameters.find &&
        !constants_good(module, &source->parameters, source->options->weights))
        return STATUS_INPUT;
    if (module->file || module_weights_bytes(module) > INT32_MAX) {
        error->file = module->file;
        diag_report(error);
        return STATUS_INPUT;
    }
    diag_error(NULL, 0, 0, "defect in the backend: %s", error->text);
    return STATUS_DEFECT;
}

enum status module_emit(const struct source *source, const struct module *module,
                        struct backend_request request, struct backend_file *file)
{
    static const uint8_t no_weights[32];
    const uint8_t *sha256 = source->weights ? weights_sha256(source->weights) : no_weights;
    struct error error = {0};
    request.unwind_tables = source->options->unwind_tables;
    if ((!module->file || backend_check(module, &error)) &&
        backend_emit(module, &source->parameters, sha256, &request, file, &error))
        return STATUS_DONE;
    return emit_failed(source, module, &error);
}

static enum status check_model(const struct module *module, const struct san_model *model)
{
    if (model->abi_version == SAN_ABI_VERSION && strcmp(model->name, module->name) == 0 &&
        model->batch == module_images(module) && model->channels == module->channels &&
        model->height == module->height && model->width == module->width &&
        model->input_type == (module->input_type == DTYPE_U8 ? SAN_U8 : SAN_F32) &&
        model->input_layout == (module->layout == LAYOUT_NHWC ? SAN_NHWC : SAN_NCHW) &&
        model->classes == module->classes && model->workspace_alignment > 0)
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "defect in the backend: the object describes another model");
    return STATUS_DEFECT;
}

enum status compiled_load(const struct module *module, const struct source *source,
                          struct compiled *compiled)
{
    struct error error = {0};
    *compiled = (struct compiled){0};
    enum status status = module_emit(
        source, module, (struct backend_request){.kind = BACKEND_OBJECT}, &compiled->object);
    if (status != STATUS_DONE)
        return status;
    compiled->model = backend_load(&compiled->object, module->name, &compiled->loaded, &error);
    if (compiled->model)
        return check_model(module, compiled->model);
    diag_error(NULL, 0, 0, "cannot load the compiled model: %s", error.text);
    return STATUS_SYSTEM;
}

void compiled_free(struct compiled *compiled)
{
    if (compiled->loaded)
        backend_unload(compiled->loaded);
    free(compiled->object.data);
    *compiled = (struct compiled){0};
}

static const char *san_error(int code)
{
    switch (code) {
    case SAN_EPOINTER:
        return "a pointer is null";
    case SAN_EALIGN:
        return "a pointer is misaligned";
    case SAN_ECPU:
        return "this processor lacks instructions that every target needs";
    case SAN_EABI:
        return "another ABI version";
    case SAN_EWEIGHTS:
        return "its weights are in a file";
    case SAN_EEXEC:
        return "more than one thread and no way to run them";
    default:
        return "unknown error";
    }
}

static void *place(struct guarded *memory, uint64_t bytes)
{
    *memory = guarded_new(bytes);
    if (!memory->data)
        memory_fail();
    return memory->data;
}

/* On a GPU. */
static enum status open_device(struct execution *execution)
{
    struct san_cuda_error error;
    if (san_cuda_open(execution->model, 0, &execution->cuda, &error) == SAN_CUDA_OK)
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "%s: %s", execution->model->name, error.text);
    return STATUS_SYSTEM;
}

enum status execution_new(struct execution *execution, const struct san_model *model)
{
    uint64_t inputs = (uint64_t)model->batch * model->channels * model->height * model->width;
    uint64_t outputs = (uint64_t)model->batch * model->classes;
    *execution = (struct execution){.model = model};
    struct guarded *memory = execution->memory;
    execution->input =
        place(&memory[0], inputs * (model->input_type == SAN_U8 ? 1 : sizeof(float)));
    execution->output = place(&memory[1], outputs * sizeof(float));
    if (!model->run)
        return open_device(execution);
    execution->workspace = place(&memory[2], model->workspace_bytes);
    return STATUS_DONE;
}

void execution_free(struct execution *execution)
{
    san_cuda_close(execution->cuda);
    for (int i = 0; i < 3; i++)
        guarded_free(&execution->memory[i]);
}

static enum status run_device(const struct execution *execution, int64_t count)
{
    struct san_cuda_error error;
    if (!san_cuda_run_images_host(execution->cuda, execution->input, execution->output,
                                  (size_t)count, &error))
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "%s: %s", execution->model->name, error.text);
    return STATUS_SYSTEM;
}

/* Runs the first images of what is in `input`. */
static enum status run_first(const struct execution *execution, const struct san_exec *exec,
                             int64_t count)
{
    const struct san_model *model = execution->model;
    if (execution->cuda)
        return run_device(execution, count);
    int code = count == model->batch
                   ? model->run(execution->input, execution->output, execution->workspace, exec)
                   : model->run_images(execution->input, execution->output, (size_t)count,
                                       execution->workspace, exec);
    if (code == SAN_OK)
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "%s_run: %s (%d)", model->name, san_error(code), code);
    return code == SAN_ECPU ? STATUS_SYSTEM : STATUS_DEFECT;
}

enum status execution_once(const struct execution *execution, const struct san_exec *exec)
{
    return run_first(execution, exec, execution->model->batch);
}

enum status execution_time_kernels(const struct execution *execution, uint64_t *nanoseconds)
{
    struct san_cuda_error error;
    uint32_t count = san_cuda_kernels(execution->cuda);
    float *ms = allocate(count, sizeof *ms);
    int failed = san_cuda_time_kernels(execution->cuda, execution->input, ms, &error);
    for (uint32_t i = 0; i < count && !failed; i++)
        nanoseconds[i] = (uint64_t)(1e6 * (double)ms[i]);
    free(ms);
    if (!failed)
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "%s: %s", execution->model->name, error.text);
    return STATUS_SYSTEM;
}

enum status execution_run(const struct execution *execution, const struct san_exec *exec,
                          const struct images *images, int64_t first)
{
    const struct san_model *model = execution->model;
    int64_t left = images->count - first, count = left < model->batch ? left : model->batch;
    const double *from = images->value + first * images->each;
    float *floats = execution->input;
    unsigned char *bytes = execution->input;
    for (int64_t i = 0; i < count * images->each; i++) {
        if (model->input_type == SAN_U8)
            bytes[i] = (unsigned char)from[i];
        else
            floats[i] = (float)from[i];
    }
    /* all bits set: NaN */
    memset(execution->output, 0xff, (size_t)(count * model->classes) * sizeof(float));
    if (execution->workspace)
        memset(execution->workspace, 0xff, model->workspace_bytes);
    return run_first(execution, exec, count);
}

static enum status execute_compiled(const struct san_model *model, const struct san_exec *exec,
                                    const struct images *images, float *output)
{
    struct execution execution;
    enum status status = execution_new(&execution, model);
    for (int64_t i = 0; i < images->count && status == STATUS_DONE; i += model->batch) {
        int64_t count = images->count - i < model->batch ? images->count - i : model->batch;
        status = execution_run(&execution, exec, images, i);
        memcpy(output + i * model->classes, execution.output,
               (size_t)count * model->classes * sizeof(float));
    }
    execution_free(&execution);
    return status;
}

enum status execute_on_threads(const struct san_model *model, unsigned threads,
                               const struct images *images, float *output)
{
    if (threads <= 1 || !model->run)
        return execute_compiled(model, NULL, images, output);
    struct san_pool *pool = san_pool_new(threads);
    if (!pool) {
        diag_error(NULL, 0, 0, "cannot start %u threads: %s", threads, strerror(errno));
        return STATUS_SYSTEM;
    }
    struct san_exec exec = san_pool_exec(pool);
    enum status status = execute_compiled(model, &exec, images, output);
    san_pool_free(pool);
    return status;
}

/* ---- evaluator ------------------------------------------------------------------------------- */

static bool evaluate(const struct module *module, const struct parameters *parameters,
                     enum precision precision, const char *target, const double *input,
                     double *output)
{
    if (module->kernels)
        return module_eval_loops(module, parameters, precision, target, input, output);
    return module_eval_graph(module, parameters, precision, input, output);
}

enum status execute_evaluator(const struct module *module, const struct parameters *parameters,
                              enum precision precision, const char *target,
                              const struct images *images, double *output)
{
    int64_t batch = module->batch, classes = module->classes;
    double *input = allocate(batch * images->each, sizeof(double));
    double *result = allocate(batch * classes, sizeof(double));
    enum status status = STATUS_DONE;
    for (int64_t first = 0; first < images->count && status == STATUS_DONE; first += batch) {
        int64_t count = images->count - first < batch ? images->count - first : batch;
        for (int64_t i = 0; i < batch; i++)
            memcpy(input + i * images->each,
                   images->value + image_of_batch(images, first, i) * images->each,
                   (size_t)images->each * sizeof(double));
        memset(result, 0xff, (size_t)(batch * classes) * sizeof(double));
        if (!evaluate(module, parameters, precision, target, input, result)) {
            if (!module->kernels || constants_good(module, parameters, NULL))
                diag_error(NULL, 0, 0, "a parameter is missing");
            status = STATUS_INPUT;
        }
        memcpy(output + first * classes, result, (size_t)(count * classes) * sizeof(double));
    }
    free(input);
    free(result);
    return status;
}
