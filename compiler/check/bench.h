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
    double seconds; /* how long to go on, but for a few runs at least */
    bool kernels;   /* times of each, too */

    /* what was found; bench_free */
    int runs;
    struct spread run;
    /* of a processor; a GPU has none of them, its runs have the copies to and from it in them */
    struct core_speed speed;
    struct target here;          /* the target's code on this machine's core */
    int described_fma_per_cycle; /* what its description says, where that differs from `here` */
    struct predictions predictions;
    struct spread *kernel; /* of predictions.kernel; NULL: not asked for */
};

/* With one thread, times are processor time of that thread: other work on the machine counts as
 * little as it can. Kernel times are of runs of their own. Errors are printed; bench_free in any
 * case. */
enum status bench_run(struct bench *bench);
void bench_free(struct bench *bench);

/* "rates": { ... }, what a roofline is drawn by: flops and bytes per cycle, and bytes of caches. */
void rates_print(const struct target *target, FILE *file);

/* What the kernel would take if nothing but its narrowest limit counted, in cycles: FMAs, vector
 * operations, loads and stores, or bytes from L2 and beyond. */
double prediction_limit(const struct prediction *prediction, enum bound *bound);

#endif
