/* Times of a compiled model, and what the core could do. */
#ifndef COMPILER_BENCH_H
#define COMPILER_BENCH_H
#include "core.h"
#include "predict_module.h"

/* Milliseconds. */
struct spread {
    double best, low, median, high; /* low and high: a tenth of the runs is below and above */
};

struct bench {
    /* what to do */
    const struct module *module; /* scheduled, for one target */
    const char *target;
    const struct source *source;
    double seconds; /* how long to repeat runs; at least a few run */
    bool kernels;   /* times of each, too */

    /* what was found; bench_free */
    int runs;
    struct spread run;
    /* of processors only; a GPU's runs include the copies to and from it */
    struct core_speed speed;
    struct target here;          /* the target's code on this machine's core */
    int described_fma_per_cycle; /* what its description says, where that differs from `here` */
    struct predictions predictions;
    struct spread *kernel; /* of predictions.kernel, or of a GPU's in order; NULL: not asked for */
};

/* With one thread, times are that thread's processor time, so that other work on the machine
 * disturbs them least. Kernels are timed in separate runs. Errors are printed; bench_free in any
 * case. */
enum status bench_run(struct bench *bench);
void bench_free(struct bench *bench);

/* "rates": { ... }, the data of a roofline: flops and bytes per cycle, and bytes of caches. */
void rates_print(const struct target *target, FILE *file);

/* A lower bound of the kernel's cycles: what its narrowest limit alone takes, which is FMAs, vector
 * operations, loads and stores, or bytes from L2 and beyond. */
double prediction_limit(const struct prediction *prediction, enum bound *bound);

#endif
