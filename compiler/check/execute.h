/* Running a network on images: the compiled model, or the evaluator. */
#ifndef COMPILER_EXECUTE_H
#define COMPILER_EXECUTE_H
#include "backend.h"
#include "guarded.h"
#include "memory.h"
#include "san/cuda.h"
#include "source.h"

/* count images of `each` numbers, in the layout of the input; whole ones from 0 to 255 where
 * that is of bytes. */
struct images {
    const double *value;
    int64_t count, each;
};

/* A model compiled into memory. */
struct compiled {
    struct backend_file object;
    struct backend_loaded *loaded;
    const struct san_model *model;
};

/* Compiles the scheduled loop form for all of the module's targets and loads it. Errors are
 * printed; compiled_free in any case. */
enum status compiled_load(const struct module *module, const struct source *source,
                          struct compiled *compiled);
void compiled_free(struct compiled *compiled);

/* backend_emit, with the options of the command line; also says what is wrong with an edited dump
 * that cannot be emitted. Errors are printed. */
enum status module_emit(const struct source *source, const struct module *module,
                        struct backend_request request, struct backend_file *file);
/* The status and the message where a function of the backend failed. */
enum status emit_failed(const struct source *source, const struct module *module,
                        struct error *error);

/* Bytes of the constants that the object holds. */
int64_t module_weights_bytes(const struct module *module);

/* What one run of a compiled model needs. */
struct execution {
    const struct san_model *model;
    void *input; /* of one batch: floats or bytes, as the model takes them */
    float *output;
    void *workspace;          /* of a processor */
    struct guarded memory[3]; /* in which these three are */
    struct san_cuda *cuda;    /* the model on a GPU, where it is for GPUs alone; else NULL */
};

/* Errors are printed. execution_free in any case. */
enum status execution_new(struct execution *execution, const struct san_model *model);
void execution_free(struct execution *execution);

/* Runs what is in `input`. exec: as NAME_run takes it, or NULL. Errors are printed. */
enum status execution_once(const struct execution *execution, const struct san_exec *exec);

/* The same on a GPU, with the time of each of its kernels. */
enum status execution_time_kernels(const struct execution *execution, uint64_t *nanoseconds);

/* Runs the images from `first` on, as many as the model takes or as there are. Output and workspace
 * hold NaN before. */
enum status execution_run(const struct execution *execution, const struct san_exec *exec,
                          const struct images *images, int64_t first);

/* Runs all images, batch by batch, on `threads` threads of the processor or on a GPU; output:
 * (images->count, classes). */
enum status execute_on_threads(const struct san_model *model, unsigned threads,
                               const struct images *images, float *output);

/* Likewise with the evaluator: the graph form or, where there are kernels, the loop form of
 * `target` (NULL: kernels of any target). */
enum status execute_evaluator(const struct module *module, const struct parameters *parameters,
                              enum precision precision, const char *target,
                              const struct images *images, double *output);

#endif
