/* The evaluator's graph form: every op against a computation of its own. */
#include "eval_text.h"
#include "rounding.h"

static void test_elementwise(void **state)
{
    (void)state;
    static const char *const op[] = {"add", "sub", "mul", "div"};
    for (int k = 0; k < 4; k++)
        for (int single = 0; single < 2; single++) {
            char graph[600];
            snprintf(graph, sizeof graph,
                     "%%1 = reshape %%0 { shape = [2, 1, 3] } : f32[2, 1, 3]\n"
                     "%%2 = parameter { name = \"third\", shape = [4, 1] } : f32[4, 1]\n"
                     "%%3 = %s %%1, %%2 : f32[2, 4, 3]\n"
                     "%%4 = reshape %%3 { shape = [1, 24] } : f32[1, 24]\n"
                     "%%5 = output %%4 : f32[1, 24]\n",
                     op[k]);
            const double *found = graph_run(6, 24, single ? PRECISION_F32 : PRECISION_F64, graph);
            double expected[24];
            for (int i = 0; i < 24; i++) {
                double a = sample(i / 12 * 3 + i % 3, 1), b = 1.0 / 3;
                float fa = (float)a, fb = (float)b;
                double wide[] = {a + b, a - b, a * b, a / b};
                float narrow[] = {fa + fb, fa - fb, fa * fb, fa / fb};
                expected[i] = single ? (double)narrow[k] : wide[k];
            }
            check_numbers(found, expected, 24, 0);
        }
}

static void test_relu_sqrt(void **state)
{
    (void)state;
    const double *found = graph_run(19, 19, PRECISION_F32,
                                    "%1 = relu %0 : f32[1, 1, 1, 19]\n"
                                    "%2 = sqrt %1 : f32[1, 1, 1, 19]\n"
                                    "%3 = reshape %2 { shape = [1, 19] } : f32[1, 19]\n"
                                    "%4 = output %3 : f32[1, 19]\n");
    for (int i = 0; i < 19; i++)
        assert_true(found[i] == (double)sqrtf(fmaxf((float)sample(i, 1), 0)));
}

/* To float first, whatever evaluates; ties of tf32 go away from zero, those of bf16 to even. */
static void test_round(void **state)
{
    (void)state;
    static const double ties[][3] = {
        {1 + 0x1p-11, 1 + 0x1p-10, 1},
        {-1 - 0x1p-11, -1 - 0x1p-10, -1},
        {1 + 0x1p-11 - 0x1p-23, 1, 1},
        {1 + 0x1p-11 - 0x1p-40, 1 + 0x1p-10, 1},
        {1 + 0x1p-8, 1 + 0x1p-8, 1},
        {1 + 3 * 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-6},
        {0x1.fffffep127, HUGE_VAL, HUGE_VAL},
        {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL},
        {-0.0, -0.0, -0.0},
    };
    for (size_t i = 0; i < sizeof ties / sizeof *ties; i++) {
        assert_true(round_to(precision_kind_f32, ties[i][0]) == (double)(float)ties[i][0]);
        assert_true(round_to(precision_kind_tf32, ties[i][0]) == ties[i][1]);
        assert_true(round_to(precision_kind_bf16, ties[i][0]) == ties[i][2]);
    }
    assert_true(isnan(round_to(precision_kind_tf32, NAN)) &&
                isnan(round_to(precision_kind_bf16, -NAN)));
    for (int single = 0; single < 2; single++) {
        const double *found = graph_run(19, 38, single ? PRECISION_F32 : PRECISION_F64,
                                        "%1 = reshape %0 { shape = [1, 19] } : f32[1, 19]\n"
                                        "%2 = fill { value = 1.003, shape = [19] } : f32[19]\n"
                                        "%3 = mul %1, %2 : f32[1, 19]\n"
                                        "%4 = round %3 { precision = tf32 } : f32[1, 19]\n"
                                        "%5 = round %3 { precision = bf16 } : f32[1, 19]\n"
                                        "%6 = concat %4, %5 { axis = 1 } : f32[1, 38]\n"
                                        "%7 = output %6 : f32[1, 38]\n");
        for (int i = 0; i < 38; i++) {
            double x =
                single ? (double)((float)sample(i % 19, 1) * 1.003f) : sample(i % 19, 1) * 1.003;
            assert_true(found[i] ==
                        round_to(i < 19 ? precision_kind_tf32 : precision_kind_bf16, x));
        }
    }
}

static void test_linear(void **state)
{
    (void)state;
    for (int single = 0; single < 2; single++) {
        const double *found =
            graph_run(30, 42, single ? PRECISION_F32 : PRECISION_F64,
                      "%1 = reshape %0 { shape = [2, 3, 5] } : f32[2, 3, 5]\n"
                      "%2 = parameter { name = \"s2\", shape = [5, 7] } : f32[5, 7]\n"
                      "%3 = parameter { name = \"third\", shape = [5, 7] } : f32[5, 7]\n"
                      "%4 = mul %2, %3 : f32[5, 7]\n"
                      "%5 = parameter { name = \"s3\", shape = [3, 1] } : f32[3, 1]\n"
                      "%6 = linear %1, %4, %5 : f32[2, 3, 7]\n"
                      "%7 = reshape %6 { shape = [1, 42] } : f32[1, 42]\n"
                      "%8 = output %7 : f32[1, 42]\n");
        for (int row = 0; row < 6; row++)
            for (int n = 0; n < 7; n++) {
                double wide = 0, bias = sample(row % 3, 3);
                float narrow = 0;
                for (int k = 0; k < 5; k++) {
                    double x = sample(row * 5 + k, 1), w = sample(k * 7 + n, 2) * (1.0 / 3);
                    float product = (float)x * (float)w; /* constants are rounded once */
                    wide += x * w;
                    narrow += product;
                }
                narrow += (float)bias;
                assert_true(found[row * 7 + n] == (single ? (double)narrow : wide + bias));
            }
    }
}

/* Numbers of torch.nn.functional.batch_norm. */
static void test_batch_norm(void **state)
{
    (void)state;
    static const double torch[] = {0.599110427922373,   0.29765357977367923, -0.04056309056266816,
                                   -0.4356495653371999, 0.7995552139611865,  0.5863267898868396};
    static const char graph[] =
        "%1 = reshape %0 { shape = [1, 4, 5, 4] } : f32[1, 4, 5, 4]\n"
        "%2 = parameter { name = \"s2\", shape = [4] } : f32[4]\n"
        "%3 = parameter { name = \"s3\", shape = [4] } : f32[4]\n"
        "%4 = parameter { name = \"s4\", shape = [4] } : f32[4]\n"
        "%5 = parameter { name = \"s5\", shape = [4] } : f32[4]\n"
        "%6 = mul %3, %3 : f32[4]\n"
        "%7 = sqrt %6 : f32[4]\n"
        "%8 = fill { value = 0.25, shape = [1] } : f32[1]\n"
        "%9 = add %7, %8 : f32[4]\n"
        "%10 = batch_norm %1, %4, %5, %2, %9 { eps = 1e-05 } : f32[1, 4, 5, 4]\n"
        "%11 = reshape %10 { shape = [1, 80] } : f32[1, 80]\n"
        "%12 = output %11 : f32[1, 80]\n";
    check_numbers(graph_run(80, 80, PRECISION_F64, graph), torch, 6, 1e-15);
    check_numbers(graph_run(80, 80, PRECISION_F32, graph), torch, 6, 1e-6);
}

static void test_max_pool(void **state)
{
    (void)state;
    const double *found = graph_run(140, 16, PRECISION_F64,
                                    "%1 = reshape %0 { shape = [2, 7, 5, 2] } : f32[2, 7, 5, 2]\n"
                                    "%2 = max_pool %1 { size = 3, stride = 3 } : f32[2, 2, 1, 2]\n"
                                    "%3 = concat %2, %2 { axis = 2 } : f32[2, 2, 2, 2]\n"
                                    "%4 = reshape %3 { shape = [1, 16] } : f32[1, 16]\n"
                                    "%5 = output %4 : f32[1, 16]\n");
    for (int i = 0; i < 16; i++) {
        int n = i / 8, row = i / 4 % 2, c = i % 2;
        double most = -100;
        for (int y = 3 * row; y < 3 * row + 3; y++)
            for (int x = 0; x < 3; x++)
                most = fmax(most, sample(((n * 7 + y) * 5 + x) * 2 + c, 1));
        assert_true(found[i] == most);
    }
}

/* Windows that overlap, with a border that never wins. */
static void test_max_pool_windows(void **state)
{
    (void)state;
    const double *found =
        graph_run(70, 24, PRECISION_F64,
                  "%1 = reshape %0 { shape = [1, 7, 5, 2] } : f32[1, 7, 5, 2]\n"
                  "%2 = fill { value = -100, shape = [1] } : f32[1]\n"
                  "%3 = add %1, %2 : f32[1, 7, 5, 2]\n" /* below 0 */
                  "%4 = max_pool %3 { size = 3, stride = 2, padding = 1 } : f32[1, 4, 3, 2]\n"
                  "%5 = reshape %4 { shape = [1, 24] } : f32[1, 24]\n"
                  "%6 = output %5 : f32[1, 24]\n");
    for (int i = 0; i < 24; i++) {
        int row = i / 6, column = i / 2 % 3, c = i % 2;
        double most = -HUGE_VAL;
        for (int y = 2 * row - 1; y < 2 * row + 2; y++)
            for (int x = 2 * column - 1; x < 2 * column + 2; x++)
                if (y >= 0 && y < 7 && x >= 0 && x < 5)
                    most = fmax(most, sample((y * 5 + x) * 2 + c, 1) - 100);
        assert_true(found[i] == most);
    }
}

/* 3x3 and 1x1, with strides, zeros and a bias. */
static void test_convolution(void **state)
{
    (void)state;
    static const struct {
        int size, stride, padding, height, width;
    } kinds[] = {
        {3, 1, 0, 4, 2}, {3, 1, 1, 6, 4}, {3, 2, 1, 3, 2}, {1, 2, 0, 3, 2}, {5, 3, 4, 4, 3}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        int size = kinds[k].size, terms = size * size * 3,
            outputs = kinds[k].height * kinds[k].width * 2;
        char graph[1000];
        snprintf(
            graph, sizeof graph,
            "%%1 = reshape %%0 { shape = [1, 6, 4, 3] } : f32[1, 6, 4, 3]\n"
            "%%2 = parameter { name = \"s2\", shape = [%d, 2] } : f32[%d, 2]\n"
            "%%3 = parameter { name = \"s3\", shape = [2] } : f32[2]\n"
            "%%4 = convolution %%1, %%2, %%3 { size = %d, stride = %d, padding = %d } : f32[1, "
            "%d, %d, 2]\n"
            "%%5 = reshape %%4 { shape = [1, %d] } : f32[1, %d]\n"
            "%%6 = output %%5 : f32[1, %d]\n",
            terms, terms, size, kinds[k].stride, kinds[k].padding, kinds[k].height, kinds[k].width,
            outputs, outputs, outputs);
        const double *found = graph_run(72, outputs, PRECISION_F64, graph);
        for (int i = 0; i < outputs; i++) {
            int row = i / 2 / kinds[k].width, column = i / 2 % kinds[k].width;
            double sum = sample(i % 2, 3);
            for (int t = 0; t < terms; t++) {
                int y = row * kinds[k].stride - kinds[k].padding + t / 3 / size;
                int x = column * kinds[k].stride - kinds[k].padding + t / 3 % size;
                if (y >= 0 && y < 6 && x >= 0 && x < 4)
                    sum += sample((y * 4 + x) * 3 + t % 3, 1) * sample(2 * t + i % 2, 2);
            }
            assert_true(fabs(found[i] - sum) < 1e-12);
        }
    }
}

/* Three groups of two channels, each to five. */
static void test_grouped_linear(void **state)
{
    (void)state;
    const double *found = graph_run(24, 60, PRECISION_F64,
                                    "%1 = reshape %0 { shape = [1, 4, 6] } : f32[1, 4, 6]\n"
                                    "%2 = parameter { name = \"s2\", shape = [6, 5] } : f32[6, 5]\n"
                                    "%3 = grouped_linear %1, %2 { groups = 3 } : f32[1, 4, 15]\n"
                                    "%4 = reshape %3 { shape = [1, 60] } : f32[1, 60]\n"
                                    "%5 = output %4 : f32[1, 60]\n");
    for (int i = 0; i < 60; i++) {
        int row = i / 15, group = i / 5 % 3, column = i % 5;
        double sum = 0;
        for (int k = 2 * group; k < 2 * group + 2; k++)
            sum += sample(6 * row + k, 1) * sample(5 * k + column, 2);
        assert_true(fabs(found[i] - sum) < 1e-12);
    }
}

static void test_mean(void **state)
{
    (void)state;
    const double *found = graph_run(90, 6, PRECISION_F32,
                                    "%1 = reshape %0 { shape = [2, 3, 5, 3] } : f32[2, 3, 5, 3]\n"
                                    "%2 = mean %1 : f32[2, 3]\n"
                                    "%3 = reshape %2 { shape = [1, 6] } : f32[1, 6]\n"
                                    "%4 = output %3 : f32[1, 6]\n");
    for (int i = 0; i < 6; i++) {
        float sum = 0;
        for (int p = 0; p < 15; p++)
            sum += (float)sample(i / 3 * 45 + p * 3 + i % 3, 1);
        assert_true(found[i] == (double)(sum / 15));
    }
}

static void test_softmax(void **state)
{
    (void)state;
    static const int inner[] = {10, 2, 1}, count[] = {3, 5, 2};
    for (int axis = 0; axis < 3; axis++) {
        char graph[400];
        snprintf(graph, sizeof graph,
                 "%%1 = reshape %%0 { shape = [3, 5, 2] } : f32[3, 5, 2]\n"
                 "%%2 = softmax %%1 { axis = %d } : f32[3, 5, 2]\n"
                 "%%3 = reshape %%2 { shape = [1, 30] } : f32[1, 30]\n"
                 "%%4 = output %%3 : f32[1, 30]\n",
                 axis);
        double expected[30];
        for (int i = 0; i < 30; i++) {
            double sum = 0;
            for (int j = 0; j < count[axis]; j++) {
                int other = i + (j - i / inner[axis] % count[axis]) * inner[axis];
                sum += exp(sample(other, 1));
            }
            expected[i] = exp(sample(i, 1)) / sum;
        }
        check_numbers(graph_run(30, 30, PRECISION_F64, graph), expected, 30, 1e-15);
        check_numbers(graph_run(30, 30, PRECISION_F32, graph), expected, 30, 1e-6);
    }
}

/* ---- views, constants ------------------------------------------------------------------------ */

static void test_views(void **state)
{
    (void)state;
    const double *found =
        graph_run(24, 40, PRECISION_F64,
                  "%1 = reshape %0 { shape = [2, 3, 4] } : f32[2, 3, 4]\n"
                  "%2 = transpose %1 { order = [2, 0, 1] } : f32[4, 2, 3]\n"
                  "%3 = slice %2 { axis = 2, begin = 1, end = 3 } : f32[4, 2, 2]\n"
                  "%4 = parameter { name = \"s2\", shape = [1, 2, 3] } : f32[1, 2, 3]\n"
                  "%5 = concat %3, %4 { axis = 2 } : f32[4, 2, 5]\n"
                  "%6 = reshape %5 { shape = [1, 40] } : f32[1, 40]\n"
                  "%7 = output %6 : f32[1, 40]\n");
    for (int i = 0; i < 40; i++) {
        int a = i / 10, b = i / 5 % 2, c = i % 5;
        double expected = c < 2 ? sample(b * 12 + (c + 1) * 4 + a, 1) : sample(b * 3 + c - 2, 2);
        assert_true(found[i] == expected);
    }
}

static void test_coordinates(void **state)
{
    (void)state;
    static const double expected[] = {-1, -1, -0.5, -1, 0, -1, 0.5, -1, 1, -1};
    const double *found = graph_run(1, 40, PRECISION_F64,
                                    "%1 = coordinates { height = 4, width = 5 } : f32[1, 4, 5, 2]\n"
                                    "%2 = reshape %1 { shape = [1, 40] } : f32[1, 40]\n"
                                    "%3 = output %2 : f32[1, 40]\n");
    check_numbers(found, expected, 10, 0);
    assert_true(found[11] == -1.0 / 3 - 0x1p-54 && found[21] == 1.0 / 3 + 0x1p-54);
    assert_true(found[31] == 1);
    found = graph_run(1, 2, PRECISION_F64,
                      "%1 = coordinates { height = 1, width = 1 } : f32[1, 1, 1, 2]\n"
                      "%2 = reshape %1 { shape = [1, 2] } : f32[1, 2]\n"
                      "%3 = output %2 : f32[1, 2]\n");
    assert_true(found[0] == -1 && found[1] == -1);
}

/* A fold is computed in double and rounded once, where what is no constant begins. */
static void test_constants_round_once(void **state)
{
    (void)state;
    static const char graph[] = "%1 = fill { value = 0.1, shape = [1] } : f32[1]\n"
                                "%2 = parameter { name = \"third\", shape = [1] } : f32[1]\n"
                                "%3 = div %1, %2 : f32[1]\n"
                                "%4 = reshape %0 { shape = [1, 1] } : f32[1, 1]\n"
                                "%5 = sub %4, %4 : f32[1, 1]\n"
                                "%6 = add %5, %3 : f32[1, 1]\n"
                                "%7 = output %6 : f32[1, 1]\n";
    double folded = 0.1 / (1.0 / 3);
    assert_true(*graph_run(1, 1, PRECISION_F64, graph) == folded);
    assert_true(*graph_run(1, 1, PRECISION_F32, graph) == (double)(float)folded);
    assert_true((float)folded != 0.1f / (float)(1.0 / 3));
}

static void test_missing_parameter(void **state)
{
    (void)state;
    struct module *module =
        module_of(2, 2,
                  "%0 = input { shape = [1, 1, 1, 2] } : f32[1, 1, 1, 2]\n"
                  "%1 = parameter { name = \"unused\", shape = [2] } : f32[2]\n"
                  "%2 = parameter { name = \"missing\", shape = [2] } : f32[2]\n"
                  "%3 = add %2, %2 : f32[2]\n"
                  "%4 = parameter { name = \"s2\", shape = [2] } : f32[2]\n"
                  "%5 = mul %4, %4 : f32[2]\n"
                  "%6 = add %0, %3 : f32[1, 1, 1, 2]\n"
                  "%7 = reshape %6 { shape = [1, 2] } : f32[1, 2]\n"
                  "%8 = output %7 : f32[1, 2]\n",
                  "");
    struct tensors tensors = {0};
    struct parameters parameters = {tensor_find, &tensors, NULL};
    double image[2] = {1, 2}, result[2];
    assert_false(module_eval_graph(module, &parameters, PRECISION_F64, image, result));
    for (struct inst *inst = module->first; inst; inst = inst->next) {
        if (!inst_is_constant(inst))
            continue;
        double *value = inst_eval_constant(module, &parameters, inst);
        if (inst->id < 4)
            assert_null(value);
        else
            assert_true(value &&
                        value[1] == (inst->id == 4 ? sample(1, 2) : sample(1, 2) * sample(1, 2)));
        free(value);
    }
    tensors_free(&tensors);
    module_free(module);
}

/* What the output does not depend on is not evaluated. */
static void test_unused_is_left_out(void **state)
{
    (void)state;
    const double *found = graph_run(2, 2, PRECISION_F64,
                                    "%1 = parameter { name = \"missing\", shape = [2] } : f32[2]\n"
                                    "%2 = add %0, %1 : f32[1, 1, 1, 2]\n"
                                    "%3 = reshape %0 { shape = [1, 2] } : f32[1, 2]\n"
                                    "%4 = output %3 : f32[1, 2]\n");
    assert_true(found[0] == sample(0, 1) && found[1] == sample(1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_relu_sqrt),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_batch_norm),
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_max_pool_windows),
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_grouped_linear),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_coordinates),
        cmocka_unit_test(test_constants_round_once),
        cmocka_unit_test(test_missing_parameter),
        cmocka_unit_test(test_unused_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
