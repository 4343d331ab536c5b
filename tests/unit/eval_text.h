/* What the tests of the evaluator share: modules from text, and numbers that float holds exactly.
 */
#ifndef EVAL_TEXT_H
#define EVAL_TEXT_H
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* -9/8 to 9/8 in steps of 1/8. */
static inline double sample(int64_t i, int seed)
{
    return (double)((i * 37 + seed * 11) % 19 - 9) / 8;
}

enum { MOST_TENSORS = 32 };

struct tensors {
    int count;
    double *data[MOST_TENSORS];
};

/* The tensor "s4" is sample(i, 4), "third" is 1/3 everywhere; others are missing. */
static const double *tensor_find(void *context, const char *name, const struct shape *shape)
{
    struct tensors *tensors = context;
    bool third = strcmp(name, "third") == 0;
    if (!third && name[0] != 's')
        return NULL;
    int64_t elements = shape_elements(shape);
    double *data = malloc((size_t)elements * sizeof *data);
    assert_true(data && tensors->count < MOST_TENSORS);
    for (int64_t i = 0; i < elements; i++)
        data[i] = third ? 1.0 / 3 : sample(i, atoi(name + 1));
    tensors->data[tensors->count++] = data;
    return data;
}

static inline void tensors_free(struct tensors *tensors)
{
    while (tensors->count)
        free(tensors->data[--tensors->count]);
}

/* A module of `images` inputs, `results` outputs, this graph and these buffers and kernels.
 * verifies: whether the verifier accepts it. */
static struct module *module_from(bool verifies, int64_t images, int64_t results, const char *graph,
                                  const char *kernels)
{
    struct arena *arena = arena_new();
    char *text =
        arena_printf(arena,
                     "sanir 1 model \"m\" input f32[1, 1, 1, %lld] classes %lld "
                     "targets \"x86-64-v3\" \"x86-64-v4\" threads 1 %s\ngraph {\n%s}\n%s",
                     (long long)images, (long long)results,
                     strstr(kernels, " at ") ? "workspace 4096 scratch 4096" : "", graph, kernels);
    struct error error;
    struct module *module = module_parse(text, strlen(text), &error);
    if (!module)
        fail_msg("%d:%d: %s\n%s", error.at.line, error.at.column, error.text, text);
    if (verifies && !module_verify(module, &error))
        fail_msg("%s\n%s", error.text, text);
    arena_free(arena);
    return module;
}

static inline struct module *module_of(int64_t images, int64_t results, const char *graph,
                                       const char *kernels)
{
    return module_from(true, images, results, graph, kernels);
}

enum { MOST_NUMBERS = 8192 };

/* The input %0 is sample(i, 1), `images` of it. The graph goes on from %1. Returns results. */
static inline const double *graph_run(int64_t images, int64_t results, enum precision precision,
                                      const char *graph)
{
    static double image[MOST_NUMBERS], result[MOST_NUMBERS];
    assert_true(images <= MOST_NUMBERS && results <= MOST_NUMBERS);
    for (int64_t i = 0; i < images; i++)
        image[i] = sample(i, 1);
    struct arena *arena = arena_new();
    const char *whole =
        arena_printf(arena, "%%0 = input { shape = [1, 1, 1, %lld] } : f32[1, 1, 1, %lld]\n%s",
                     (long long)images, (long long)images, graph);
    struct module *module = module_of(images, results, whole, "");
    struct tensors tensors = {0};
    struct parameters parameters = {tensor_find, &tensors, NULL};
    memset(result, 0, sizeof result);
    assert_true(module_eval_graph(module, &parameters, precision, image, result));
    tensors_free(&tensors);
    module_free(module);
    arena_free(arena);
    return result;
}

/* Equal, NaN to NaN. */
static inline void check_numbers(const double *found, const double *expected, int64_t count,
                                 double tolerance)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(found[i] - expected[i]) <= tolerance) && !(found[i] == expected[i]) &&
            !(isnan(found[i]) && isnan(expected[i])))
            fail_msg("number %lld is %.17g, must be %.17g", (long long)i, found[i], expected[i]);
}

#endif
