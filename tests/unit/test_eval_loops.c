/* The evaluator's loop form against the same loops in C. */
#include "eval_text.h"

static double image[MOST_NUMBERS], result[MOST_NUMBERS];

/* Runs kernels on an image of sample(i, 1) / 3. */
static void run(int64_t images, int64_t results, enum precision precision, const char *graph,
                const char *kernels)
{
    assert_true(images <= MOST_NUMBERS && results <= MOST_NUMBERS);
    for (int i = 0; i < MOST_NUMBERS; i++)
        image[i] = sample(i, 1) / 3;
    struct module *module = module_of(images, results, graph, kernels);
    struct tensors tensors = {0};
    struct parameters parameters = {tensor_find, &tensors, NULL};
    assert_true(module_eval_loops(module, &parameters, precision, "x86-64-v3", image, result));
    tensors_free(&tensors);
    module_free(module);
}

/* ---- matrix products ------------------------------------------------------------------------- */

static const char weights_graph[] =
    "%0 = parameter { name = \"s2\", shape = [20, 32] } : f32[20, 32]\n"
    "%1 = fill { value = 0.7, shape = [32] } : f32[32]\n"
    "%2 = mul %0, %1 : f32[20, 32]\n";

/* Image (m, 20) by the weights (20, 32), from the bias 0.7. */
static double product(int m, int n, enum precision precision, bool fused)
{
    double wide = 0.7;
    float narrow = 0.7f;
    for (int k = 0; k < 20; k++) {
        double x = image[m * 20 + k], w = sample(k * 32 + n, 2) * 0.7;
        float fx = (float)x, fw = (float)w, rounded = fx * fw;
        wide = fused ? fma(x, w, wide) : wide + x * w;
        narrow = fused ? fmaf(fx, fw, narrow) : narrow + rounded;
    }
    return precision == PRECISION_F32 ? (double)narrow : wide;
}

static void check_product(int rows, bool fused, const char *kernels)
{
    for (enum precision p = PRECISION_F64; p <= PRECISION_F32; p++) {
        run(rows * 20, rows * 32, p, weights_graph, kernels);
        for (int i = 0; i < rows * 32; i++)
            if (result[i] != product(i / 32, i % 32, p, fused))
                fail_msg("row %d, column %d: %.17g, must be %.17g", i / 32, i % 32, result[i],
                         product(i / 32, i % 32, p, fused));
    }
}

#define MATRICES(rows, columns)                                                                    \
    "x : input f32[" rows ", 20]\n"                                                                \
    "out : output f32[" rows ", " columns "]\n"                                                    \
    "w : weights f32[20, 32] = %2\n"                                                               \
    "bias : weights f32[32] = %1\n"

static void test_sum(void **state)
{
    (void)state;
    check_product(37, false,
                  MATRICES("37", "32") "kernel a {\n"
                                       "for m in 37, n in 32\n"
                                       "out[m, n] = sum k in 20 (x[m, k] * w[k, n]) from bias[n]\n"
                                       "}\n");
}

/* The lanes are columns of the result, the store is strided, the sum has two loops. */
static void test_sum_by_columns(void **state)
{
    (void)state;
    check_product(37, false,
                  MATRICES("37", "32") "kernel a {\n"
                                       "for n in 32, m in 37\n"
                                       "out[m, n] = sum j in 5, k in 4 "
                                       "(x[m, 4*j + k] * w[4*j + k, n]) from bias[n]\n"
                                       "}\n");
}

static void test_tile_in_registers(void **state)
{
    (void)state;
    check_product(36, true,
                  MATRICES("36", "32") "kernel a {\n"
                                       "acc : registers f32[6, 16]\n"
                                       "for t in 6 parallel, h in 2 {\n"
                                       "for i in 6 unroll, v in 16 vector\n"
                                       "acc[i, v] = bias[16*h + v]\n"
                                       "for k in 20, i1 in 6 unroll, v1 in 16 vector\n"
                                       "acc[i1, v1] = fma(x[6*t + i1, k], w[k, 16*h + v1], "
                                       "acc[i1, v1])\n"
                                       "for i2 in 6 unroll, v2 in 16 vector\n"
                                       "out[6*t + i2, 16*h + v2] = acc[i2, v2]\n"
                                       "}\n}\n");
}

/* The same with the reduction's loop inside: one lane at a time. */
static void test_reduction_innermost(void **state)
{
    (void)state;
    check_product(4, true,
                  MATRICES("4", "32") "kernel a {\n"
                                      "acc : stack f32[32]\n"
                                      "for m in 4 {\n"
                                      "for n in 32\n"
                                      "acc[n] = bias[n]\n"
                                      "for n1 in 32, k in 20\n"
                                      "acc[n1] = fma(x[m, k], w[k, n1], acc[n1])\n"
                                      "for n2 in 32\n"
                                      "out[m, n2] = acc[n2]\n"
                                      "}\n}\n");
}

/* Two stores in the innermost loop; the second reads what the first has written. */
static void test_two_stores(void **state)
{
    (void)state;
    check_product(3, true,
                  MATRICES("3", "32") "kernel a {\n"
                                      "even : stack f32[3, 32]\n"
                                      "for m in 3, n in 32 {\n"
                                      "even[m, n] = bias[n]\n"
                                      "out[m, n] = even[m, n]\n"
                                      "}\n"
                                      "for m1 in 3, k in 10, n1 in 32 vector {\n"
                                      "even[m1, n1] = fma(x[m1, 2*k], w[2*k, n1], out[m1, n1])\n"
                                      "out[m1, n1] = fma(x[m1, 2*k + 1], w[2*k + 1, n1], "
                                      "even[m1, n1])\n"
                                      "}\n}\n");
}

/* ---- dependences between iterations ---------------------------------------------------------- */

/* Each iteration reads what the one before has written: not to be done together. */
static void test_recurrence(void **state)
{
    (void)state;
    run(40, 40, PRECISION_F64, "",
        "x : input f32[40]\nout : output f32[40]\n"
        "kernel a {\n"
        "out[0] = x[0]\n"
        "for i in 39\n"
        "out[i + 1] = out[i] * 0.5 + x[i + 1]\n"
        "}\n");
    double last = image[0];
    for (int i = 1; i < 40; i++) {
        last = last * 0.5 + image[i];
        assert_true(result[i] == last);
    }
}

/* As above, but through another buffer in the same loop. */
static void test_recurrence_over_two_buffers(void **state)
{
    (void)state;
    run(40, 40, PRECISION_F64, "",
        "x : input f32[40]\nout : output f32[40]\nlast : workspace f32[41]\n"
        "kernel a {\n"
        "last[0] = 1\n"
        "for i in 40 {\n"
        "out[i] = last[i] * 0.5 + x[i]\n"
        "last[i + 1] = out[i]\n"
        "}\n"
        "}\n");
    double last = 1;
    for (int i = 0; i < 40; i++) {
        last = last * 0.5 + image[i];
        assert_true(result[i] == last);
    }
}

/* A sum over the rows that its own stores change while it runs. */
static void test_sum_reads_its_stores(void **state)
{
    (void)state;
    run(12, 12, PRECISION_F64, "",
        "x : input f32[12]\nout : output f32[12]\n"
        "kernel a {\n"
        "for i in 12\n"
        "out[i] = x[i]\n"
        "for j in 12\n"
        "out[j] = sum k in 12 (out[k]) * 0.25\n"
        "}\n");
    double expected[12];
    memcpy(expected, image, sizeof expected);
    for (int j = 0; j < 12; j++) {
        double sum = 0;
        for (int k = 0; k < 12; k++)
            sum += expected[k];
        expected[j] = sum * 0.25;
    }
    check_numbers(result, expected, 12, 0);
}

/* Tiles that overlap store some elements twice; the last store stays. */
static void test_overlapping_stores(void **state)
{
    (void)state;
    run(64, 22, PRECISION_F64, "",
        "x : input f32[64]\nout : output f32[22]\n"
        "kernel a {\n"
        "for t in 4, i in 10\n"
        "out[4*t + i] = x[16*t + i]\n"
        "}\n");
    double expected[22];
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < 10; i++)
            expected[4 * t + i] = image[16 * t + i];
    check_numbers(result, expected, 22, 0);
}

/* In place, with a stride that comes back to the same element: 2i + j meets itself. */
static void test_in_place_that_meets(void **state)
{
    (void)state;
    run(10, 10, PRECISION_F64, "",
        "x : input f32[10]\nout : output f32[10]\n"
        "kernel a {\n"
        "for i in 10\n"
        "out[i] = x[i]\n"
        "for j in 4, k in 4\n"
        "out[2*j + k] = out[2*j + k] * 3 + 1\n"
        "}\n");
    double expected[10];
    memcpy(expected, image, sizeof expected);
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < 4; k++)
            expected[2 * j + k] = expected[2 * j + k] * 3 + 1;
    check_numbers(result, expected, 10, 0);
}

static void test_in_place_transposed(void **state)
{
    (void)state;
    run(35, 35, PRECISION_F32, "",
        "x : input f32[5, 7]\nout : output f32[7, 5]\n"
        "kernel a {\n"
        "for i in 5, j in 7 {\n"
        "out[j, i] = x[i, j]\n"
        "out[j, i] = out[j, i] * out[j, i]\n"
        "}\n"
        "}\n");
    for (int i = 0; i < 35; i++) {
        float x = (float)image[i % 5 * 7 + i / 5];
        assert_true(result[i] == (double)(x * x));
    }
}

/* ---- ops of a network ------------------------------------------------------------------------ */

static void test_max_pool(void **state)
{
    (void)state;
    run(7 * 9 * 3, 3 * 4 * 3, PRECISION_F64, "",
        "x : input f32[7, 9, 3]\nout : output f32[3, 4, 3]\n"
        "kernel a {\n"
        "for p in 12, c in 3\n"
        "out[p div 4, p mod 4, c] = maximum i in 2, j in 2 "
        "(x[2*(p div 4) + i, 2*(p mod 4) + j, c])\n"
        "}\n");
    for (int i = 0; i < 36; i++) {
        double most = -HUGE_VAL;
        for (int j = 0; j < 4; j++)
            most =
                fmax(most, image[((i / 12 * 2 + j / 2) * 9 + i / 3 % 4 * 2 + j % 2) * 3 + i % 3]);
        assert_true(result[i] == most);
    }
}

static void test_softmax(void **state)
{
    (void)state;
    run(5 * 9 * 4, 5 * 9 * 4, PRECISION_F32, "",
        "x : input f32[5, 9, 4]\nout : output f32[5, 9, 4]\n"
        "kernel a {\n"
        "top : stack f32[4]\ntotal : stack f32[4]\nraised : stack f32[9, 4]\n"
        "for y in 5 {\n"
        "for m in 4\n"
        "top[m] = maximum j in 9 (x[y, j, m]) from -0.25\n"
        "for j1 in 9, m1 in 4\n"
        "raised[j1, m1] = exp(x[y, j1, m1] - top[m1])\n"
        "for m2 in 4\n"
        "total[m2] = sum j2 in 9 (raised[j2, m2])\n"
        "for j3 in 9, m3 in 4\n"
        "out[y, j3, m3] = raised[j3, m3] / total[m3]\n"
        "}\n}\n");
    for (int y = 0; y < 5; y++)
        for (int m = 0; m < 4; m++) {
            float top = -0.25f, total = 0, raised[9];
            for (int j = 0; j < 9; j++)
                top = fmaxf(top, (float)image[(y * 9 + j) * 4 + m]);
            for (int j = 0; j < 9; j++) {
                float x = (float)image[(y * 9 + j) * 4 + m] - top;
                raised[j] = (float)exp((double)x);
                total += raised[j];
            }
            for (int j = 0; j < 9; j++)
                assert_true(result[(y * 9 + j) * 4 + m] == (double)(raised[j] / total));
        }
}

/* sample(i, 2) * 8 + 9: i32 numbers from 0 to 18. */
static const char table_graph[] = "%0 = parameter { name = \"s2\", shape = [64] } : f32[64]\n"
                                  "%1 = fill { value = 8, shape = [1] } : f32[1]\n"
                                  "%2 = fill { value = 9, shape = [1] } : f32[1]\n"
                                  "%3 = mul %0, %1 : f32[64]\n"
                                  "%4 = add %3, %2 : f32[64]\n";

static int table(int i)
{
    return (int)(sample(i, 2) * 8 + 9);
}

/* Lookups by an outer loop, by the innermost one, and in a store. */
static void test_lookup(void **state)
{
    (void)state;
    run(64 * 19, 64 * 19, PRECISION_F32, table_graph,
        "x : input f32[19, 64]\nout : output f32[64, 19]\n"
        "rows : weights i32[64] = %4\n"
        "middle : workspace f32[64, 19]\n"
        "kernel a {\n"
        "for p in 64, q in 19\n"
        "middle[p, q] = x[rows{19}[p], 3*q + 2]\n"
        "for r in 45, s in 19\n"
        "out[r, s] = middle[r, rows{19}[s + r]] + middle[r, s]\n"
        "for t1 in 19, u1 in 19\n"
        "out[t1 + 45, u1] = 0\n"
        "for t in 19, u in 19\n"
        "out[t + 45, rows{19}[u]] = x[t, u]\n"
        "}\n");
    static double middle[64][19], expected[64][19];
    for (int i = 0; i < 64 * 19; i++)
        middle[i / 19][i % 19] = (float)image[table(i / 19) * 64 + 3 * (i % 19) + 2];
    for (int r = 0; r < 45; r++)
        for (int s = 0; s < 19; s++)
            expected[r][s] = (float)(middle[r][table(s + r)] + middle[r][s]);
    for (int t = 0; t < 19; t++)
        for (int u = 0; u < 19; u++)
            expected[t + 45][table(u)] = (float)image[t * 64 + u];
    check_numbers(result, &expected[0][0], 64 * 19, 0);
}

static void test_div_mod_lanes(void **state)
{
    (void)state;
    run(600, 600, PRECISION_F64, "",
        "x : input f32[30, 20]\nout : output f32[600]\n"
        "kernel a {\n"
        "for t in 3, i in 200 vector\n"
        "out[200*t + i] = x[(200*t + i) mod 30, (200*t + i) div 30]\n"
        "}\n");
    for (int i = 0; i < 600; i++)
        assert_true(result[i] == image[i % 30 * 20 + i / 30]);
}

/* Channels weighted by c mod 3, more lanes than one chunk. */
static void test_mod_inside_of_sum(void **state)
{
    (void)state;
    run(5 * 3 + 5 * 600, 600, PRECISION_F64, "",
        "x : input f32[3015]\nout : output f32[600]\n"
        "kernel a {\n"
        "for c in 600\n"
        "out[c] = sum j in 5 (x[3*j + c mod 3] * x[600*j + c + 15])\n"
        "}\n");
    for (int c = 0; c < 600; c++) {
        double sum = 0;
        for (int j = 0; j < 5; j++)
            sum += image[3 * j + c % 3] * image[600 * j + c + 15];
        assert_true(result[c] == sum);
    }
}

/* A loop of more iterations than lanes, backwards, and another around it. */
static void test_chunks(void **state)
{
    (void)state;
    run(2 * 1201, 2 * 1201, PRECISION_F64, "",
        "x : input f32[2, 1201]\nout : output f32[1201, 2]\n"
        "kernel a {\n"
        "for i in 2, j in 1201\n"
        "out[1200 - j, i] = x[i, j]\n"
        "}\n");
    for (int i = 0; i < 2402; i++)
        assert_true(result[i] == image[i % 2 * 1201 + 1200 - i / 2]);
}

static void test_scalars(void **state)
{
    (void)state;
    for (enum precision p = PRECISION_F64; p <= PRECISION_F32; p++) {
        run(3, 6, p, "",
            "x : input f32[3]\nout : output f32[6]\n"
            "kernel a {\n"
            "out[0] = x[0] + 0.1\n"
            "out[1] = x[1] - x[2] / 3\n"
            "out[2] = max(x[0], x[1])\n"
            "out[3] = sqrt(x[1] * x[1] + 2)\n"
            "out[4] = fma(x[0], x[1], 0.1)\n"
            "out[5] = exp(sum i in 3 (x[i]) from 1)\n"
            "}\n");
        double *x = image;
        float a = (float)x[0], b = (float)x[1], c = (float)x[2];
        float third = c / 3, square = b * b, two = square + 2, total = 1 + a;
        total += b;
        total += c;
        double wide[] = {x[0] + 0.1,           x[1] - x[2] / 3,
                         fmax(x[0], x[1]),     sqrt(x[1] * x[1] + 2),
                         fma(x[0], x[1], 0.1), exp(1 + x[0] + x[1] + x[2])};
        float narrow[] = {a + 0.1f,   b - third,        fmaxf(a, b),
                          sqrtf(two), fmaf(a, b, 0.1f), (float)exp((double)total)};
        for (int i = 0; i < 6; i++)
            assert_true(result[i] == (p == PRECISION_F32 ? (double)narrow[i] : wide[i]));
    }
}

/* The rows of a matrix, a slab of columns in shared memory at a time; each thread keeps its sum.
 * The second tile lies over the first, so that a wrong place gives NaN or wrong numbers. */
static void test_blocks_and_threads(void **state)
{
    (void)state;
    run(6 * 8, 6, PRECISION_F64, "",
        "x : input f32[6, 8]\nout : output f32[6]\n"
        "kernel a {\n"
        "tile : shared f32[3, 4] at 0\ntwice : shared f32[3] at 32\ntotal : registers f32[3, 1]\n"
        "for b in 2 block {\n"
        "for t in 3 thread\ntotal[t, 0] = 0.5\n"
        "for k in 2 {\n"
        "for t1 in 12 thread\ntile[t1 div 4, t1 mod 4] = x[3*b + t1 div 4, 4*k + t1 mod 4]\n"
        "barrier\n"
        "for t2 in 3 thread, c in 4\ntotal[t2, 0] = total[t2, 0] + tile[t2, c]\n"
        "barrier\n"
        "}\n"
        "for t3 in 3 thread\ntwice[t3] = 2 * total[t3, 0]\n"
        "barrier\n"
        "for t4 in 3 thread\nout[3*b + t4] = twice[2 - t4]\n"
        "}\n}\n");
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < 3; i++) {
            double total = 0.5;
            for (int c = 0; c < 8; c++)
                total += image[(3 * b + 2 - i) * 8 + c];
            assert_true(result[3 * b + i] == 2 * total);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_sum_by_columns),
        cmocka_unit_test(test_tile_in_registers),
        cmocka_unit_test(test_reduction_innermost),
        cmocka_unit_test(test_two_stores),
        cmocka_unit_test(test_recurrence),
        cmocka_unit_test(test_recurrence_over_two_buffers),
        cmocka_unit_test(test_sum_reads_its_stores),
        cmocka_unit_test(test_overlapping_stores),
        cmocka_unit_test(test_in_place_that_meets),
        cmocka_unit_test(test_in_place_transposed),
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_div_mod_lanes),
        cmocka_unit_test(test_mod_inside_of_sum),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_blocks_and_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
