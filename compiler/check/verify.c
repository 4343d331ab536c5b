#include "verify.h"
#include "memory.h"
#include "observe.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- images ---------------------------------------------------------------------------------- */

/* SplitMix64 by Steele, Lea and Flood: uniform in [0, 1) */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

enum { WAVES = 4 };

/* One channel: a few waves of random direction, at most three periods across, and noise. */
static void random_channel(uint64_t *state, int64_t height, int64_t width, double *value)
{
    double across[WAVES], down[WAVES], phase[WAVES], level = 2 * uniform(state) - 1;
    for (int i = 0; i < WAVES; i++) {
        const double period = 2 * 3.14159265358979324;
        across[i] = period * (6 * uniform(state) - 3) / (double)width;
        down[i] = period * (6 * uniform(state) - 3) / (double)height;
        phase[i] = period * uniform(state);
    }
    for (int64_t y = 0; y < height; y++) {
        for (int64_t x = 0; x < width; x++) {
            double sum = level + 0.2 * (uniform(state) - 0.5);
            for (int i = 0; i < WAVES; i++)
                sum += 0.5 * cos(across[i] * (double)x + down[i] * (double)y + phase[i]);
            value[y * width + x] = (float)sum;
        }
    }
}

double *random_images(uint64_t seed, int64_t count, int64_t channels, int64_t height, int64_t width)
{
    double *value = allocate(count * channels * height * width, sizeof *value);
    for (int64_t i = 0; i < count * channels; i++)
        random_channel(&seed, height, width, value + i * height * width);
    return value;
}

/* A number of order one as a byte. */
static double byte_of(double value)
{
    double byte = round(128 + 64 * value);
    return byte < 0 ? 0 : byte > 255 ? 255 : byte;
}

double *random_input(const struct module *m, uint64_t seed, int64_t count)
{
    int64_t pixels = m->height * m->width, channels = m->channels, total = channels * pixels;
    double *planes = random_images(seed, count, channels, m->height, m->width);
    double *value = allocate(count * total, sizeof *value);
    for (int64_t i = 0; i < count * total; i++) {
        int64_t image = i / total, channel = i % total / pixels, pixel = i % pixels;
        int64_t to = m->layout == LAYOUT_NHWC ? (image * pixels + pixel) * channels + channel : i;
        value[to] = m->input_type == DTYPE_U8 ? byte_of(planes[i]) : planes[i];
    }
    free(planes);
    return value;
}

/* ---- passes ---------------------------------------------------------------------------------- */

static bool targets_differ(const struct module *module)
{
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
        if (kernel->target)
            return true;
    return false;
}

static void locate(struct pass_check *check, const struct module *module, const char *target)
{
    struct error error;
    struct module *before =
        check->before ? module_parse(check->before, strlen(check->before), &error) : NULL;
    if (!before)
        return;
    struct module *was = before->targets > 1 ? module_for_target(before, target) : before;
    struct module *is = module->targets > 1 ? module_for_target(module, target)
                                            : (struct module *)(uintptr_t)module;
    check->located =
        change_find(was, is, check->parameters, check->images, check->tolerance, &check->change);
    module_free(before);
}

/* Evaluates for one target and compares. False: the result moved, or could not be evaluated. */
static bool still_the_same(struct pass_check *check, const struct pass *pass,
                           const struct module *module, const char *target)
{
    check->status = execute_evaluator(module, check->parameters, PRECISION_F64, target,
                                      check->images, check->result);
    if (check->status != STATUS_DONE)
        return false;
    double error =
        relative_error(check->result, check->reference, check->images->count * module->classes);
    if (error > check->error)
        check->error = error;
    if (error <= check->tolerance)
        return true;
    check->pass = pass->name;
    check->target = target;
    check->error = error;
    locate(check, module, target);
    return false;
}

/* The result that passes must not change from here on. */
static bool take_reference(struct pass_check *check, const struct module *module)
{
    check->status = execute_evaluator(module, check->parameters, PRECISION_F64, module->target[0],
                                      check->images, check->reference);
    return check->status == STATUS_DONE;
}

/* Whether this is the one pass that may change results, in a precision other than f32. */
static bool rounds(const struct pass *pass, const struct module *module)
{
    return module->precision != precision_kind_f32 && pass->run == round_operands;
}

bool pass_check_after(void *context, const struct pass *pass, int changes, double seconds,
                      struct module *module)
{
    struct pass_check *check = context;
    int64_t count = check->images->count * module->classes;
    size_t size;
    (void)changes;
    (void)seconds;
    if (!pass) {
        check->before = module_text(module, &size);
        check->reference = allocate(count, sizeof(double));
        check->result = allocate(count, sizeof(double));
        check->status = STATUS_SYSTEM;
        return take_reference(check, module);
    }
    bool same = !rounds(pass, module) || take_reference(check, module);
    int targets = targets_differ(module) ? module->targets : 1;
    for (int i = 0; i < targets && same; i++)
        same = still_the_same(check, pass, module, module->target[i]);
    if (same) {
        free(check->before);
        check->before = module_text(module, &size);
    }
    return same;
}

void pass_check_free(struct pass_check *check)
{
    free(check->reference);
    free(check->result);
    free(check->before);
    check->reference = check->result = NULL;
    check->before = NULL;
}
