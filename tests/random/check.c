/* Checks a model: the compiled one against the evaluator, for every target, number of threads and
 * batch; and the loop form after every pass. */
#define _DEFAULT_SOURCE /* P_tmpdir */
#include "check.h"
#include "backend.h"
#include "guarded.h"
#include "model_write.h"
#include "san/runtime.h"
#include "target.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Between passes, in float64. */
static const double PASS_TOLERANCE = 1e-9;

bool trial_fail(struct trial *t, enum verdict verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    t->outcome->verdict = verdict;
    vsnprintf(t->outcome->message, sizeof t->outcome->message, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- compiled models ------------------------------------------------------------------------- */

struct code {
    struct backend_file object;
    struct backend_loaded *loaded;
    const struct san_model *model;
};

static struct module *scheduled_module(struct trial *t, int batch, int targets,
                                       const char *const *target, const char *without)
{
    struct module *module = graph_from_model(&t->m->model, batch, t->m->threads, targets, target);
    module->turns = t->m->batch / batch;
    module->precision = t->precision;
    for (int i = 0; i < pass_count; i++) {
        if (without && strcmp(pass_table[i].name, without) == 0) {
            module->after = without;
        } else if (passes_run(module, pass_table[i].name, NULL) != STATUS_DONE) {
            trial_fail(t, WRONG_COMPILE, "pass %s failed%s%s", pass_table[i].name,
                       without ? ", without " : "", without ? without : "");
            module_free(module);
            return NULL;
        }
    }
    return module;
}

static bool code_new(struct trial *t, struct code *code, int batch, int targets,
                     const char *const *target, const char *without)
{
    static const uint8_t sha256[32] = {1};
    struct error error = {0};
    *code = (struct code){0};
    struct module *module = scheduled_module(t, batch, targets, target, without);
    if (!module)
        return false;
    const struct backend_request request = {.kind = BACKEND_OBJECT};
    bool good =
        backend_emit(module, &t->values.parameters, sha256, &request, &code->object, &error);
    if (good)
        code->model = backend_load(&code->object, module->name, &code->loaded, &error);
    module_free(module);
    return code->model ? true
                       : trial_fail(t, WRONG_COMPILE, "%s: %s: %s", target[0],
                                    good ? "cannot load" : "cannot emit", error.text);
}

static void code_free(struct code *code)
{
    if (code->loaded)
        backend_unload(code->loaded);
    free(code->object.data);
}

bool run_batch(struct trial *t, const struct san_model *model, const struct san_exec *exec,
               const double *images, float *output)
{
    size_t inputs = (size_t)t->each * model->batch, outputs = (size_t)model->classes * model->batch;
    bool bytes = model->input_type == SAN_U8;
    struct guarded in = guarded_new(inputs * (bytes ? 1 : sizeof(float)));
    struct guarded out = guarded_new(outputs * sizeof(float));
    struct guarded workspace = guarded_new((size_t)model->workspace_bytes);
    float *image = in.data;
    unsigned char *byte = in.data;
    for (size_t i = 0; i < inputs; i++) {
        if (bytes)
            byte[i] = (unsigned char)images[i];
        else
            image[i] = (float)images[i];
    }
    int status = model->run(in.data, out.data, workspace.data, exec);
    memcpy(output, out.data, outputs * sizeof(float));
    guarded_free(&in);
    guarded_free(&out);
    guarded_free(&workspace);
    return status == SAN_OK || trial_fail(t, WRONG_RUN, "%s_run returned %d", model->name, status);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool check_json(struct trial *t)
{
    char path[] = P_tmpdir "/sanc-random-XXXXXX";
    struct model back;
    int descriptor = mkstemp(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file)
        return trial_fail(t, WRONG_TEST, "cannot write %s", path);
    model_write_json(&t->m->model, file);
    fclose(file);
    bool read = model_read(path, &back) == STATUS_DONE;
    unlink(path);
    if (!read)
        return trial_fail(t, WRONG_JSON, "the reader refuses the model");
    return model_equal(&back, &t->m->model) ||
           trial_fail(t, WRONG_JSON, "the reader reads another model");
}

static bool check_threads(struct trial *t, const struct san_model *model, const char *target,
                          const float *serial)
{
    struct san_pool *pool = san_pool_new((unsigned)t->m->threads);
    struct san_exec exec = san_pool_exec(pool);
    float *output = allocate(t->outputs, sizeof *output);
    bool good = run_batch(t, model, &exec, t->values.images, output);
    if (good && memcmp(output, serial, (size_t)t->outputs * sizeof *output) != 0)
        good = trial_fail(t, WRONG_THREADS, "%s: other bits on %d threads", target, t->m->threads);
    free(output);
    san_pool_free(pool);
    return good;
}

static bool check_code(struct trial *t, int targets, const char *const *target, const char *without,
                       const char *what)
{
    struct code code;
    float *output = allocate(t->outputs, sizeof *output);
    bool good = code_new(t, &code, t->m->batch, targets, target, without) &&
                run_batch(t, code.model, NULL, t->values.images, output) &&
                (right_numbers(t, output, what, targets == 1 && !without) ||
                 right_over_many(t, code.model, what)) &&
                right_broken(t, code.model, output, what) &&
                (t->m->threads == 1 || check_threads(t, code.model, what, output));
    free(output);
    code_free(&code);
    return good;
}

static bool check_one_by_one(struct trial *t, const char *const *target)
{
    struct code code;
    float *output = allocate(t->outputs, sizeof *output);
    bool good = code_new(t, &code, 1, 1, target, NULL) &&
                run_batch(t, code.model, NULL, t->values.images, output) &&
                (right_numbers(t, output, "image by image", false) ||
                 right_over_many(t, code.model, "image by image")) &&
                (t->m->threads == 1 || check_threads(t, code.model, "image by image", output));
    if (!good && t->outcome->verdict == WRONG_NUMBERS)
        t->outcome->verdict = WRONG_BATCH;
    free(output);
    code_free(&code);
    return good;
}

/* Passes that only make it faster: without one, the result is the same. */
static const char *const optional_passes[] = {
    "expand_batch_norm", "fold_affine", "tabulate_position", "drop_softmax_bias", "merge_linears",
    "even_channels",     "winograd",    "inline_readers",    "delay_division",    "split_loops",
    "fuse_pixels",       "merge_loops", "pack_weights"};
enum { OPTIONAL_PASSES = sizeof optional_passes / sizeof *optional_passes };

static bool check_after_passes(struct trial *t)
{
    const struct checks *checks = t->checks;
    struct images images = {t->values.images, t->m->batch, t->each};
    struct pass_check check = {
        .parameters = &t->values.parameters, .images = &images, .tolerance = PASS_TOLERANCE};
    struct pass_observer observer = {pass_check_after, &check};
    struct module *module =
        graph_from_model(&t->m->model, t->m->batch, t->m->threads, checks->targets, checks->target);
    bool good = passes_run(module, NULL, &observer) == STATUS_DONE;
    if (!good && check.pass)
        trial_fail(t, WRONG_PASSES, "the result moves by %.3g in pass %s, %s", check.error,
                   check.pass, check.target);
    else if (!good)
        trial_fail(t, WRONG_COMPILE, "a pass failed");
    pass_check_free(&check);
    module_free(module);
    return good;
}

/* How far the loops are off in float64. */
static double error_of_loops(const struct trial *t, const struct module *module)
{
    double *result = allocate(t->outputs, sizeof *result), error = HUGE_VAL;
    if (module_eval_loops(module, &t->values.parameters, PRECISION_F64, module->target[0],
                          t->values.images, result))
        error = relative_error(result, t->reference, t->outputs);
    free(result);
    return error;
}

static bool check_without_pass(struct trial *t, const char *without)
{
    struct module *module =
        scheduled_module(t, t->m->batch, t->checks->targets, t->checks->target, without);
    if (!module)
        return false;
    double error = error_of_loops(t, module);
    module_free(module);
    return error <= PASS_TOLERANCE ||
           trial_fail(t, WRONG_PASSES, "without pass %s the result moves by %.3g", without, error);
}

static bool check_emission(struct trial *t, const struct module *module, const char *target)
{
    static const uint8_t sha256[32] = {1};
    const struct backend_request request = {.kind = BACKEND_ASSEMBLY, .target = target};
    struct error why = {0};
    struct backend_file file;
    if (!backend_emit(module, &t->values.parameters, sha256, &request, &file, &why))
        return trial_fail(t, WRONG_COMPILE, "%s: cannot emit: %s", target, why.text);
    free(file.data);
    return true;
}

/* For a target that this machine does not run: evaluates the scheduled loops, and checks that the
 * backend can emit them. */
static bool check_other(struct trial *t, const char *target)
{
    struct module *module = scheduled_module(t, t->m->batch, 1, &target, NULL);
    if (!module)
        return false;
    double error = error_of_loops(t, module);
    bool good = !t->checks->emitted || check_emission(t, module, target);
    module_free(module);
    return good && (error <= PASS_TOLERANCE ||
                    trial_fail(t, WRONG_PASSES, "%s: the result of its loops moves by %.3g", target,
                               error));
}

/* Targets with a unit for bf16. */
enum { UNITS = 2 };
static const char *const with_unit[UNITS] = {"x86-64-v4+bf16", "x86-64-v4+amx"};

/* In tf32 and bf16 only the pass that rounds operands may change the result, also with loops for a
 * GPU's matrix units. */
static bool check_rounded(struct trial *t, int precision, const char *target)
{
    struct images images = {t->values.images, t->m->batch, t->each};
    struct pass_check check = {
        .parameters = &t->values.parameters, .images = &images, .tolerance = PASS_TOLERANCE};
    struct pass_observer observer = {pass_check_after, &check};
    struct module *module = graph_from_model(&t->m->model, t->m->batch, t->m->threads, 1, &target);
    module->precision = precision;
    const char *last = target_is_gpu(target) ? "apply_schedules" : "plan_memory";
    bool good = passes_run(module, last, &observer) == STATUS_DONE;
    if (!good)
        trial_fail(t, WRONG_PASSES, "%s: in %s the result moves by %.3g in pass %s", target,
                   attr_enum_name(ATTR_TYPE_precision_kind, precision), check.error,
                   check.pass ? check.pass : "that failed");
    pass_check_free(&check);
    module_free(module);
    return good;
}

static bool check_passes(struct trial *t)
{
    bool good = check_after_passes(t) && check_rounded(t, precision_kind_tf32, "nvptx:sm_80") &&
                check_rounded(t, precision_kind_bf16, "nvptx:sm_80") &&
                check_rounded(t, precision_kind_bf16, with_unit[0]) &&
                check_rounded(t, precision_kind_bf16, with_unit[1]);
    for (int i = 0; good && i < OPTIONAL_PASSES; i++)
        good = check_without_pass(t, optional_passes[i]);
    const char *without = optional_passes[t->m->seed % OPTIONAL_PASSES];
    char what[64];
    snprintf(what, sizeof what, "without pass %s", without);
    return good && check_code(t, 1, t->checks->target, without, what);
}

/* Code for a unit, where this machine has it; else, now and then, that it can be made: its loops are
 * evaluated by check_passes. */
static bool check_unit(struct trial *rounded, const char *const *target)
{
    struct error error;
    if (target_runs_here(target_find(*target, &error), precision_kind_bf16, &error))
        return check_code(rounded, 1, target, NULL, "in bf16");
    if (!rounded->checks->emitted)
        return true;
    struct module *module = scheduled_module(rounded, rounded->m->batch, 1, target, NULL);
    bool good = module && check_emission(rounded, module, *target);
    if (module)
        module_free(module);
    return good;
}

/* In bf16: against the evaluator that rounds the same operands. */
static bool check_bf16(struct trial *t)
{
    struct outcome before = *t->outcome;
    struct trial rounded = *t;
    rounded.precision = precision_kind_bf16;
    rounded.reference = NULL;
    rounded.many = (struct many){0};
    bool good =
        evaluate_reference(&rounded) && check_code(&rounded, 1, t->checks->target, NULL, "in bf16");
    for (int i = 0; i < UNITS && good; i++)
        good = check_unit(&rounded, &with_unit[i]);
    free(rounded.reference);
    free(rounded.many.images);
    free(rounded.many.reference);
    if (good)
        *t->outcome = before;
    return good;
}

/* Changes the weights, while the reference stays the same, so this comes last. */
static bool check_permuted(struct trial *t)
{
    return !values_permute(&t->values, t->m) ||
           check_code(t, 1, t->checks->target, NULL, "weight channels in another order");
}

static bool check_all(struct trial *t)
{
    const struct checks *checks = t->checks;
    bool good = check_json(t) && evaluate_reference(t);
    for (int i = 0; good && i < checks->targets; i++)
        good = check_code(t, 1, &checks->target[i], NULL, checks->target[i]);
    for (int i = 0; good && i < checks->others; i++)
        good = check_other(t, checks->other[i]);
    if (good && checks->together && checks->targets > 1)
        good = check_code(t, checks->targets, checks->target, NULL, "all targets in one object");
    if (good && checks->batch && t->m->batch > 1)
        good = check_one_by_one(t, checks->target);
    good = good && (!checks->bf16 || check_bf16(t)) && (!checks->passes || check_passes(t));
    return good && (!checks->permuted || check_permuted(t));
}

struct outcome model_check(const struct random_model *asked, const struct checks *checks)
{
    struct outcome outcome = {.verdict = PASSED};
    struct random_model m = *asked;
    struct trial t = {
        .m = &m, .checks = checks, .outcome = &outcome, .precision = precision_kind_f32};
    t.each = (int64_t)m.model.channels * m.model.height * m.model.width;
    t.outputs = (int64_t)m.batch * m.model.classes;
    if (!values_make(&t.values, &m)) { /* too large to be exact: then real numbers */
        values_free(&t.values);
        m.exact = false;
        values_make(&t.values, &m);
    }
    outcome.exact = m.exact;
    check_all(&t);
    free(t.reference);
    free(t.many.images);
    free(t.many.reference);
    values_free(&t.values);
    return outcome;
}
