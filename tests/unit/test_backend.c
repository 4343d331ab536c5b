/* Machine code against the evaluator, and what the assembly looks like. */
#include "loaded.h"
#include "rounding.h"
#include <math.h>
#include <stdio.h>

/* The last chunk first, on one thread. */
static void backwards(void *context, uint32_t count, void (*task)(void *, uint32_t), void *argument)
{
    *(uint32_t *)context = count > *(uint32_t *)context ? count : *(uint32_t *)context;
    while (count--)
        task(argument, count);
}

/* Serial, and in as many chunks as the module allows: the same bits as the evaluator. */
static void check_against_evaluator(const char *text, const char *target)
{
    struct module *module = parse_for(text, target);
    if (!module)
        return;
    struct loaded l = load(module);
    double *input = calloc(l.inputs, sizeof *input), *output = calloc(l.outputs, sizeof *output);
    for (size_t i = 0; i < l.inputs; i++)
        input[i] = l.input[i];
    assert_true(
        module_eval_loops(module, &parameters, PRECISION_F32, module->target[0], input, output));
    for (uint32_t threads = 1; threads <= 9; threads += 4) {
        uint32_t most = 0;
        struct san_exec exec = {.abi_version = SAN_ABI_VERSION,
                                .threads = threads,
                                .parallel = backwards,
                                .context = &most};
        assert_int_equal(run(&l, threads == 1 ? NULL : &exec), SAN_OK);
        for (size_t i = 0; i < l.outputs; i++)
            if (l.output[i] != (float)output[i])
                fail_msg("%s: output %zu is %g, should be %g", module->target[0], i,
                         (double)l.output[i], output[i]);
        assert_true(most <= (uint32_t)module->threads);
    }
    free(input);
    free(output);
    unload(&l);
}

static void check_everywhere(const char *text)
{
    check_against_evaluator(text, "x86-64-v3");
    check_against_evaluator(text, "x86-64-v4");
    check_against_evaluator(text, NULL);
}

/* ---- code ------------------------------------------------------------------------------------ */

static void product_of_matrices(void **state)
{
    (void)state;
    check_everywhere(HEAD(
        "1792",
        "1792") "workspace 7168 scratch 100\n"
                "graph {\n  %1 = parameter { name = \"w\", shape = [32, 32] } : f32[32, 32]\n}\n"
                "image : input f32[56, 32]\nw : weights f32[32, 32] = %1\n"
                "mid : workspace f32[56, 32] at 0\nout : output f32[56, 32]\n"
                "kernel copy {\n"
                "  for i in 112, v in 16 vector\n    mid[i div 2, 16*(i mod 2) + v] = image[i div "
                "2, 16*(i mod 2) + v]\n}\n"
                "kernel gemm {\n  acc : registers f32[14, 32]\n"
                "  for m in 4 parallel {\n"
                "    for a in 14 unroll, b in 2 unroll, c in 16 vector\n      acc[a, 16*b + c] = "
                "0\n"
                "    for k in 32, i in 14 unroll, j in 2 unroll, v in 16 vector\n"
                "      acc[i, 16*j + v] = fma(mid[14*m + i, k], w[k, 16*j + v], acc[i, 16*j + v])\n"
                "    for d in 14 unroll, e in 2 unroll, f in 16 vector\n"
                "      out[14*m + d, 16*e + f] = max(acc[d, 16*e + f], 0)\n  }\n}\n");
}

/* Every way that lanes can lie in memory, for loads and for stores. */
static void lanes_in_memory(void **state)
{
    (void)state;
    check_everywhere(HEAD(
        "256",
        "1024") "workspace 1024 scratch 256\n"
                "graph {\n  %1 = parameter { name = \"table\", shape = [64] } : f32[64]\n}\n"
                "image : input f32[256]\ntable : weights i32[64] = %1\nout : output f32[4, 16, "
                "16]\n"
                "kernel patterns {\n  tile : stack f32[64] at 0\n  for g in 16 parallel {\n"
                "    for a in 16 vector\n      out[0, g, a] = image[16*g + a] + image[g] + image[a "
                "mod 4]\n"
                "    for b in 16 vector\n      out[1, g, 15 - b] = image[2*b + g] * image[b div 4 "
                "+ 8*g]\n"
                "    for c in 16 vector\n      tile[c] = image[(c + g) mod 49 + table{8}[g + c]]\n"
                "    for d in 16 vector\n      out[2, g, (d + 4*g) mod 16] = tile[d] - "
                "image[16*table{8}[g] + d]\n"
                "    for e in 4 unroll, f in 4\n      out[3, g, 4*e + f] = image[(3*e + g) mod 5 + "
                "table{8}[4*e + f + g]]\n"
                "  }\n}\n");
}

/* Lanes from two vectors side by side, from one alone, and from two with another between them. */
static void lanes_in_registers(void **state)
{
    (void)state;
    check_everywhere(
        HEAD("48", "56") "graph {\n}\nimage : input f32[48]\nout : output f32[56]\n"
                         "kernel halves {\n  acc : registers f32[3, 16]\n"
                         "  for i in 3 unroll, v in 16 vector\n"
                         "    acc[i, v] = image[16*i + v]\n"
                         "  for a in 16 vector\n    out[a] = acc[a div 8, 2*(a mod 8)] - "
                         "acc[1 + a div 8, 15 - a]\n"
                         "  for b in 8 vector\n    out[16 + b] = acc[2, 2*b + 1] - "
                         "acc[2, 2*b]\n"
                         "  for c in 16 vector\n    out[24 + c] = acc[2*(c div 8), c]\n"
                         "  for d in 2 unroll, e in 8 vector\n"
                         "    out[40 + 8*d + e] = acc[d + e div 4, 5 + e]\n}\n");
}

static void loops_without_vectors(void **state)
{
    (void)state;
    check_everywhere(
        HEAD("64", "64") "graph {\n}\nimage : input f32[64]\nout : output f32[64]\n"
                         "kernel plain {\n  best : registers f32[1]\n  for p in 64 parallel {\n"
                         "    best[0] = image[p]\n"
                         "    for q in 64\n      best[0] = max(best[0], image[q] - image[p])\n"
                         "    out[p] = (best[0] + sqrt(16)) / 4\n  }\n}\n");
}

static void vectors_of_any_extent(void **state)
{
    (void)state;
    check_everywhere(HEAD("63", "63") "graph {\n}\nimage : input f32[63]\nout : output f32[63]\n"
                                      "kernel odd {\n  for i in 9, v in 7 vector\n    out[7*i + v] "
                                      "= image[62 - 7*i - v] * image[v]\n}\n");
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void assert_same(float found, double expected)
{
    if (isnan(expected) ? !isnan(found) : (double)found != expected)
        fail_msg("%g, must be %g", (double)found, expected);
}

static const char maxima[] =
    HEAD("32", "72") "graph {\n}\nimage : input f32[32]\nout : output f32[72]\n"
                     "kernel wide {\n"
                     "  for v in 16 vector\n    out[v] = max(image[v], image[v + 16])\n"
                     "  for w in 16 vector\n    out[w + 16] = max(image[w], 0)\n}\n"
                     "kernel narrow {\n"
                     "  for i in 16\n    out[i + 32] = max(image[i], image[i + 16])\n"
                     "  for j in 16\n    out[j + 48] = max(0, image[j])\n}\n"
                     "kernel reduced {\n  most : registers f32[8]\n"
                     "  for v in 8 vector\n    most[v] = -inf\n"
                     "  for k in 4, v2 in 8 vector\n"
                     "    most[v2] = max(most[v2], image[8*k + v2])\n"
                     "  for v3 in 8 vector\n    out[v3 + 64] = most[v3]\n}\n";

static void check_maxima(const char *target)
{
    struct module *module = parse_for(maxima, target);
    if (!module)
        return;
    struct loaded l = load(module);
    for (int i = 0; i < 32; i++)
        l.input[i] = i % 4 == 1 && i < 8 ? NAN : i % 4 == 2 && i >= 24 ? NAN : (float)(i - 8);
    assert_int_equal(run(&l, NULL), SAN_OK);
    for (int i = 0; i < 16; i++)
        for (int half = 0; half < 2; half++) {
            float a = l.input[i], b = l.input[i + 16];
            assert_same(l.output[i + 32 * half], scalar_max(a, b));
            assert_same(l.output[i + 16 + 32 * half], scalar_max(a, 0));
        }
    for (int i = 0; i < 8; i++)
        assert_same(l.output[64 + i], i % 4 == 1 || i % 4 == 2 ? NAN : l.input[24 + i]);
    unload(&l);
}

/* NaN of either operand stays, in vectors, in scalars, with constants and in a maximum of
 * registers. */
static void maximum_keeps_nan(void **state)
{
    (void)state;
    check_maxima("x86-64-v3");
    check_maxima("x86-64-v4");
}

static const char roundings[] =
    HEAD("1024", "4096") "graph {\n}\nimage : input f32[1024]\nout : output f32[4, 1024]\n"
                         "kernel wide {\n  for i in 64, v in 16 vector {\n"
                         "    out[0, 16*i + v] = tf32(image[16*i + v])\n"
                         "    out[1, 16*i + v] = bf16(image[16*i + v])\n  }\n}\n"
                         "kernel narrow {\n  for j in 1024 {\n    out[2, j] = tf32(image[j])\n"
                         "    out[3, j] = bf16(image[j])\n  }\n}\n";

static void check_roundings(const char *target)
{
    struct module *module = parse_for(roundings, target);
    if (!module)
        return;
    struct loaded l = load(module);
    const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 3.4e38f, -3.4e38f, 1e-42f};
    for (int i = 0; i < 1024; i++)
        l.input[i] =
            ldexpf((float)(0x1000000 + 0x200 * i + i % 3 - 1), i % 40 - 60) * (i % 2 ? 1 : -1);
    memcpy(l.input, special, sizeof special);
    assert_int_equal(run(&l, NULL), SAN_OK);
    for (int i = 0; i < 4096; i++) {
        int precision = i / 1024 % 2 ? precision_kind_bf16 : precision_kind_tf32;
        float wanted = (float)round_to(precision, (double)l.input[i % 1024]);
        if (isnan(wanted))
            assert_true(isnan(l.output[i]));
        else
            assert_int_equal(bits_of(l.output[i]), bits_of(wanted));
    }
    unload(&l);
}

/* In vectors and in scalars: numbers next to ties, tiny ones, what overflows. */
static void rounds_as_the_evaluator(void **state)
{
    (void)state;
    check_roundings("x86-64-v3");
    check_roundings("x86-64-v4");
}

/* ---- assembly -------------------------------------------------------------------------------- */

/* A tile of rows by 2 vectors with a reduction of 256, written as text. */
static char *gemm_text(int rows, int lanes)
{
    char *text = malloc(4096);
    snprintf(
        text, 4096,
        "sanir 1\nmodel \"g\"\ninput f32[1, 1, %d, 256]\nclasses %d\n"
        "targets \"x86-64-v3\" \"x86-64-v4\"\nthreads 1\n"
        "graph {\n  %%1 = parameter { name = \"w\", shape = [256, %d] } : f32[256, %d]\n}\n"
        "image : input f32[%d, 256]\nw : weights f32[256, %d] = %%1\nout : output f32[%d, %d]\n"
        "kernel gemm {\n  acc : registers f32[%d, %d]\n  for m in 8 parallel {\n"
        "    for a in %d unroll, b in 2 unroll, c in %d vector\n      acc[a, %d*b + c] = 0\n"
        "    for k in 256, i in %d unroll, j in 2 unroll, v in %d vector\n"
        "      acc[i, %d*j + v] = fma(image[%d*m + i, k], w[k, %d*j + v], acc[i, %d*j + v])\n"
        "    for d in %d unroll, e in 2 unroll, f in %d vector\n"
        "      out[%d*m + d, %d*e + f] = acc[d, %d*e + f]\n  }\n}\n",
        8 * rows, 8 * rows * 2 * lanes, 2 * lanes, 2 * lanes, 8 * rows, 2 * lanes, 8 * rows,
        2 * lanes, rows, 2 * lanes, rows, lanes, lanes, rows, lanes, lanes, rows, lanes, lanes,
        rows, lanes, rows, lanes, lanes);
    return text;
}

static int count(const char *text, const char *word)
{
    int found = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        found++;
    return found;
}

static void check_micro_kernel(int rows, int lanes, const char *target, const char *reg)
{
    char *text = gemm_text(rows, lanes);
    struct module *module = parse(text);
    struct backend_file file = emit(module, BACKEND_ASSEMBLY, target);
    assert_int_equal(count(file.data, "(%rsp)"), 0);
    assert_int_equal(count(file.data, "(%rbp)"), 0);
    assert_true(count(file.data, "vfmadd") >= 2 * rows);
    assert_true(count(file.data, reg) >= 4 * rows);
    assert_int_equal(count(file.data, "vmulps") + count(file.data, "call"), 0);
    assert_non_null(strstr(file.data, "g_gemm__avx"));
    free(file.data);
    free(text);
    module_free(module);
}

static void micro_kernels_do_not_spill(void **state)
{
    (void)state;
    check_micro_kernel(14, 16, "x86-64-v4", "%zmm");
    check_micro_kernel(6, 8, "x86-64-v3", "%ymm");
}

static void broadcasts_fold(void **state)
{
    (void)state;
    char *text = gemm_text(28, 8);
    struct module *module = parse(text);
    struct backend_file file = emit(module, BACKEND_ASSEMBLY, "x86-64-v4");
    assert_true(count(file.data, "{1to8}") + count(file.data, "vbroadcastss") >= 28);
    free(file.data);
    free(text);
    module_free(module);
}

static void text_of_llvm_is_one_target(void **state)
{
    (void)state;
    struct module *module =
        parse(HEAD("16", "16") "graph {\n}\nimage : input f32[16]\nout : output f32[16]\n"
                               "kernel wide {\n  for v in 16 vector\n"
                               "    out[v] = exp(image[v])\n}\n");
    struct backend_file file = emit(module, BACKEND_LLVM, "x86-64-v3");
    assert_non_null(strstr(file.data, "define void @t_wide__avx2("));
    assert_null(strstr(file.data, "avx512"));
    assert_null(strstr(file.data, "t_run"));
    free(file.data);
    module_free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(product_of_matrices),     cmocka_unit_test(lanes_in_memory),
        cmocka_unit_test(lanes_in_registers),      cmocka_unit_test(loops_without_vectors),
        cmocka_unit_test(vectors_of_any_extent),   cmocka_unit_test(maximum_keeps_nan),
        cmocka_unit_test(rounds_as_the_evaluator), cmocka_unit_test(micro_kernels_do_not_spill),
        cmocka_unit_test(broadcasts_fold),         cmocka_unit_test(text_of_llvm_is_one_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
