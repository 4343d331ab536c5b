/* Compares compiled models and passes with the network's meaning, which the evaluator computes. */
#ifndef COMPILER_VERIFY_H
#define COMPILER_VERIFY_H
#include "difference.h"
#include "execute.h"
#include "passes.h"

/* `count` images that vary smoothly over their pixels, with a little noise: the same for the same
 * seed, and exact in float32. free() the memory. */
double *random_images(uint64_t seed, int64_t count, int64_t channels, int64_t height,
                      int64_t width);
/* Such images for a module: in its layout, and bytes if it takes these. */
double *random_input(const struct module *module, uint64_t seed, int64_t count);

/* The first element that a pass changed. */
struct change {
    char where[160];   /* "kernel NAME", or "%12 = linear of LABEL" */
    char element[360]; /* "v12[0, 3, 5, 7]" */
    double was, is;
};

/* Compares values and buffers that have the same name before and after, in the order in which they
 * are computed. Both modules are for the same target. False: found none, or no memory. */
bool change_find(const struct module *before, const struct module *after,
                 const struct parameters *parameters, const struct images *images, double tolerance,
                 struct change *change);

/* An observer of passes: evaluates the module in float64 before the first pass and after each one,
 * for every target once their loops differ, and stops the run when the result moves. Set the first
 * three fields, zero the others; pass_check_free. */
struct pass_check {
    const struct parameters *parameters;
    const struct images *images;
    double tolerance; /* of relative_error; folding reorders sums, so not 0 */

    double *reference, *result;
    const char *pass;   /* the first that moved the result, or NULL */
    const char *target; /* the target for which it moved */
    double error;       /* by how much; where none moved it, the largest so far */
    bool located;       /* `change` is the first element that it moved */
    struct change change;
    char *before;       /* the module's text before the pass */
    enum status status; /* of the evaluation */
};
bool pass_check_after(void *context, const struct pass *pass, int changes, double seconds,
                      struct module *module);
void pass_check_free(struct pass_check *check);

/* Where a compiled model first differs from its loop form. */
struct kernel_check {
    const char *kernel; /* the first that is off, in the module's memory; NULL: none is */
    const char *buffer; /* which it writes */
    double error;       /* of that buffer */
};

/* Runs one batch of images on the model and in the evaluator, and compares, kernel by kernel, the
 * buffers that it writes. `module`: the scheduled loop form for the one target that `model` was
 * compiled for. Errors are printed. */
enum status kernels_check(const struct module *module, const struct parameters *parameters,
                          const struct san_model *model, const struct images *images,
                          double tolerance, struct kernel_check *check);

#endif
