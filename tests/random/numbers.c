/* Whether the numbers of a compiled model are right: against the evaluator in float64. */
#include "check.h"
#include "execute.h"
#include <stdlib.h>
#include <string.h>

/* The bound of the error in float32: twice that of the plain evaluation, or this if that is larger.
 */
static const double LEAST_BOUND = 2e-6;
/* The error of one image is random: where a whole network goes through a few numbers, roundings
 * sometimes cancel, or most of a result does. So a model that is over its bound with its own images
 * is judged by this many others: first by few, and if these do not clear it, by more. Its own
 * images are the worst of some thousand models', so the plain evaluation may need many images to
 * show an error as large. */
static const int many_images[] = {64, 1024};

static double bound_of(double plain)
{
    return fmax(2 * plain, LEAST_BOUND);
}

/* ---- numbers --------------------------------------------------------------------------------- */

bool right_numbers(struct trial *t, const float *output, const char *what, bool counts)
{
    struct outcome *o = t->outcome;
    double *found = allocate(t->outputs, sizeof *found);
    for (int64_t i = 0; i < t->outputs; i++)
        found[i] = (double)output[i];
    double error = relative_error(found, t->reference, t->outputs);
    int64_t off = 0;
    while (off < t->outputs && found[off] == t->reference[off])
        off++;
    double wrong = off < t->outputs ? found[off] : 0;
    free(found);
    if (t->m->exact)
        return off == t->outputs ||
               trial_fail(t, WRONG_NUMBERS, "%s: output %lld is %.9g and must be %.9g", what,
                          (long long)off, wrong, t->reference[off]);
    if (error > o->error)
        o->error = error;
    if (counts && o->plain > 0 && o->ratios < MOST_RATIOS)
        o->ratio[o->ratios++] = error / o->plain;
    return error <= bound_of(t->plain) ||
           trial_fail(t, WRONG_NUMBERS, "%s: error %.3g, of the plain evaluation %.3g", what, error,
                      t->plain);
}

bool evaluate_graph(struct trial *t, const double *images, double *result, double *single)
{
    const struct random_model *m = t->m;
    const struct parameters *parameters = &t->values.parameters;
    struct module *graph = graph_from_model(&m->model, m->batch, m->threads, 0, NULL);
    struct module *rounded = graph_from_model(&m->model, m->batch, m->threads, 0, NULL);
    rounded->precision = t->precision;
    bool good = t->precision == precision_kind_f32 ||
                passes_run(rounded, "round_operands", NULL) == STATUS_DONE;
    good =
        good &&
        module_eval_graph(m->exact ? rounded : graph, parameters, PRECISION_F64, images, result) &&
        module_eval_graph(rounded, parameters, PRECISION_F32, images, single);
    module_free(rounded);
    module_free(graph);
    return good || trial_fail(t, WRONG_TEST, "the evaluator fails");
}

bool evaluate_reference(struct trial *t)
{
    double *single = allocate(t->outputs, sizeof *single);
    t->reference = allocate(t->outputs, sizeof *t->reference);
    bool good = evaluate_graph(t, t->values.images, t->reference, single);
    t->outcome->plain = t->plain = relative_error(single, t->reference, t->outputs);
    free(single);
    if (good && !isfinite(t->plain))
        return trial_fail(t, WRONG_TEST, "results are not finite");
    return good && (!t->m->exact || t->plain == 0 ||
                    trial_fail(t, WRONG_TEST, "whole numbers that are not exact: %.3g", t->plain));
}

/* ---- many images ----------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static struct spread_of_errors errors_of(const struct trial *t, const double *found)
{
    const struct many *many = &t->many;
    int classes = t->m->model.classes;
    double *error = allocate(many->count, sizeof *error);
    for (int i = 0; i < many->count; i++)
        error[i] = relative_error(found + i * classes, many->reference + i * classes, classes);
    qsort(error, (size_t)many->count, sizeof *error, by_value);
    struct spread_of_errors spread = {error[many->count / 2], error[many->count * 9 / 10],
                                      error[many->count - 1]};
    free(error);
    return spread;
}

static bool many_make(struct trial *t, int least)
{
    const struct model *model = &t->m->model;
    struct many *many = &t->many;
    int batch = t->m->batch, count = (least + batch - 1) / batch * batch;
    double *single = allocate((int64_t)count * model->classes, sizeof *single);
    free(many->images);
    free(many->reference);
    many->count = count;
    many->images = random_input(t->values.graph, t->m->seed + 1, count);
    many->reference = allocate((int64_t)count * model->classes, sizeof *many->reference);
    bool good = true;
    for (int i = 0; good && i < count; i += batch)
        good = evaluate_graph(t, many->images + i * t->each, many->reference + i * model->classes,
                              single + i * model->classes);
    many->plain = errors_of(t, single);
    free(single);
    return good;
}

/* See right_over_many. */
static bool right_over(struct trial *t, const struct san_model *model, const char *what)
{
    struct outcome *o = t->outcome;
    struct many *many = &t->many;
    int batch = model->batch, classes = model->classes;
    double *found = allocate((int64_t)many->count * classes, sizeof *found);
    float *output = allocate((int64_t)batch * classes, sizeof *output);
    bool good = true;
    for (int i = 0; good && i < many->count; i += batch) {
        good = run_batch(t, model, NULL, many->images + i * t->each, output);
        for (int j = 0; j < batch * classes; j++)
            found[i * classes + j] = (double)output[j];
    }
    struct spread_of_errors spread = errors_of(t, found), plain = many->plain;
    free(found);
    free(output);
    if (!good || spread.median > bound_of(plain.median) || spread.decile > bound_of(plain.decile) ||
        o->error > bound_of(plain.largest))
        return false;
    o->verdict = PASSED;
    snprintf(
        o->message, sizeof o->message,
        "%s: over its bound; of %d images the median is %.2e, nine of ten at most %.2e, of the "
        "plain evaluation %.2e and %.2e",
        what, many->count, spread.median, spread.decile, plain.median, plain.decile);
    return true;
}

bool right_over_many(struct trial *t, const struct san_model *model, const char *what)
{
    bool good = false;
    if (t->m->exact)
        return false;
    for (size_t i = 0; i < sizeof many_images / sizeof *many_images && !good; i++) {
        if (t->outcome->verdict != WRONG_NUMBERS)
            return false;
        if (t->many.count < many_images[i] && !many_make(t, many_images[i]))
            return false;
        good = right_over(t, model, what);
    }
    return good;
}

/* ---- broken images --------------------------------------------------------------------------- */

bool right_broken(struct trial *t, const struct san_model *model, const float *output,
                  const char *what)
{
    const double breaks[] = {NAN, HUGE_VAL, -HUGE_VAL};
    if (model->input_type == SAN_U8) /* no byte is broken */
        return true;
    double kept = t->values.images[t->m->seed % (uint64_t)t->each];
    double *at = &t->values.images[t->m->seed % (uint64_t)t->each];
    double *reference = allocate(t->outputs, sizeof *reference), *single;
    float *found = allocate(t->outputs, sizeof *found);
    single = allocate(t->outputs, sizeof *single);
    int classes = t->m->model.classes;
    *at = breaks[t->m->seed / 7 % 3];
    bool good = evaluate_graph(t, t->values.images, reference, single) &&
                run_batch(t, model, NULL, t->values.images, found);
    for (int i = 0; good && i < classes; i++)
        if (isnan(reference[i]) != isnan(found[i]))
            good = trial_fail(t, WRONG_NUMBERS, "%s: with %g in the image, class %d is %g, not %g",
                              what, *at, i, (double)found[i], reference[i]);
    size_t others = (size_t)(t->outputs - classes) * sizeof *found;
    if (good && memcmp(found + classes, output + classes, others) != 0)
        good = trial_fail(t, WRONG_NUMBERS, "%s: %g in one image changes another", what, *at);
    *at = kept;
    free(reference);
    free(single);
    free(found);
    return good;
}
