/* Finds the first kernel of a compiled model that is off.
 *
 *   evaluated   what every kernel writes (trace.h)
 *   compiled    runs with a profile, whose clock is called after each kernel: there the workspace
 *               holds what the kernel wrote, and is compared with the trace */
#include "memory.h"
#include "trace.h"
#include "verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A compiled model compared with the trace. */
struct comparison {
    struct trace trace;
    uint64_t calls; /* of the clock */
    int next;       /* in trace->written */
    const struct execution *execution;
    double tolerance;
    struct kernel_check *check;
};

static double element_at(const void *data, enum dtype dtype, int64_t i)
{
    if (dtype != DTYPE_BF16)
        return ((const float *)data)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Elements that the evaluator left NaN were never written. */
static double error_of(const struct written *written, const double *reference, const void *found)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < written->elements; i++) {
        if (isnan(reference[i]))
            continue;
        double off = off_by(element_at(found, written->buffer->dtype, i), reference[i]);
        difference += off * off;
        norm += isfinite(reference[i]) ? reference[i] * reference[i] : 0;
    }
    double error = difference == 0 ? 0 : sqrt(difference / norm);
    return isfinite(error) ? error : HUGE_VAL;
}

static void compare_kernel(struct comparison *c, int kernel)
{
    const struct trace *trace = &c->trace;
    for (; c->next < trace->count && trace->written[c->next].kernel == kernel; c->next++) {
        const struct written *written = &trace->written[c->next];
        const void *found = written->buffer->place == PLACE_OUTPUT
                                ? (const void *)c->execution->output
                                : (const char *)c->execution->workspace + written->buffer->offset;
        double error = error_of(written, trace->value + written->begin, found);
        if (error <= c->tolerance || c->check->kernel)
            continue;
        *c->check =
            (struct kernel_check){kernel_name(trace->module, kernel), written->buffer->name, error};
    }
}

/* Called before and after each kernel, in their order. */
static uint64_t clock_compares(void *context)
{
    struct comparison *c = context;
    uint64_t call = c->calls++;
    if (call % 2 == 1)
        compare_kernel(c, (int)(call / 2));
    return call;
}

static enum status run_compared(struct comparison *c, const struct san_model *model,
                                const struct images *images)
{
    struct execution execution;
    uint64_t *times = allocate(2 * (int64_t)model->kernel_count, sizeof(uint64_t));
    struct san_profile profile = {clock_compares, c, times, times + model->kernel_count};
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1, .profile = &profile};
    enum status status = execution_new(&execution, model);
    c->execution = &execution;
    if (status == STATUS_DONE)
        status = execution_run(&execution, &exec, images, 0);
    execution_free(&execution);
    free(times);
    return status;
}

enum status kernels_check(const struct module *module, const struct parameters *parameters,
                          const struct san_model *model, const struct images *images,
                          double tolerance, struct kernel_check *check)
{
    *check = (struct kernel_check){0};
    struct comparison c = {.tolerance = tolerance, .check = check};
    enum status status = trace_evaluate(&c.trace, module, parameters, images);
    if (status == STATUS_DONE)
        status = run_compared(&c, model, images);
    trace_free(&c.trace);
    return status;
}
