/* The evaluator's memory: what buffers hold before they are written, where planned buffers lie; and
 * what is refused. */
#include "eval_text.h"

/* Runs kernels on images of 1, 2, 3 ..., also those that the verifier refuses for what they read.
 */
static bool run(const char *target, int results, const char *graph, const char *kernels,
                double *result)
{
    static const double image[] = {1, 2, 3};
    struct module *module = module_from(false, 3, results, graph, kernels);
    struct tensors tensors = {0};
    struct parameters parameters = {tensor_find, &tensors, NULL};
    bool ok = module_eval_loops(module, &parameters, PRECISION_F64, target, image, result);
    tensors_free(&tensors);
    module_free(module);
    return ok;
}

/* What was not written is NaN, and of max both operands' NaN stays. */
static void test_poison(void **state)
{
    (void)state;
    double result[6];
    const double expected[] = {NAN, NAN, NAN, 1, NAN, NAN};
    assert_true(run(NULL, 6, "",
                    "x : input f32[3]\nout : output f32[6]\none : workspace f32[2]\n"
                    "kernel a {\n"
                    "tile : stack f32[2]\n"
                    "tile[0] = 1\n"
                    "one[0] = tile[0]\n"
                    "out[0] = one[1]\n"
                    "out[1] = tile[1]\n"
                    "}\n"
                    "kernel b {\n"
                    "tile : stack f32[2]\n"
                    "out[2] = tile[0]\n"
                    "out[3] = one[0]\n"
                    "out[4] = max(tile[0], x[1])\n"
                    "out[5] = max(x[1], tile[0])\n"
                    "}\n",
                    result));
    check_numbers(result, expected, 6, 0);
}

/* Buffers planned at the same place hold the same numbers. */
static void test_planned(void **state)
{
    (void)state;
    double result[6];
    const double expected[] = {2, NAN, 5, NAN, NAN, 3};
    assert_true(run(NULL, 6, "",
                    "x : input f32[3]\nout : output f32[6]\n"
                    "one : workspace f32[2] at 64\n"
                    "two : workspace f32[2] at 68\n"
                    "three : workspace f32[2] at 4088\n"
                    "kernel a {\n"
                    "low : stack f32[2] at 0\n"
                    "high : stack f32[2] at 4\n"
                    "one[0] = 1\n"
                    "one[1] = 2\n"
                    "three[1] = 3\n"
                    "out[0] = two[0]\n"
                    "out[1] = two[1]\n"
                    "low[1] = 5\n"
                    "out[2] = high[0]\n"
                    "out[3] = low[0]\n"
                    "}\n"
                    "kernel b {\n"
                    "low : stack f32[2] at 0\n"
                    "out[4] = low[1]\n"
                    "out[5] = three[1]\n"
                    "}\n",
                    result));
    check_numbers(result, expected, 6, 0);
}

static void test_targets(void **state)
{
    (void)state;
    static const char *const target[] = {NULL, "x86-64-v3", "x86-64-v4"};
    for (int i = 0; i < 3; i++) {
        double result;
        assert_true(run(target[i], 1, "",
                        "x : input f32[3]\nout : output f32[1]\n"
                        "kernel a { out[0] = 0 }\n"
                        "kernel b target \"x86-64-v3\" { out[0] = out[0] + 1 }\n"
                        "kernel b target \"x86-64-v4\" { out[0] = out[0] + 2 }\n"
                        "kernel c { out[0] = out[0] + 4 }\n",
                        &result));
        assert_true(result == 4 + i);
    }
}

static void test_missing_parameter(void **state)
{
    (void)state;
    double result;
    assert_false(run(NULL, 1, "%0 = parameter { name = \"missing\", shape = [1] } : f32[1]\n",
                     "x : input f32[3]\nout : output f32[1]\nw : weights f32[1] = %0\n"
                     "kernel a { out[0] = w[0] }\n",
                     &result));
}

/* A table of parameters may hold anything; nothing is read or written beyond a buffer. */
static void test_bad_table(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int entry; /* -1: refused */
    } cases[] = {{"0", 0},    {"2", 2},     {"3", -1},   {"-1", -1},   {"1e+300", -1},
                 {"0.4", 0},  {"0.5", 0},   {"1.5", 2},  {"2.5", 2},   {"2.6", -1},
                 {"-0.5", 0}, {"-0.6", -1}, {"inf", -1}, {"1.9999", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char graph[128];
        double result = 0;
        snprintf(graph, sizeof graph, "%%0 = fill { value = %s, shape = [2] } : f32[2]\n",
                 cases[i].value);
        bool ok = run(NULL, 1, graph,
                      "x : input f32[3]\nout : output f32[1]\nrows : weights i32[2] = %0\n"
                      "kernel a { out[0] = sum i in 2 (x[rows{3}[i]]) }\n",
                      &result);
        assert_true(ok == (cases[i].entry >= 0));
        assert_true(!ok || result == 2 * (cases[i].entry + 1));
    }
}

/* More variables than fit a small table, and a nest deeper than lanes are. */
static void test_many_variables(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    char *kernels = arena_printf(arena, "x : input f32[3]\nout : output f32[1]\n"
                                        "kernel a {\nout[0] = 0\nfor a in 2");
    for (int i = 0; i < 11; i++)
        kernels = arena_printf(arena, "%s, a%d in 2", kernels, i);
    kernels = arena_printf(arena, "%s\nout[0] = out[0] + 1\n", kernels);
    for (int i = 0; i < 100; i++)
        kernels = arena_printf(arena, "%sfor b%d in 3\nout[0] = out[0] + x[b%d]\n", kernels, i, i);
    kernels = arena_printf(arena, "%s}\n", kernels);
    double result;
    assert_true(run(NULL, 1, "", kernels, &result));
    assert_true(result == 4096 + 600);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poison),    cmocka_unit_test(test_planned),
        cmocka_unit_test(test_targets),   cmocka_unit_test(test_missing_parameter),
        cmocka_unit_test(test_bad_table), cmocka_unit_test(test_many_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
