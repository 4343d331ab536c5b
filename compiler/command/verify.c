#include "verify.h"
#include "batches.h"
#include "command.h"
#include "images.h"
#include "machine.h"
#include "memory.h"
#include "observe.h"
#include "progress.h"
#include "reduce.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* For f32, tf32 and bf16. Where a sum rounds to the other side than the evaluator's, what follows
 * differs by a unit of that type. */
static const double default_tolerance[] = {1e-5, 1e-3, 1e-2};
/* In float64 passes do no more than reorder sums. */
static const double PASS_TOLERANCE = 1e-9;
/* Errors may be larger between kernels than at the end, where a mean averages them out. */
static const double KERNEL_FACTOR = 10;
static const uint64_t SEED = 1;
static const double REDUCE_SECONDS = 60;

/* What was found for one target. */
struct finding {
    const char *target;
    bool ran;
    struct error why; /* why it did not run */
    double error;
    double rounding; /* the error against the unrounded reference, where there is one */
    int64_t changed; /* images that it gives another class */
};

struct verification {
    const struct source *source;
    struct module *module; /* the graph, then the scheduled loops */
    struct images images;
    double *random;           /* the images' memory, unless they are from a file */
    struct image_files files; /* what --input names */
    double *reference;        /* in float64, (images.count, classes) */
    double *unrounded;        /* the same without rounded operands; NULL: the same */
    double tolerance;
    bool shows_passes;        /* shows how far --each-pass is */
    struct pass_check passes; /* of --each-pass, or made when a target is off */
    struct finding finding[MAX_TARGETS];
};

static enum status get_images(struct verification *v)
{
    const struct module *m = v->module;
    if (!v->source->options->input.count) {
        const struct batch_sizes *batches = &v->source->options->batch;
        int64_t count = module_images(m); /* a run of each size */
        for (int i = 1; i < batches->count; i++)
            count += batches->size[i];
        v->random = random_input(m, SEED, count);
        v->images = (struct images){v->random, count, m->channels * m->height * m->width};
        return STATUS_DONE;
    }
    enum status status = images_read(v->source, m, &v->files);
    if (status != STATUS_DONE)
        return status;
    v->images = v->files.images;
    if (v->images.count == 0) {
        diag_error(v->source->options->input.name[0], 0, 0,
                   "must hold at least one image, found none");
        return STATUS_INPUT;
    }
    /* The compiled model takes float32, so the reference takes the same rounded numbers. */
    int64_t count = v->images.count * v->images.each;
    v->random = allocate(count, sizeof(double));
    for (int64_t i = 0; i < count; i++)
        v->random[i] = (float)v->images.value[i];
    v->images.value = v->random;
    return STATUS_DONE;
}

static enum status evaluate(const struct verification *v, struct module *graph, double **result)
{
    *result = allocate(v->images.count * v->module->classes, sizeof(double));
    return execute_evaluator(graph, &v->source->parameters, PRECISION_F64, graph->target[0],
                             &v->images, *result);
}

/* The reference in the precision asked for: with rounded operands where it is not f32. A dump may
 * have rounded them already. */
static enum status get_reference(struct verification *v)
{
    struct module *graph = NULL;
    enum status status = source_module(v->source, v->module->target[0], &graph);
    if (status == STATUS_DONE && graph->precision != precision_kind_f32 && !graph->file)
        status = evaluate(v, graph, &v->unrounded);
    if (status == STATUS_DONE)
        status = passes_round(graph);
    if (status == STATUS_DONE)
        status = evaluate(v, graph, &v->reference);
    if (graph)
        module_free(graph);
    return status;
}

/* An observer that also shows the progress. */
static bool show_and_check(void *context, const struct pass *pass, int changes, double seconds,
                           struct module *module)
{
    if (pass)
        progress_show("evaluating after pass %d of %d, %s", pass_find(pass->name) + 1, pass_count,
                      pass->name);
    return pass_check_after(context, pass, changes, seconds, module);
}

/* Runs the passes, with --each-pass under observation. */
static enum status run_passes(struct verification *v)
{
    struct images batch = v->images;
    if (batch.count > v->module->batch)
        batch.count = v->module->batch;
    v->passes = (struct pass_check){
        .parameters = &v->source->parameters, .images = &batch, .tolerance = PASS_TOLERANCE};
    struct pass_observer observer = {v->shows_passes ? show_and_check : pass_check_after,
                                     &v->passes};
    const struct options *options = v->source->options;
    enum status status =
        passes_run_observed(v->module, NULL, options, options->each_pass ? &observer : NULL);
    if (options->each_pass && v->passes.status != STATUS_DONE)
        status = v->passes.status;
    pass_check_free(&v->passes);
    return status;
}

static int64_t class_of(const double *logits, int64_t classes)
{
    int64_t best = 0;
    for (int64_t i = 1; i < classes; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* What the rounding of operands does to the results. */
static void find_rounding(const struct verification *v, const double *out, struct finding *finding)
{
    int64_t classes = v->module->classes;
    if (!v->unrounded)
        return;
    finding->rounding = relative_error(out, v->unrounded, v->images.count * classes);
    for (int64_t i = 0; i < v->images.count; i++)
        finding->changed +=
            class_of(out + i * classes, classes) != class_of(v->unrounded + i * classes, classes);
}

static enum status run_target(const struct verification *v, const char *target,
                              struct finding *finding)
{
    *finding = (struct finding){.target = target};
    const struct target *description = target_find(target, &finding->why);
    if (!description || !machine_runs(description, v->module->precision, &finding->why))
        return STATUS_DONE;
    int64_t count = v->images.count * v->module->classes;
    float *output = allocate(count, sizeof(float));
    double *out = allocate(count, sizeof(double));
    struct compiled compiled = {0};
    enum status status = compiled_load(module_for_target(v->module, target), v->source, &compiled);
    if (status == STATUS_DONE)
        status =
            execute_on_threads(compiled.model, (unsigned)v->module->threads, &v->images, output);
    if (status == STATUS_DONE) {
        for (int64_t i = 0; i < count; i++)
            out[i] = output[i];
        finding->ran = true;
        finding->error = relative_error(out, v->reference, count);
        find_rounding(v, out, finding);
    }
    compiled_free(&compiled);
    free(output);
    free(out);
    return status;
}

static bool good(const struct verification *v, const struct finding *finding)
{
    return !finding->ran || finding->error <= v->tolerance;
}

/* ---- what is wrong --------------------------------------------------------------------------- */

/* Runs the passes of a new module under observation: which one moved the result, or NULL. */
static enum status find_pass(const struct verification *v, struct pass_check *check)
{
    struct images batch = v->images;
    struct module *module;
    enum status status = source_module(v->source, NULL, &module);
    if (status != STATUS_DONE)
        return status;
    if (batch.count > module->batch)
        batch.count = module->batch;
    *check = (struct pass_check){
        .parameters = &v->source->parameters, .images = &batch, .tolerance = PASS_TOLERANCE};
    struct pass_observer observer = {show_and_check, check};
    status = passes_run(module, NULL, &observer);
    progress_clear();
    pass_check_free(check);
    /* The pass's name outlives the module: the table of passes holds it. The target's does not. */
    check->target = NULL;
    module_free(module);
    return check->status != STATUS_DONE ? check->status : status;
}

static void print_pass(const struct pass_check *check)
{
    fprintf(stderr, "sanc: the first pass that changes the result is %s (error %.3g in float64)\n",
            check->pass, check->error);
    if (check->located)
        fprintf(stderr, "sanc: first in %s: %s was %.9g and is %.9g\n", check->change.where,
                check->change.element, check->change.was, check->change.is);
}

static enum status find_kernel(const struct verification *v, const char *target)
{
    struct module *module = module_for_target(v->module, target);
    module->smaller = NULL;
    struct compiled compiled = {0};
    struct kernel_check check = {0};
    progress_show("looking for the kernel that is off");
    enum status status = compiled_load(module, v->source, &compiled);
    if (status == STATUS_DONE)
        status = kernels_check(module, &v->source->parameters, compiled.model, &v->images,
                               KERNEL_FACTOR * v->tolerance, &check);
    progress_clear();
    if (status == STATUS_DONE && check.kernel)
        fprintf(stderr, "sanc: %s: the first kernel that is off is %s (error %.3g in %s)\n", target,
                check.kernel, check.error, check.buffer);
    else if (status == STATUS_DONE)
        fprintf(stderr, "sanc: %s: no kernel is off by itself by more than %.3g\n", target,
                KERNEL_FACTOR * v->tolerance);
    compiled_free(&compiled);
    return status;
}

static void explain(struct verification *v, const struct finding *finding)
{
    if (!v->source->options->each_pass)
        find_pass(v, &v->passes);
    if (v->passes.pass)
        print_pass(&v->passes);
    else if (target_is_gpu(finding->target))
        fprintf(stderr, "sanc: %s: the loops are right, so a kernel's code is off\n",
                finding->target);
    else
        find_kernel(v, finding->target);
}

/* ---- a smaller model that shows it ----------------------------------------------------------- */

/* How a smaller model must fail: this pass changes the result; NULL: this target is off. */
struct symptom {
    const struct verification *whole;
    const char *pass, *target;
    double error; /* of the last model that showed it */
};

static void verification_free(struct verification *v)
{
    images_free(&v->files);
    free(v->random);
    free(v->reference);
    free(v->unrounded);
    if (v->module)
        module_free(v->module);
}

static bool shows(struct verification *v, struct symptom *symptom)
{
    struct finding finding = {0};
    enum status status = source_module(v->source, symptom->target, &v->module);
    if (status == STATUS_DONE)
        status = get_images(v);
    if (status == STATUS_DONE)
        status = get_reference(v);
    if (status == STATUS_DONE)
        status = run_passes(v);
    if (symptom->pass) {
        symptom->error = v->passes.error;
        return v->passes.pass && strcmp(v->passes.pass, symptom->pass) == 0;
    }
    if (status == STATUS_DONE)
        status = run_target(v, symptom->target, &finding);
    symptom->error = finding.error;
    return status == STATUS_DONE && !good(v, &finding);
}

static bool model_shows(void *context, const struct model *model)
{
    struct symptom *symptom = context;
    const struct source *whole = symptom->whole->source;
    struct options options = *whole->options;
    options.input.count = 0;
    options.dump_ir = NULL;
    options.print_after.count = options.print_before.count = 0;
    options.time_passes = options.verbose = false;
    options.each_pass = symptom->pass != NULL;
    struct drawn *drawn = drawn_new();
    struct source source = *whole;
    source.options = &options;
    source.model = *model;
    source.parameters = drawn_parameters(drawn);
    struct verification v = {.source = &source, .tolerance = symptom->whole->tolerance};
    bool shown = shows(&v, symptom);
    verification_free(&v);
    drawn_free(drawn);
    return shown;
}

static enum status reduce(const struct verification *v, const char *target)
{
    const char *stem = v->source->options->reduce;
    const struct model *model = &v->source->model;
    struct symptom symptom = {v, v->passes.pass, v->passes.pass ? NULL : target, 0};
    if (!model_shows(&symptom, model)) {
        fprintf(stderr, "sanc: with random weights the error does not show: nothing is reduced\n");
        return STATUS_DONE;
    }
    struct model smallest = model_reduce(model, model_shows, &symptom, REDUCE_SECONDS);
    progress_clear();
    model_shows(&symptom, &smallest);
    struct drawn *drawn = drawn_new();
    enum status status = reduced_write(stem, &smallest, drawn);
    drawn_free(drawn);
    if (status == STATUS_DONE)
        fprintf(stderr,
                "sanc: the smallest model found that shows it is %s.json with "
                "%s.safetensors (%s, error %.3g)\n",
                stem, stem, symptom.pass ? symptom.pass : symptom.target, symptom.error);
    return status;
}

/* Reducing takes a model, and must not write over what it reads. */
static enum status check_reduce(const struct source *source)
{
    const char *stem = source->options->reduce;
    enum status status = STATUS_DONE;
    if (stem && source->is_dump) {
        diag_error(NULL, 0, 0, "--reduce takes a model's JSON file, found a dump");
        return STATUS_USAGE;
    }
    if (stem && source->options->features) {
        diag_error(NULL, 0, 0, "--reduce looks for a smaller model, which --features does not fit");
        return STATUS_USAGE;
    }
    static const char *const ends[] = {".json", ".safetensors"};
    struct arena *arena = arena_new();
    for (int i = 0; stem && i < 2; i++) {
        const char *path = arena_printf(arena, "%s%s", stem, ends[i]);
        if (!source_is_input(source->options, path))
            continue;
        diag_error(NULL, 0, 0, "--reduce %s would write over %s, an input", stem, path);
        status = STATUS_USAGE;
    }
    arena_free(arena);
    return status;
}

/* ---- report ---------------------------------------------------------------------------------- */

static void print_text(const struct verification *v)
{
    if (v->source->options->each_pass && !v->passes.pass)
        printf("passes: error %.3g in float64: ok\n", v->passes.error);
    for (int i = 0; i < v->module->targets; i++) {
        const struct finding *f = &v->finding[i];
        if (f->ran)
            printf("%s: error %.3g, tolerance %.3g: %s\n", f->target, f->error, v->tolerance,
                   good(v, f) ? "ok" : "OFF");
        else
            printf("%s: not run: %s\n", f->target, f->why.text);
        if (f->ran && v->unrounded)
            printf("%s: against float32: error %.3g, %" PRId64 " of %" PRId64
                   " images get another class\n",
                   f->target, f->rounding, f->changed, v->images.count);
    }
}

static void print_json(const struct verification *v)
{
    printf("{ \"model\": \"%s\", \"images\": %" PRId64 ", \"tolerance\": %.3g,\n  \"targets\": [",
           v->module->name, v->images.count, v->tolerance);
    for (int i = 0; i < v->module->targets; i++) {
        const struct finding *f = &v->finding[i];
        printf("%s\n    { \"target\": \"%s\", \"ran\": %s", i ? "," : "", f->target,
               f->ran ? "true" : "false");
        if (f->ran && isfinite(f->error))
            printf(", \"error\": %.9g", f->error);
        else if (f->ran)
            printf(", \"error\": null");
        if (f->ran && v->unrounded && isfinite(f->rounding))
            printf(", \"error_of_rounding\": %.9g, \"changed\": %" PRId64, f->rounding, f->changed);
        printf(", \"ok\": %s }", !f->ran ? "null" : good(v, f) ? "true" : "false");
    }
    printf("\n  ]\n}\n");
}

static enum status report(struct verification *v)
{
    enum status status = STATUS_SYSTEM;
    if (v->source->options->json)
        print_json(v);
    else
        print_text(v);
    for (int i = 0; i < v->module->targets; i++)
        if (v->finding[i].ran && status == STATUS_SYSTEM)
            status = STATUS_DONE;
    if (status == STATUS_SYSTEM)
        for (int i = 0; i < v->module->targets; i++)
            diag_error(NULL, 0, 0, "this machine does not run %s: %s", v->finding[i].target,
                       v->finding[i].why.text);
    for (int i = 0; i < v->module->targets; i++) {
        if (good(v, &v->finding[i]))
            continue;
        explain(v, &v->finding[i]);
        if (v->source->options->reduce && status == STATUS_DONE &&
            reduce(v, v->finding[i].target) != STATUS_DONE)
            return STATUS_SYSTEM;
        status = STATUS_CHECK_FAILED;
    }
    return status;
}

static enum status verify(struct verification *v)
{
    progress_begin(shows_progress(v->source->options));
    v->shows_passes = true;
    enum status status = get_images(v);
    if (status == STATUS_DONE) {
        progress_show("evaluating the network");
        status = get_reference(v);
    }
    if (status == STATUS_DONE) {
        progress_show("running the passes");
        status = run_passes(v);
    }
    progress_clear();
    if (status == STATUS_CHECK_FAILED && v->passes.pass) {
        print_pass(&v->passes);
        if (v->source->options->reduce && reduce(v, NULL) != STATUS_DONE)
            return STATUS_SYSTEM;
        return status;
    }
    if (status == STATUS_DONE)
        status = batches_join(v->source, NULL, v->module);
    for (int i = 0; i < v->module->targets && status == STATUS_DONE; i++) {
        progress_show("compiling and running for %s", v->module->target[i]);
        status = run_target(v, v->module->target[i], &v->finding[i]);
    }
    progress_clear();
    return status == STATUS_DONE ? report(v) : status;
}

enum status command_verify(const struct options *options)
{
    struct source source = {0};
    struct verification v = {.source = &source};
    enum status status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = check_reduce(&source);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &v.module);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE) {
        v.tolerance = options->tolerance > 0
                          ? options->tolerance
                          : default_tolerance[v.module->precision - precision_kind_f32];
        status = verify(&v);
    }
    verification_free(&v);
    source_free(&source);
    return status;
}
