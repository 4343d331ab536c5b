/* Measures the error of exponentials in compiled code. exponentials.py writes model_table.h: models
 * of IN inputs and OUT outputs, exp of every input, first in vectors, then in scalars. Prints each
 * model's largest error in ULP, or what is wrong; ends with 1 where something is. */
#include "model_table.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN = 4096, OUT = 2 * IN };
#define MOST_ERROR 1.1

struct run {
    const struct san_model *model;
    void *workspace;
    float input[IN], output[OUT];
    double worst;
};

/* In units in the last place of the exact result. */
static double error_in_ulp(float found, double exact)
{
    int exponent;
    frexp(exact, &exponent);
    return fabs(found - exact) / ldexp(1, exponent - 24);
}

/* Whether a result is within its bound. */
static bool is_right(struct run *run, float x, float found)
{
    double exact = exp((double)x);
    if (isnan(x))
        return isnan(found);
    if ((float)exact > 0x1.fffffep127f || exact == 0)
        return found == (float)exact;
    if (exact < 0x1p-126)
        return found == 0 || (found > 0 && found <= 0x1p-126f);
    double error = error_in_ulp(found, exact);
    if (!(error <= run->worst))
        run->worst = error;
    return error <= MOST_ERROR && (x != 0 || found == 1);
}

static bool run_once(struct run *run)
{
    memset(run->output, 0xff, sizeof run->output); /* NaN */
    int status = run->model->run(run->input, run->output, run->workspace, NULL);
    for (int i = 0; i < OUT && status == SAN_OK; i++) {
        float x = run->input[i % IN];
        if (!is_right(run, x, run->output[i])) {
            printf("%s: exp(%.9g) is %.9g, must be %.9g\n", run->model->name, (double)x,
                   (double)run->output[i], exp((double)x));
            return false;
        }
    }
    if (status != SAN_OK)
        printf("%s returned %d\n", run->model->name, status);
    return status == SAN_OK;
}

/* The whole range of normal results, and a little more. */
static bool run_everywhere(struct run *run, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < IN; i++)
            run->input[i] = (float)(-88 + 177.0 * (i * rounds + round) / (IN * rounds));
        if (!run_once(run))
            return false;
    }
    return true;
}

/* Around each change of the power of two, for every power that a float can be. */
static bool run_at_powers(struct run *run)
{
    for (int i = 0; i < IN; i++) {
        float x = (float)((i / 16 - 127) * 0x1.62e42fefa39efp-1); /* ln 2 */
        for (int step = i % 16 - 8; step; step += step < 0 ? 1 : -1)
            x = nextafterf(x, step < 0 ? -INFINITY : INFINITY);
        run->input[i] = x;
    }
    return run_once(run);
}

static bool run_special(struct run *run)
{
    const float x[] = {0.0f,       -0.0f,      INFINITY, -INFINITY, NAN,    -NAN,    1e30f,
                       -1e30f,     89.0f,      -90.0f,   -103.97f,  -104.f, -105.0f, 1e-40f,
                       -1e-40f,    88.72f,     88.7228f, 88.73f,    1e-8f,  -1e-8f,  -87.3365f,
                       88.722832f, -87.33654f, 3.4e38f,  -3.4e38f};
    for (int i = 0; i < IN; i++)
        run->input[i] = x[(size_t)i % (sizeof x / sizeof *x)];
    return run_once(run);
}

static bool run_model(const struct san_model *model, int rounds)
{
    struct run *run = calloc(1, sizeof *run);
    size_t unit = model->workspace_alignment;
    void *workspace = aligned_alloc(unit, (model->workspace_bytes / unit + 1) * unit);
    if (!run || !workspace)
        exit(2);
    run->model = model;
    run->workspace = workspace;
    bool good = run_everywhere(run, rounds) && run_at_powers(run) && run_special(run);
    if (good)
        printf("%s %.3f\n", model->name, run->worst);
    free(workspace);
    free(run);
    return good;
}

/* The argument: how often to run over the range, each time with other numbers. */
int main(int count, char **words)
{
    int rounds = count > 1 ? atoi(words[1]) : 1;
    bool good = true;
    for (size_t i = 0; i < sizeof model_table / sizeof *model_table; i++)
        good = run_model(model_table[i], rounds) && good;
    return !good;
}
