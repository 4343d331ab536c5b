/* Two compiled models in one program: the same bits alone and side by side in two threads, and the
 * errors that a model's run function returns before it touches anything. Prints what is wrong. */
#include "digits_pairwise.h"
#include "digits_patchwise.h"
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

enum { IMAGES = 40, PIXELS = 28 * 28, DIGITS = 10 };

DIGITS_PAIRWISE_ALIGNED static unsigned char pairwise_workspace[DIGITS_PAIRWISE_WORKSPACE_BYTES];
DIGITS_PATCHWISE_ALIGNED static unsigned char patchwise_workspace[DIGITS_PATCHWISE_WORKSPACE_BYTES];

static float images[IMAGES][PIXELS];

struct job {
    const struct san_model *model;
    unsigned char *workspace;
    float logits[IMAGES][DIGITS];
    int status;
};

static void *run_job(void *context)
{
    struct job *job = context;
    memset(job->logits, 0xff, sizeof job->logits); /* NaN */
    memset(job->workspace, 0xff, job->model->workspace_bytes);
    for (int i = 0; i < IMAGES && job->status == SAN_OK; i++)
        job->status = job->model->run(images[i], job->logits[i], job->workspace, NULL);
    return NULL;
}

static void fill_images(void)
{
    uint32_t state = 1;
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < PIXELS; p++) {
            state = state * 1664525u + 1013904223u;
            images[i][p] = (float)(state >> 8) / (1 << 23) - 1.0f;
        }
}

static int check(int good, const char *what)
{
    if (!good)
        printf("wrong: %s\n", what);
    return !good;
}

static int all_finite(const struct job *job)
{
    for (int i = 0; i < IMAGES; i++)
        for (int d = 0; d < DIGITS; d++)
            if (!isfinite(job->logits[i][d]))
                return 0;
    return 1;
}

static int check_two_at_once(struct job alone[2])
{
    static struct job both[2];
    pthread_t thread[2];
    int wrong = 0;
    for (int i = 0; i < 2; i++) {
        run_job(&alone[i]);
        wrong += check(alone[i].status == SAN_OK, "run fails");
        wrong += check(all_finite(&alone[i]), "logits are not finite");
        both[i].model = alone[i].model;
        both[i].workspace = alone[i].workspace;
    }
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, run_job, &both[i]) != 0)
            exit(2);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        wrong += check(memcmp(both[i].logits, alone[i].logits, sizeof alone[i].logits) == 0,
                       "other bits with two models at once");
    }
    return wrong;
}

static int check_errors(const struct job *job)
{
    const struct san_model *model = job->model;
    float logits[DIGITS + 1];
    unsigned char *workspace = job->workspace;
    struct san_exec other_abi = {.abi_version = SAN_ABI_VERSION + 1, .threads = 1};
    struct san_exec no_hook = {.abi_version = SAN_ABI_VERSION, .threads = 2};
    float *odd = (float *)(void *)((char *)logits + 1);
    return check(model->run(NULL, logits, workspace, NULL) == SAN_EPOINTER, "null input") +
           check(model->run(images[0], NULL, workspace, NULL) == SAN_EPOINTER, "null output") +
           check(model->run(images[0], logits, NULL, NULL) == SAN_EPOINTER, "null workspace") +
           check(model->run(images[0], odd, workspace, NULL) == SAN_EALIGN, "misaligned output") +
           check(model->run(images[0], logits, workspace + 4, NULL) == SAN_EALIGN,
                 "misaligned workspace") +
           check(model->run(images[0], logits, workspace, &other_abi) == SAN_EABI, "other ABI") +
           check(model->run(images[0], logits, workspace, &no_hook) == SAN_EEXEC, "no hook");
}

/* ---- the caller's floating-point environment --------------------------------------------------
 */

static unsigned callers; /* what MXCSR holds while a hook and a clock run */
static int foreign;      /* how often it held another value */

static void serial_hook(void *context, uint32_t count, void (*task)(void *argument, uint32_t index),
                        void *argument)
{
    (void)context;
    foreign += _mm_getcsr() != callers;
    for (uint32_t i = 0; i < count; i++)
        task(argument, i);
    foreign += _mm_getcsr() != callers;
}

/* Results must have the same bits, and MXCSR must be unchanged, flags included: with any rounding,
 * with all exceptions unmasked, with and without subnormal numbers. */
static int check_environment(const struct job *job)
{
    static const unsigned environments[] = {0x1f80,
                                            0x1f80 | _MM_ROUND_DOWN,
                                            0x1f80 | _MM_ROUND_UP,
                                            0x1f80 | _MM_ROUND_TOWARD_ZERO,
                                            0 /* unmasked */,
                                            0x1f80 | 0x8040 /* FTZ, DAZ */};
    const struct san_exec hook = {
        .abi_version = SAN_ABI_VERSION, .threads = 2, .parallel = serial_hook};
    float logits[DIGITS];
    int wrong = 0;
    unsigned before = _mm_getcsr();
    for (size_t i = 0; i < 2 * sizeof environments / sizeof *environments; i++) {
        callers = environments[i / 2];
        _mm_setcsr(callers);
        int status = job->model->run(images[0], logits, job->workspace, i % 2 ? &hook : NULL);
        unsigned after = _mm_getcsr();
        _mm_setcsr(before);
        wrong += check(status == SAN_OK && after == callers, "MXCSR changed");
        wrong += check(memcmp(logits, job->logits[0], sizeof logits) == 0,
                       "other bits in another environment");
    }
    return wrong + check(!foreign, "a hook runs with another MXCSR than its caller's");
}

/* Infinities and overflows lead to invalid operations: these must raise no exception, even
 * unmasked, and give NaN. Subnormal pixels count as zeros. */
static int check_strange_images(const struct job *job)
{
    static float image[sizeof images[0] / sizeof(float)], zeros[sizeof images[0] / sizeof(float)];
    float logits[DIGITS], expected[DIGITS];
    unsigned before = _mm_getcsr();
    for (size_t i = 0; i < sizeof image / sizeof *image; i++)
        image[i] = i % 3 ? 3e38f : INFINITY;
    _mm_setcsr(0);
    int status = job->model->run(image, logits, job->workspace, NULL);
    _mm_setcsr(before);
    int wrong =
        check(status == SAN_OK && isnan(logits[0]), "an image of infinities gives a number");
    for (size_t i = 0; i < sizeof image / sizeof *image; i++)
        image[i] = i % 2 ? 1e-40f : -1e-39f;
    wrong += check(job->model->run(image, logits, job->workspace, NULL) == SAN_OK &&
                       job->model->run(zeros, expected, job->workspace, NULL) == SAN_OK &&
                       memcmp(logits, expected, sizeof logits) == 0,
                   "subnormal pixels are not zeros");
    return wrong;
}

static int check_description(const struct san_model *model, const char *name)
{
    return check(model->abi_version == SAN_ABI_VERSION, "ABI version") +
           check(strcmp(model->name, name) == 0, "name") +
           check(model->batch == 1 && model->channels == 1 && model->height == 28 &&
                     model->width == 28 && model->classes == DIGITS,
                 "shapes") +
           check(model->kernel_count > 0 && model->kernel_names[0][0] != 0, "kernel names") +
           check(model->weights_bytes > 0 && strstr(model->compiler, "sanc") != NULL,
                 "description");
}

int main(void)
{
    static struct job job[2] = {{&digits_pairwise_model, pairwise_workspace, {{0}}, SAN_OK},
                                {&digits_patchwise_model, patchwise_workspace, {{0}}, SAN_OK}};
    fill_images();
    int wrong = check_description(&digits_pairwise_model, "digits_pairwise") +
                check_description(&digits_patchwise_model, "digits_patchwise") +
                check_two_at_once(job);
    for (int i = 0; i < 2; i++)
        wrong += check_errors(&job[i]) + check_environment(&job[i]) + check_strange_images(&job[i]);
    return wrong != 0;
}
