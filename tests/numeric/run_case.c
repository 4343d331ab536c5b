/* Runs a model on images, for several batches and numbers of threads.
 *
 *     run_case MODEL WEIGHTS IO TARGET BATCH:THREADS...
 *
 * Each BATCH:THREADS is compiled for THREADS threads and runs on 1 and on 2; it is not compiled
 * again where an earlier one had the same loops. Prints the relative error against IO's tensor
 * `output`. All outputs of a batch must have the same bits. The exit status is that of sanc; 1:
 * different bits. */
#include "../keep_memory.h"
#include "images.h"
#include "machine.h"
#include "observe.h"
#include "option_parse.h"
#include "passes.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RUNS = 8 };

/* The results of one BATCH:THREADS. */
struct run {
    int batch, threads;
    char *loops; /* their text, but for the number of threads */
    float *output;
};

struct trial {
    struct options options;
    struct source source;
    struct weights *io;
    struct image_files files;
    struct images images;
    int64_t numbers; /* of all outputs */
    struct run run[MOST_RUNS];
    int runs;
};

/* ||output - reference|| / ||reference|| */
static double error_of(const struct trial *t, const float *output)
{
    const double *reference = weights_find(t->io, "output", t->numbers);
    double difference = 0, norm = 0;
    for (int64_t i = 0; reference && i < t->numbers; i++) {
        difference += pow((double)output[i] - reference[i], 2);
        norm += pow(reference[i], 2);
    }
    return norm > 0 ? sqrt(difference / norm) : INFINITY;
}

/* The last run of a batch, with these loops unless they are NULL. NULL: there is none. */
static const struct run *run_before(const struct trial *t, int batch, const char *loops)
{
    for (int i = t->runs - 1; i >= 0; i--)
        if (t->run[i].batch == batch && (!loops || strcmp(t->run[i].loops, loops) == 0))
            return &t->run[i];
    return NULL;
}

static enum status same_bits(const struct trial *t, const float *output, const float *other,
                             const char *what)
{
    if (memcmp(output, other, (size_t)t->numbers * sizeof *output) == 0)
        return STATUS_DONE;
    printf("different bits %s\n", what);
    return STATUS_CHECK_FAILED;
}

static enum status run_compiled(struct trial *t, const struct module *module, float *output)
{
    struct compiled compiled;
    float *two = allocate(t->numbers, sizeof *two);
    enum status status = compiled_load(module, &t->source, &compiled);
    if (status == STATUS_DONE)
        status = execute_on_threads(compiled.model, 1, &t->images, output);
    if (status == STATUS_DONE)
        status = execute_on_threads(compiled.model, 2, &t->images, two);
    compiled_free(&compiled);
    if (status == STATUS_DONE)
        status = same_bits(t, output, two, "on 2 threads");
    free(two);
    return status;
}

static enum status run_module(struct trial *t, struct module *module, int batch, int threads)
{
    size_t size;
    module->threads = 1; /* the loops must not depend on it */
    struct run run = {batch, threads, module_text(module, &size), NULL};
    const struct run *same = run_before(t, batch, run.loops), *other = run_before(t, batch, NULL);
    enum status status = STATUS_DONE;
    run.output = allocate(t->numbers, sizeof *run.output);
    if (same)
        memcpy(run.output, same->output, (size_t)t->numbers * sizeof *run.output);
    else
        status = run_compiled(t, module, run.output);
    if (status == STATUS_DONE && other)
        status = same_bits(t, run.output, other->output, "when compiled for other threads");
    if (status == STATUS_DONE)
        printf("%.17g\n", error_of(t, run.output));
    t->run[t->runs++] = run;
    return status;
}

static enum status read_images(struct trial *t, const struct module *module)
{
    if (t->files.file)
        return STATUS_DONE;
    enum status status = images_read(&t->source, module, &t->files);
    t->images = t->files.images;
    t->io = t->files.weights;
    t->numbers = t->images.count * module->classes;
    return status;
}

static enum status run_for(struct trial *t, int batch, int threads)
{
    struct module *module = NULL;
    const char *target;
    t->options.batch = (struct batch_sizes){1, {batch}};
    t->options.threads = threads;
    enum status status = source_module(&t->source, NULL, &module);
    if (status == STATUS_DONE)
        status = choose_target(module, &target);
    if (status == STATUS_DONE)
        status = read_images(t, module);
    if (status == STATUS_DONE)
        status = passes_run(module, NULL, NULL);
    if (status == STATUS_DONE)
        status = run_module(t, module, batch, threads);
    if (module)
        module_free(module);
    return status;
}

static void trial_free(struct trial *t)
{
    for (int i = 0; i < t->runs; i++) {
        free(t->run[i].loops);
        free(t->run[i].output);
    }
    images_free(&t->files);
    source_free(&t->source);
    options_free(&t->options);
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 5 + MOST_RUNS) {
        fprintf(stderr, "usage: run_case MODEL WEIGHTS IO TARGET BATCH:THREADS...\n");
        return STATUS_USAGE;
    }
    keep_memory();
    struct trial t = {0};
    char *word[] = {"run",   argv[1],    "-w",        argv[2],    "--input",
                    argv[3], "--output", "/dev/null", "--target", argv[4]};
    enum status status = options_parse(sizeof word / sizeof *word, word, &t.options);
    if (status == STATUS_DONE)
        status = source_read(&t.source, &t.options);
    if (status == STATUS_DONE)
        status = source_read_weights(&t.source);
    for (int i = 5; i < argc && status == STATUS_DONE; i++) {
        int batch, threads;
        if (sscanf(argv[i], "%d:%d", &batch, &threads) == 2)
            status = run_for(&t, batch, threads);
        else
            status = STATUS_USAGE;
    }
    trial_free(&t);
    return (int)status;
}
