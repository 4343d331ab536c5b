#include "batches.h"
#include "command.h"
#include "cubin.h"
#include "execute.h"
#include "memory.h"
#include "observe.h"
#include "outputs.h"
#include "report.h"
#include "schedules_collect.h"
#include "shared.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What the kinds of output are made from. */
struct emission {
    const struct source *source;
    const struct module *module;
    struct outputs *outputs;
};

/* The target of a file that is for one. */
static const char *target_of(const struct emission *e, const struct output *output)
{
    return output->target ? output->target : e->module->target[0];
}

/* The module of a file that is for one size of --batch. */
static const struct module *module_of(const struct emission *e, const struct output *output)
{
    const struct module *module = e->module;
    while (output->batch && module_images(module) != output->batch)
        module = module->smaller;
    return module;
}

/* The output of a kind; NULL: there is none. */
static struct output *output_of(const struct emission *e, enum emit kind)
{
    for (int i = 0; i < e->outputs->count; i++)
        if (e->outputs->output[i].kind == kind)
            return &e->outputs->output[i];
    return NULL;
}

static enum status emit_code(const struct emission *e, enum backend_kind kind, const char *target,
                             struct output *output)
{
    return module_emit(e->source, module_of(e, output),
                       (struct backend_request){.kind = kind, .target = target}, &output->file);
}

/* The PTX of one target, assembled. */
static enum status assemble(const struct emission *e, const struct module *module, const char *name,
                            struct backend_file *cubin)
{
    struct error error = {0};
    struct backend_file ptx;
    const struct target *target = target_find(name, &error);
    if (!target)
        return emit_failed(e->source, e->module, &error);
    enum status status =
        module_emit(e->source, module,
                    (struct backend_request){.kind = BACKEND_ASSEMBLY, .target = name}, &ptx);
    if (status != STATUS_DONE)
        return status;
    status = cubin_assemble(&ptx, target->cpu, cubin);
    free(ptx.data);
    return status;
}

/* And the file of weights that belongs to it. */
static enum status emit_obj(const struct emission *e, struct output *output)
{
    struct backend_file cubins[MAX_TARGETS] = {0};
    struct output *outside = output_of(e, EMIT_outside);
    const bool assembles = e->source->options->cubins;
    enum status status = STATUS_DONE;
    for (int i = 0; assembles && i < e->module->targets && status == STATUS_DONE; i++)
        if (target_is_gpu(e->module->target[i]))
            status = assemble(e, e->module, e->module->target[i], &cubins[i]);
    if (status == STATUS_DONE)
        status = module_emit(e->source, e->module,
                             (struct backend_request){.kind = BACKEND_OBJECT,
                                                      .outside = outside ? &outside->file : NULL,
                                                      .cubins = assembles ? cubins : NULL},
                             &output->file);
    for (int i = 0; i < MAX_TARGETS; i++)
        free(cubins[i].data);
    return status;
}

/* Of the object that is written besides, or of one made for it. */
static enum status emit_shared(const struct emission *e, struct output *output)
{
    struct output own = {0};
    const struct output *object = output_of(e, EMIT_obj);
    enum status status = object ? STATUS_DONE : emit_obj(e, &own);
    if (status == STATUS_DONE)
        status = shared_link(object ? &object->file : &own.file, &output->file);
    free(own.file.data);
    return status;
}

static enum status emit_asm(const struct emission *e, struct output *output)
{
    return emit_code(e, BACKEND_ASSEMBLY, target_of(e, output), output);
}

static enum status emit_ptx(const struct emission *e, struct output *output)
{
    return emit_asm(e, output); /* a GPU's assembly */
}

static enum status emit_llvm(const struct emission *e, struct output *output)
{
    return emit_code(e, BACKEND_LLVM, target_of(e, output), output);
}

static enum status emit_header(const struct emission *e, struct output *output)
{
    backend_header(e->module, e->source->options->weights_in, &output->file);
    return STATUS_DONE;
}

/* Text of the IR. Of one target alone, or of one size of several: the passes run again, so that the
 * dump holds nothing that only other targets use, and kernels have their own names. */
static enum status emit_ir(const struct emission *e, struct output *output)
{
    const char *last = e->source->options->stop_after;
    const struct module *module = e->module;
    struct module *own = NULL;
    enum status status = STATUS_DONE;
    if (output->target || output->batch) {
        status = output->batch ? source_module_of(e->source, output->batch, output->target, &own)
                               : source_module(e->source, output->target, &own);
        if (status == STATUS_DONE)
            status = passes_run(own, last, NULL);
        module = own;
    }
    if (status == STATUS_DONE)
        output->file.data = module_text(module, &output->file.size);
    if (own)
        module_free(own);
    return status;
}

/* What `sanc tune` would write if nothing were faster, for all sizes. */
static enum status emit_schedules(const struct emission *e, struct output *output)
{
    const struct batch_sizes *batches = &e->source->options->batch;
    struct tunings *tunings = tunings_new(NULL);
    enum status status = STATUS_DONE;
    for (int i = 0; i < (batches->count ? batches->count : 1) && status == STATUS_DONE; i++) {
        struct module *own = NULL;
        status = batches->count > 1 ? source_module_of(e->source, batches->size[i], NULL, &own)
                                    : source_module(e->source, NULL, &own);
        if (status == STATUS_DONE)
            status = pass_reachable(own, "schedule", false);
        if (status == STATUS_DONE)
            status = passes_run(own, "schedule", NULL);
        if (status == STATUS_DONE)
            schedules_collect(own, tunings);
        module_free(own);
    }
    FILE *to = memory_stream(&output->file.data, &output->file.size);
    tunings_print(tunings, to);
    memory_stream_end(to);
    tunings_free(tunings);
    return status;
}

static enum status emit_report(const struct emission *e, struct output *output)
{
    return report_make(e->source, module_of(e, output), target_of(e, output), &output->file);
}

static enum status emit_cubin(const struct emission *e, struct output *output)
{
    return assemble(e, module_of(e, output), target_of(e, output), &output->file);
}

/* The plan names its weights by their file name in the same folder. */
static enum status emit_launch(const struct emission *e, struct output *output)
{
    const char *weights = "";
    for (int i = 0; i < e->outputs->count; i++) {
        const char *path = e->outputs->output[i].path, *slash = strrchr(path, '/');
        if (e->outputs->output[i].kind == EMIT_weights &&
            e->outputs->output[i].batch == output->batch)
            weights = slash ? slash + 1 : path;
    }
    bool made = backend_launch(module_of(e, output), target_of(e, output), weights, &output->file);
    return made ? STATUS_DONE : STATUS_SYSTEM;
}

static enum status emit_weights(const struct emission *e, struct output *output)
{
    struct error error = {0};
    if (backend_weights(module_of(e, output), &e->source->parameters, &output->file, &error))
        return STATUS_DONE;
    return emit_failed(e->source, e->module, &error);
}

typedef enum status emitter(const struct emission *e, struct output *output);
static emitter *const emitters[EMIT_none] = {
#define EMIT(name, ...) [EMIT_##name] = emit_##name,
#include "outputs.def"
#undef EMIT
};

static enum status emit_all(const struct source *source, const struct module *module,
                            struct outputs *outputs)
{
    const struct emission emission = {source, module, outputs};
    enum status status = STATUS_DONE;
    for (int i = 0; i < outputs->count && status == STATUS_DONE; i++) {
        struct output *output = &outputs->output[i];
        if (output->kind != EMIT_outside) /* which the object's fills */
            status = emitters[output->kind](&emission, output);
        if (source->options->verbose && status == STATUS_DONE)
            fprintf(stderr, "sanc: %s: %zu bytes\n", output->path, output->file.size);
    }
    return status;
}

static enum status check_options(const struct options *options)
{
    unsigned emit = emit_asked(options);
    const char *wrong = NULL;
    if ((emit_has(emit, EMIT_obj) || emit_has(emit, EMIT_shared)) && !options->weights)
        wrong = "'sanc compile' needs --weights FILE to make an object or a library";
    else if (options->weights_in && !emit_has(emit, EMIT_obj) && !emit_has(emit, EMIT_shared))
        wrong = "--weights-in FILE is for an object or a library: --emit obj or shared";
    else if (options->cubins && !emit_has(emit, EMIT_obj) && !emit_has(emit, EMIT_shared))
        wrong = "--cubins is for an object or a library: --emit obj or shared";
    else if (options->profile && !emit_has(emit, EMIT_report))
        wrong = "--profile FILE is for a report: --emit report";
    else if ((emit_has(emit, EMIT_launch) || emit_has(emit, EMIT_weights)) && !options->weights)
        wrong = "'sanc compile' needs --weights FILE for the weights that come with a launch plan";
    else if (options->stop_after && emit != 1u << EMIT_ir)
        wrong = "with --stop-after only ir can be emitted: --emit ir";
    if (!wrong)
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "%s", wrong);
    return STATUS_USAGE;
}

/* A model's way: JSON and weights -> graph -> passes -> loops -> machine code -> files. */
enum status command_compile(const struct options *options)
{
    struct source source = {0};
    struct outputs outputs = {0};
    struct module *module = NULL;
    enum status status = check_options(options);
    if (status == STATUS_DONE)
        status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &module);
    if (status == STATUS_DONE)
        status = outputs_plan(&outputs, options, module->targets, module->target);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE && options->stop_after)
        status = pass_reachable(module, options->stop_after, false);
    if (status == STATUS_DONE)
        status = passes_run_observed(module, options->stop_after, options, NULL);
    if (status == STATUS_DONE && !options->stop_after)
        status = batches_join(&source, NULL, module);
    if (status == STATUS_DONE)
        status = emit_all(&source, module, &outputs);
    if (status == STATUS_DONE)
        status = outputs_write(&outputs);
    if (module)
        module_free(module);
    outputs_free(&outputs);
    source_free(&source);
    return status;
}
