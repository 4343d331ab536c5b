/* Random models over the whole format, each with seeded weights and images.
 *
 *   draw.c      a model from a seed            values.c    its weights and images
 *   check.c     what has to be right about it  permute.c   weights in another order
 *   shrink.c    a smaller one that fails too   apart.c     a check in its own process
 *   write.c     a model as a case in files     random_models.c   the program */
#ifndef TESTS_RANDOM_MODEL_H
#define TESTS_RANDOM_MODEL_H
#include "model.h"
#include "model_graph.h"
#include "passes.h"
#include "turns.h"

/* ---- numbers --------------------------------------------------------------------------------- */

struct random {
    uint64_t state;
};

struct random random_from(uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *r);
int random_between(struct random *r, int least, int most);
double random_unit(struct random *r);   /* [0, 1) */
double random_normal(struct random *r); /* mean 0, variance 1 */
bool random_chance(struct random *r, double probability);

/* ---- models ---------------------------------------------------------------------------------- */

struct random_model {
    struct model model;
    int batch, threads;
    bool exact;   /* whole numbers throughout: the same bits in every order of sums */
    bool doubles; /* weights that are no float32 */
    uint64_t seed;
};

struct random_model random_model_draw(uint64_t seed, uint64_t number);
/* Whether it keeps the format's rules, and those of exact numbers if it is exact. */
bool random_model_valid(const struct random_model *m);
/* The approximate number of multiplications of one run, which decides how long its checks take. */
double random_model_work(const struct random_model *m);

/* ---- weights and images ---------------------------------------------------------------------- */

struct values {
    struct module *graph; /* names and shapes */
    double **data;        /* by instruction id, of parameters */
    double *images;       /* (batch, c, h, w), each a float32 */
    struct parameters parameters;
};

/* Weights that leave activations of order one, or whole numbers such that every sum is exact;
 * false: whole numbers grow too large here. values_free in any case. */
bool values_make(struct values *values, const struct random_model *m);
void values_free(struct values *values);
/* Reorders the weight channels of every attention, and everything that depends on their order.
 * False: nothing has changed. */
bool values_permute(struct values *values, const struct random_model *m);

/* A case, as in tests/numeric/cases, for tests in other languages: FOLDER/exact_N or FOLDER/real_N
 * with the model, its weights, and 8 images with their results in float64 and of the plain
 * evaluation in float32 ("single"). FOLDER exists. */
bool random_model_write(const struct random_model *m, const char *folder, int number);

/* ---- checks ---------------------------------------------------------------------------------- */

enum verdict {
    PASSED,
    WRONG_JSON,    /* not read back as written */
    WRONG_COMPILE, /* a pass, the backend or the loader failed */
    WRONG_RUN,     /* NAME_run refused */
    WRONG_NUMBERS, /* error over its bound, or not the bits of exact arithmetic */
    WRONG_THREADS, /* other bits on two threads */
    WRONG_BATCH,   /* different numbers image by image */
    WRONG_PASSES,  /* other numbers after a pass, or without one */
    WRONG_TEST,    /* the test's own mistake: the exact model is not exact */
    CRASHED,
    TIMED_OUT,
    VERDICTS
};
extern const char *const verdict_name[VERDICTS];

enum { MOST_RATIOS = 4 };

struct outcome {
    enum verdict verdict;
    bool exact;
    int ratios; /* error to that of the plain evaluation in float32, per target */
    double ratio[MOST_RATIOS];
    double error, plain; /* the worst */
    double seconds;
    char message[400];
};

struct checks {
    int targets;
    const char *const *target; /* that this machine runs */
    int others;
    const char *const *other; /* that it does not: their loops are evaluated */
    bool emitted;             /* and their assembly written */
    bool bf16;                /* and in bf16 */
    bool passes;              /* evaluate after every pass, and without each optional pass */
    bool batch;               /* and image by image */
    bool together;            /* all targets in one object too */
    bool permuted;            /* and with the weight channels in another order */
};

/* In this process. */
struct outcome model_check(const struct random_model *m, const struct checks *checks);
/* In a process of its own, which may crash. quiet: what it prints is dropped. */
struct outcome model_check_apart(const struct random_model *m, const struct checks *checks,
                                 bool quiet);

/* One check that runs in a process of its own. */
struct running {
    int process, pipe;
};
struct running check_start(const struct random_model *m, const struct checks *checks, bool quiet);
struct outcome check_finish(const struct running *running, int status);

/* The smallest model found that fails with the same verdict. */
struct random_model model_shrink(const struct random_model *m, const struct checks *checks,
                                 enum verdict verdict);

#endif
