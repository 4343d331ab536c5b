/* What each kernel of a module writes, by the evaluator. It evaluates a copy of the module in which
 * each kernel is followed by one that copies what it wrote into one long output. */
#ifndef COMPILER_TRACE_H
#define COMPILER_TRACE_H
#include "execute.h"

/* A buffer that a kernel writes; `begin` is its place in the trace. */
struct written {
    const struct buffer *buffer; /* of the module */
    struct buffer *copy;         /* of the copy that is evaluated */
    int kernel;                  /* its number */
    int64_t begin, elements;
};

struct trace {
    const struct module *module;
    int count, room;
    struct written *written; /* in the order of the kernels */
    int64_t elements;
    double *value; /* NaN: not written so far */
};

/* Runs the first batch of images, in float64, on the kernels of a module for one target. Errors are
 * printed; trace_free in any case. */
enum status trace_evaluate(struct trace *trace, const struct module *module,
                           const struct parameters *parameters, const struct images *images);
void trace_free(struct trace *trace);
/* One batch, filled up with the last image; free() it. */
double *batch_of(const struct module *module, const struct images *images);
const char *kernel_name(const struct module *module, int number);

#endif
