#include "command.h"
#include "cubin.h"
#include "execute.h"
#include "observe.h"
#include "outputs.h"
#include "report.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Text of the IR for one target alone: the passes run anew, so that the dump holds nothing that
 * only other targets use. */
static enum status emit_ir(const struct source *source, const struct module *module,
                           struct output *output)
{
    const char *last = source->options->stop_after;
    struct module *own = NULL;
    enum status status = STATUS_DONE;
    if (output->target) {
        status = source_module(source, output->target, &own);
        if (status == STATUS_DONE)
            status = passes_run(own, last, NULL);
        module = own;
    }
    if (status == STATUS_DONE) {
        output->file.data = module_text(module, &output->file.size);
        status = output->file.data ? STATUS_DONE : STATUS_SYSTEM;
    }
    if (own)
        module_free(own);
    return status;
}

/* The PTX of one target, assembled. */
static enum status emit_cubin(const struct module *module, const char *name, struct output *output)
{
    char why[512] = "";
    struct backend_file ptx;
    const struct target *target = target_find(name, why, sizeof why);
    if (!target || !backend_emit(module, NULL, NULL, BACKEND_ASSEMBLY, name, &ptx, why, sizeof why))
        return emit_failed(module, why);
    enum status status = cubin_assemble(&ptx, target->cpu, &output->file);
    free(ptx.data);
    return status;
}

/* The plan names its weights as they lie beside it. */
static const char *weights_name(const struct outputs *outputs)
{
    for (int i = 0; i < outputs->count; i++) {
        const char *path = outputs->output[i].path, *slash = strrchr(path, '/');
        if (outputs->output[i].kind == EMIT_WEIGHTS)
            return slash ? slash + 1 : path;
    }
    return "";
}

static enum status emit(const struct source *source, const struct module *module,
                        const struct outputs *outputs, struct output *output)
{
    static const uint8_t no_weights[32];
    const uint8_t *sha256 = source->weights ? weights_sha256(source->weights) : no_weights;
    const char *target = output->target ? output->target : module->target[0];
    enum backend_kind kind = BACKEND_OBJECT;
    char why[512] = "";
    switch (output->kind) {
    case EMIT_HEADER:
        backend_header(module, &output->file);
        return STATUS_DONE;
    case EMIT_IR:
        return emit_ir(source, module, output);
    case EMIT_REPORT:
        return report_make(source, module, target, &output->file);
    case EMIT_OBJECT:
        target = NULL;
        break;
    case EMIT_ASSEMBLY:
        kind = BACKEND_ASSEMBLY;
        break;
    case EMIT_PTX:
        kind = BACKEND_ASSEMBLY;
        break;
    case EMIT_LLVM:
        kind = BACKEND_LLVM;
        break;
    case EMIT_CUBIN:
        return emit_cubin(module, target, output);
    case EMIT_LAUNCH:
        return backend_launch(module, target, weights_name(outputs), &output->file) ? STATUS_DONE
                                                                                    : STATUS_SYSTEM;
    case EMIT_WEIGHTS:
        return backend_weights(module, &source->parameters, &output->file, why, sizeof why)
                   ? STATUS_DONE
                   : emit_failed(module, why);
    case EMIT_COUNT:
        break;
    }
    if (backend_emit(module, &source->parameters, sha256, kind, target, &output->file, why,
                     sizeof why))
        return STATUS_DONE;
    return emit_failed(module, why);
}

static enum status emit_all(const struct source *source, const struct module *module,
                            struct outputs *outputs)
{
    enum status status = STATUS_DONE;
    for (int i = 0; i < outputs->count && status == STATUS_DONE; i++) {
        struct output *output = &outputs->output[i];
        status = emit(source, module, outputs, output);
        if (source->options->verbose && status == STATUS_DONE)
            fprintf(stderr, "sanc: %s: %zu bytes\n", output->path, output->file.size);
    }
    return status;
}

static enum status check_options(const struct options *options)
{
    unsigned emit = options->emit ? options->emit : 1u << EMIT_OBJECT;
    if ((emit >> EMIT_OBJECT & 1) && !options->weights) {
        diag_error(NULL, 0, 0, "'sanc compile' needs --weights FILE to make an object");
        return STATUS_USAGE;
    }
    if (options->profile && !(emit >> EMIT_REPORT & 1)) {
        diag_error(NULL, 0, 0, "--profile FILE is for a report: --emit report");
        return STATUS_USAGE;
    }
    if ((emit >> EMIT_LAUNCH & 1 || emit >> EMIT_WEIGHTS & 1) && !options->weights) {
        diag_error(NULL, 0, 0,
                   "'sanc compile' needs --weights FILE for what a launch plan comes with");
        return STATUS_USAGE;
    }
    if (options->stop_after && emit != 1u << EMIT_IR) {
        diag_error(NULL, 0, 0, "after --stop-after there is nothing but ir to --emit");
        return STATUS_USAGE;
    }
    return STATUS_DONE;
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
