/* Times schedules of one kernel against each other, as they run in a network: weights come from
 * where they are after as many other bytes have passed as the network's weights have, and maps were
 * written just before, those of results with NaN. */
#ifndef COMPILER_BED_H
#define COMPILER_BED_H
#include "alone.h"
#include "quiet.h"
#include "san/runtime.h"

struct bed {
    struct alone *alone;
    struct quiet *quiet;
    unsigned threads;
    struct san_pool *pool; /* of more than one thread */
    float *input, *output;
    void *workspace; /* one for all schedules, so that their maps lie in the same pages */
    size_t workspace_bytes;
    unsigned char *others; /* bytes that pass between two runs */
    size_t other_bytes;
};

/* A schedule that can run. */
struct timed {
    struct compiled compiled;
    uint64_t *ticks; /* and calls, of each kernel */
};

/* Errors are printed; bed_free in any case. */
enum status bed_new(struct bed *bed, struct alone *alone, int64_t weights_bytes,
                    struct quiet *quiet);
void bed_free(struct bed *bed);

/* Compiles a plan, runs it once and compares it with the evaluator. STATUS_CHECK_FAILED: it is off.
 * Errors are printed, but not that; timed_free in any case. */
enum status timed_new(struct timed *timed, struct bed *bed, const struct plan *plan);
void timed_free(struct timed *timed);

/* Two schedules that ran in turns. */
struct comparison {
    int pairs;
    bool disturbed;    /* others were on the core in most of the runs: it says nothing */
    double a_us, b_us; /* a fifth of the runs are faster */
    double gain;       /* of b, as part of a's time */
    double noise;      /* the standard error of gain */
    bool better;       /* by more than three times the noise and more than LEAST_GAIN */
};
static const double LEAST_GAIN = 0.005;

/* Runs them until it is clear whether b is better, at least `least` times and at most `most`. */
struct comparison bed_compare(struct bed *bed, struct timed *a, struct timed *b, int least,
                              int most);

#endif
