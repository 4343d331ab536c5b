/* What the files that check a random model share. */
#ifndef RANDOM_CHECK_H
#define RANDOM_CHECK_H
#include "random_model.h"
#include "verify.h"

/* Image by image. */
struct spread_of_errors {
    double median, decile, largest; /* nine of ten are at most the decile */
};

/* More images than the model's own, with their right results. */
struct many {
    int count; /* whole batches */
    double *images, *reference;
    struct spread_of_errors plain; /* the plain evaluation's */
};

struct trial {
    const struct random_model *m;
    const struct checks *checks;
    struct values values;
    int64_t each, outputs; /* numbers of an image; of all results */
    double *reference;     /* in float64 */
    double plain;          /* error of the plain evaluation in float32 */
    int precision;         /* a precision_kind */
    struct many many;      /* made when they are asked for */
    struct outcome *outcome;
};

/* Always false: the check failed, for a reason that the format gives. */
bool trial_fail(struct trial *t, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One run of a batch; `output`: the batch's results. Output and workspace hold NaN before, and
 * memory lies between pages that cannot be touched. */
bool run_batch(struct trial *t, const struct san_model *model, const struct san_exec *exec,
               const double *images, float *output);

/* ---- numbers.c ------------------------------------------------------------------------------- */

/* The graph in float64 and in float32. In a precision other than f32 the latter rounds operands,
 * and so does the former for exact models. */
bool evaluate_graph(struct trial *t, const double *images, double *result, double *single);
/* Computes the reference for all comparisons. */
bool evaluate_reference(struct trial *t);
/* Whether a model's results with its own images are within their bound. counts: the error is part
 * of the statistics over all models. */
bool right_numbers(struct trial *t, const float *output, const char *what, bool counts);
/* For a model over its bound with its own images: whether the median and the decile of many other
 * images are within it, and its own error is no larger than the plain evaluation's for the worst of
 * them. */
bool right_over_many(struct trial *t, const struct san_model *model, const char *what);
/* An image with a NaN or an infinity: results are NaN where the evaluator's are, and those of other
 * images have the same bits as `output`. */
bool right_broken(struct trial *t, const struct san_model *model, const float *output,
                  const char *what);

#endif
