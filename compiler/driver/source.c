#include "source.h"
#include "backend.h"
#include "file.h"
#include "identifier.h"
#include "memory.h"
#include "model_graph.h"
#include "observe.h"
#include "passes.h"
#include "turns.h"
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const size_t MOST_TEXT_BYTES = 16u
                                      << 20; /* of a dump, as the parser limits it, or of a model */
static const struct target_names default_targets = {2, {"x86-64-v3", "x86-64-v4"}};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static const char *precision_name(int precision)
{
    return attr_enum_name(ATTR_TYPE_precision_kind, precision);
}

/* What the command line asks for: a precision_kind. */
static int precision_asked(const struct options *options)
{
    return options->precision == CHOICE_precision_tf32   ? precision_kind_tf32
           : options->precision == CHOICE_precision_bf16 ? precision_kind_bf16
                                                         : precision_kind_f32;
}

/* Whether a target can multiply in the precision. */
static bool target_has_precision(const char *name, int precision)
{
    struct error error;
    const struct target *target = target_find(name, &error);
    return precision == precision_kind_f32 || !target || target_has_matrix_units(target) ||
           (precision == precision_kind_bf16 && !target->gpu);
}

static const char *precision_users(int precision)
{
    return precision == precision_kind_bf16 ? "processors and " : "";
}

static enum status check_precision(const struct target_names *names, int precision)
{
    enum status status = STATUS_DONE;
    for (int i = 0; i < names->count; i++) {
        if (target_has_precision(names->name[i], precision))
            continue;
        diag_error(NULL, 0, 0,
                   "--precision %s is for %sGPUs from nvptx:sm_80 on, found the target %s",
                   precision_name(precision), precision_users(precision), names->name[i]);
        status = STATUS_USAGE;
    }
    return status;
}

static enum status check_targets(const struct target_names *names)
{
    enum status status = STATUS_DONE;
    for (int i = 0; i < names->count; i++) {
        struct error error;
        if (target_find(names->name[i], &error))
            continue;
        diag_error(NULL, 0, 0, "--target %s: %s", names->name[i], error.text);
        status = STATUS_USAGE;
    }
    return status;
}

/* Standard input has no name that says whether it is a dump. */
static bool begins_as_dump(const struct source *source)
{
    static const char begin[] = "sanir ";
    return source->size >= sizeof begin - 1 && memcmp(source->text, begin, sizeof begin - 1) == 0;
}

static enum status check_standard_input(const struct options *options)
{
    const char *const input[] = {options->operand, options->weights, options->labels,
                                 options->profile, options->schedules};
    int standard = 0;
    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        standard += input[i] && strcmp(input[i], "-") == 0;
    for (int i = 0; i < options->input.count; i++)
        standard += strcmp(options->input.name[i], "-") == 0;
    if (standard <= 1)
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "standard input (-) can be one of the inputs, found %d", standard);
    return STATUS_USAGE;
}

static enum status choose_features(const struct options *options, struct model *model)
{
    int choice = (int)options->features - CHOICE_features_pooled;
    if (!options->features)
        return STATUS_DONE;
    model->features = FEATURES_POOLED + choice;
    if (model->features < FEATURES_STAGE + model->stages)
        return STATUS_DONE;
    diag_error(NULL, 0, 0,
               "--features must be pooled, or a stage from stage0 to stage%d of this model",
               model->stages - 1);
    return STATUS_USAGE;
}

enum status schedules_read(const char *path, struct tunings **tunings)
{
    struct error error = {0};
    char *text = NULL;
    size_t size;
    enum status status = file_read(path, MOST_TEXT_BYTES, &text, &size);
    *tunings = status == STATUS_DONE ? tunings_parse(text, size, path, &error) : NULL;
    free(text);
    if (status != STATUS_DONE || *tunings)
        return status;
    diag_report(&error);
    return STATUS_INPUT;
}

enum status source_read(struct source *source, const struct options *options)
{
    *source = (struct source){.options = options, .target = options->target};
    enum status status = check_standard_input(options);
    if (status == STATUS_DONE && options->schedules)
        status = schedules_read(options->schedules, &source->tunings);
    if (status == STATUS_DONE)
        status = file_read(options->operand, MOST_TEXT_BYTES, &source->text, &source->size);
    if (status != STATUS_DONE)
        return status;
    bool piped = strcmp(options->operand, "-") == 0;
    source->is_dump = piped ? begins_as_dump(source) : ends_with(options->operand, ".sanir");
    if (source->is_dump)
        return STATUS_DONE;
    if (source->target.count == 0)
        source->target = default_targets;
    status = check_targets(&source->target);
    if (status == STATUS_DONE)
        status = check_precision(&source->target, precision_asked(options));
    if (status == STATUS_DONE)
        status = model_parse(options->operand, source->text, source->size, &source->model);
    if (status == STATUS_DONE)
        status = choose_features(options, &source->model);
    if (status == STATUS_DONE && options->name)
        snprintf(source->model.name, sizeof source->model.name, "%s", options->name);
    return status;
}

void source_free(struct source *source)
{
    weights_free(source->weights);
    tunings_free(source->tunings);
    free(source->text);
    *source = (struct source){0};
}

bool source_is_input(const struct options *options, const char *path)
{
    const char *const input[] = {options->operand, options->weights, options->labels,
                                 options->profile, options->schedules};
    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        if (input[i] && file_same(input[i], path))
            return true;
    for (int i = 0; i < options->input.count; i++)
        if (file_same(options->input.name[i], path))
            return true;
    return false;
}

/* ---- weights --------------------------------------------------------------------------------- */

static const double *find_parameter(void *context, const char *name, const struct shape *shape)
{
    return weights_find(context, name, shape_elements(shape));
}

static void forget_parameter(void *context, const char *name)
{
    weights_forget(context, name);
}

static void drop_prefix(struct source *source, const struct module *module)
{
    int64_t count = 0, most = 0;
    for (const struct inst *inst = module->first; inst; inst = inst->next)
        most += inst->op == OP_parameter;
    const char **name = allocate(most, sizeof *name);
    for (const struct inst *inst = module->first; inst; inst = inst->next)
        if (inst->op == OP_parameter)
            name[count++] = inst->attr[SLOT_parameter_name].string;
    weights_drop_prefix(source->weights, name, (size_t)count);
    free(name);
}

/* Checks the parameters that the dump still has. Others have been folded away, so the file may hold
 * more tensors. */
static enum status check_dump_weights(struct source *source)
{
    struct module *module;
    enum status status = source_module(source, NULL, &module);
    if (status != STATUS_DONE)
        return status;
    drop_prefix(source, module);
    for (const struct inst *inst = module->first; inst; inst = inst->next) {
        if (inst->op != OP_parameter)
            continue;
        const char *name = inst->attr[SLOT_parameter_name].string;
        int64_t elements = shape_elements(&inst->shape);
        const double *value = weights_find(source->weights, name, elements);
        double least = ends_with(name, ".running_var") ? 0 : -FLT_MAX;
        int64_t good = 0;
        while (value && good < elements && value[good] >= least && value[good] <= FLT_MAX)
            good++;
        if (!value)
            diag_error(source->options->weights, 0, 0,
                       "tensor '%s' of %" PRId64 " floats is needed and not there", name, elements);
        else if (good < elements)
            diag_error(source->options->weights, 0, 0,
                       "tensor '%s' must hold numbers from %g to %g, found %g", name, least,
                       (double)FLT_MAX, value[good]);
        status = value && good == elements ? status : STATUS_INPUT;
        weights_forget(source->weights, name);
    }
    module_free(module);
    return status;
}

static enum status check_model_weights(struct source *source)
{
    size_t count;
    struct arena *arena = arena_new();
    struct tensor_need *needs = graph_parameters(&source->model, arena, &count);
    enum status status = weights_check(source->weights, needs, count);
    free(needs);
    arena_free(arena);
    return status;
}

enum status source_read_weights(struct source *source)
{
    if (!source->options->weights)
        return STATUS_DONE;
    enum status status = weights_read(source->options->weights, &source->weights);
    if (status != STATUS_DONE)
        return status;
    source->parameters = (struct parameters){find_parameter, source->weights, forget_parameter};
    return source->is_dump ? check_dump_weights(source) : check_model_weights(source);
}

/* ---- modules --------------------------------------------------------------------------------- */

static bool has_target(const struct module *module, const char *target)
{
    for (int i = 0; i < module->targets; i++)
        if (strcmp(module->target[i], target) == 0)
            return true;
    return false;
}

static struct schedule *keep_schedules(const struct module *module, const struct schedule *list)
{
    struct schedule *kept = NULL, **tail = &kept;
    for (; list; list = list->next) {
        if (!has_target(module, list->target))
            continue;
        *tail = arena_copy(module->arena, list, sizeof *list);
        tail = &(*tail)->next;
    }
    *tail = NULL;
    return kept;
}

static struct module *keep_targets(const struct module *module, const struct target_names *names)
{
    struct module *copy = arena_copy(module->arena, module, sizeof *copy);
    copy->targets = names->count;
    for (int i = 0; i < names->count; i++)
        copy->target[i] = arena_printf(module->arena, "%s", names->name[i]);
    struct kernel **tail = &copy->kernels;
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next) {
        if (kernel->target && !has_target(copy, kernel->target))
            continue;
        *tail = arena_copy(module->arena, kernel, sizeof *kernel);
        (*tail)->schedules = keep_schedules(copy, kernel->schedules);
        tail = &(*tail)->next;
    }
    *tail = NULL;
    if (module->smaller)
        copy->smaller = keep_targets(module->smaller, names);
    return copy;
}

struct module *module_for_target(const struct module *module, const char *target)
{
    return keep_targets(module, &(struct target_names){1, {target}});
}

static const char *pass_names(struct arena *arena)
{
    const char *names = pass_table[0].name;
    for (int i = 1; i < pass_count; i++)
        names = arena_printf(arena, "%s, %s", names, pass_table[i].name);
    return names;
}

/* Checks that the dump's line 'after' names a pass, and that the module is as that pass leaves it.
 */
static enum status check_after(const char *file, const struct module *module)
{
    struct location at = module->after_at;
    if (module->after && pass_find(module->after) < 0) {
        diag_error(file, at.line, at.column, "found a dump after '%s', must be after one of %s",
                   module->after, pass_names(module->arena));
        return STATUS_INPUT;
    }
    bool lowered = passes_done(module) > pass_find("lower");
    if (lowered == (module->kernels != NULL))
        return STATUS_DONE;
    if (lowered) {
        diag_error(file, at.line, at.column, "a dump after %s must hold kernels, found none",
                   module->after);
    } else {
        if (!module->after) /* no line says it */
            at = module->kernels->at;
        diag_error(file, at.line, at.column,
                   "a dump from before the pass lower must hold a graph alone, found kernels");
    }
    return STATUS_INPUT;
}

/* A target of a dump that sanc does not know, or that lacks the dump's precision. */
static bool check_target(const char *file, const struct module *module, int i)
{
    struct error error;
    struct location at = module->target_at[i];
    if (!target_find(module->target[i], &error))
        diag_error(file, at.line, at.column, "%s", error.text);
    else if (!target_has_precision(module->target[i], module->precision))
        diag_error(file, at.line, at.column,
                   "target '%s': the precision %s is for %sGPUs from nvptx:sm_80 on",
                   module->target[i], precision_name(module->precision),
                   precision_users(module->precision));
    else
        return true;
    return false;
}

enum status module_check_dump(const struct module *module, const char *file)
{
    enum status status = check_after(file, module);
    struct location name = module->name_at, targets = module->targets_at, turns = module->turns_at;
    if (module->targets == 0) {
        diag_error(file, targets.line, targets.column, "there must be a target, found none");
        status = STATUS_INPUT;
    }
    if (!identifier_valid(module->name)) {
        diag_error(file, name.line, name.column,
                   "the model's name must be " IDENTIFIER_RULE ", found '%s'", module->name);
        status = STATUS_INPUT;
    }
    bool gpu = false;
    for (int i = 0; i < module->targets; i++) {
        gpu |= target_is_gpu(module->target[i]);
        if (!check_target(file, module, i))
            status = STATUS_INPUT;
    }
    if (gpu && module->turns > 1) {
        diag_error(file, turns.line, turns.column,
                   "turns must be 1 where a target is a GPU, found %" PRId64, module->turns);
        status = STATUS_INPUT;
    }
    return status;
}

static bool agrees(const char *option, int64_t given, int64_t dump)
{
    if (given == 0 || given == dump)
        return true;
    diag_error(NULL, 0, 0, "--%s %" PRId64 " does not fit the dump, which says %" PRId64, option,
               given, dump);
    return false;
}

/* A dump says its targets, batch, threads and precision; the command line may choose among the
 * targets. */
static enum status check_options(const struct source *source, const struct module *module)
{
    const struct batch_sizes *batches = &source->options->batch;
    bool good = agrees("batch", batches->size[0], module_images(module));
    if (batches->count > 1) {
        diag_error(NULL, 0, 0, "--batch with several sizes needs a model; a dump is for one size");
        good = false;
    }
    if (source->options->features) {
        diag_error(NULL, 0, 0, "--features needs a model; a dump says what it returns");
        good = false;
    }
    good &= agrees("threads", source->options->threads, module->threads);
    int precision = precision_asked(source->options);
    if (source->options->precision != CHOICE_NONE && precision != module->precision) {
        diag_error(NULL, 0, 0, "--precision %s does not fit the dump, which says %s",
                   precision_name(precision), precision_name(module->precision));
        good = false;
    }
    for (int i = 0; i < source->target.count; i++) {
        if (has_target(module, source->target.name[i]))
            continue;
        char allowed[256] = "";
        for (int j = 0; j < module->targets && strlen(allowed) < sizeof allowed - 1; j++)
            snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s",
                     j ? ", " : "", module->target[j]);
        diag_error(NULL, 0, 0, "--target %s is not in the dump, which has %s",
                   source->target.name[i], allowed);
        good = false;
    }
    return good ? STATUS_DONE : STATUS_USAGE;
}

static enum status parse_dump(const struct source *source, const char *only, struct module **result)
{
    struct error error;
    const char *file = source->options->operand;
    struct module *module = module_parse(source->text, source->size, &error);
    if (!module) {
        error.file = file;
        diag_report(&error);
        return STATUS_INPUT;
    }
    module->file = file;
    enum status status = STATUS_INPUT;
    if (module_verify(module, &error))
        status = module_check_dump(module, file);
    else
        diag_report(&error);
    if (status == STATUS_DONE)
        status = check_options(source, module);
    if (status != STATUS_DONE) {
        module_free(module);
        return status;
    }
    const struct target_names one = {1, {only}};
    const struct target_names *kept = only ? &one : &source->target;
    *result = kept->count ? keep_targets(module, kept) : module;
    (*result)->tunings = source->tunings;
    if (source->options->name)
        (*result)->name = arena_printf(module->arena, "%s", source->options->name);
    return STATUS_DONE;
}

enum status source_module(const struct source *source, const char *only, struct module **module)
{
    const struct batch_sizes *batches = &source->options->batch;
    *module = NULL;
    if (source->is_dump)
        return parse_dump(source, only, module);
    return source_module_of(source, batches->count ? batches->size[0] : 1, only, module);
}

enum status source_module_of(const struct source *source, int64_t batch, const char *only,
                             struct module **module)
{
    const struct options *options = source->options;
    int64_t images =
        images_of_turn(&source->model, batch, source->target.count, source->target.name);
    *module = graph_from_model(&source->model, images, options->threads ? options->threads : 1,
                               only ? 1 : source->target.count, only ? &only : source->target.name);
    (*module)->turns = batch / images;
    (*module)->precision = precision_asked(options);
    (*module)->tunings = source->tunings;
    return STATUS_DONE;
}
