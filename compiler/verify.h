/* Comparing what the compiler makes with what the network means. */
#ifndef COMPILER_VERIFY_H
#define COMPILER_VERIFY_H
#include "execute.h"
#include "passes.h"

/* ||out - ref|| / ||ref||: infinite where out is not finite, 0 where both are zero throughout. */
double relative_error(const double *out, const double *ref, int64_t count);

/* `count` images that vary smoothly over their pixels, with a little noise: the same for the same
 * seed, and exact in float32. free() the memory; NULL: out of memory, printed. */
double *random_images(uint64_t seed, int64_t count, int64_t channels, int64_t height,
                      int64_t width);

/* An observer of passes: evaluates the module in float64 before the first pass and after each, for
 * every target once their loops differ, and says no when the result moves. Set the first three
 * fields, zero the others; pass_check_free. */
struct pass_check {
    const struct parameters *parameters;
    const struct images *images;
    double tolerance; /* of relative_error; folding reorders sums, so not 0 */

    double *reference, *result;
    const char *pass;   /* the first that moved the result, or NULL */
    const char *target; /* for which */
    double error;       /* by how much; the largest so far where none moved it */
    enum status status; /* of the evaluation */
};
bool pass_check_after(void *context, const struct pass *pass, int changes, double seconds,
                      const struct module *module);
void pass_check_free(struct pass_check *check);

/* Where a compiled model leaves its loop form. */
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
