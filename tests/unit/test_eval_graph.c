/* The evaluator's graph form: every op against a computation of its own. */
#include "eval_text.h"

enum { MOST = 8192 };

/* The input %0 is sample(i, 1), `images` of it. The graph goes on from %1. Returns results. */
static const double *run(int64_t images, int64_t results, enum precision precision,
                         const char *graph)
{
    static double image[MOST], result[MOST];
    assert_true(images <= MOST && results <= MOST);
    for (int64_t i = 0; i < images; i++)
        image[i] = sample(i, 1);
    struct arena *arena = arena_new();
    const char *whole =
        arena_printf(arena, "%%0 = input { shape = [1, 1, 1, %lld] } : f32[1, 1, 1, %lld]\n%s",
                     (long long)images, (long long)images, graph);
    struct module *module = module_of(images, results, whole, "");
    struct tensors tensors = {0};
    struct parameters parameters = {tensor_find, &tensors};
    memset(result, 0, sizeof result);
    assert_true(module_eval_graph(module, &parameters, precision, image, result));
    tensors_free(&tensors);
    module_free(module);
    arena_free(arena);
    return result;
}

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
            const double *found = run(6, 24, single ? PRECISION_F32 : PRECISION_F64, graph);
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
    const double *found = run(19, 19, PRECISION_F32,
                              "%1 = relu %0 : f32[1, 1, 1, 19]\n"
                              "%2 = sqrt %1 : f32[1, 1, 1, 19]\n"
                              "%3 = reshape %2 { shape = [1, 19] } : f32[1, 19]\n"
                              "%4 = output %3 : f32[1, 19]\n");
    for (int i = 0; i < 19; i++)
        assert_true(found[i] == (double)sqrtf(fmaxf((float)sample(i, 1), 0)));
}

static void test_linear(void **state)
{
    (void)state;
    for (int single = 0; single < 2; single++) {
        const double *found =
            run(30, 42, single ? PRECISION_F32 : PRECISION_F64,
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
    check_numbers(run(80, 80, PRECISION_F64, graph), torch, 6, 1e-15);
    check_numbers(run(80, 80, PRECISION_F32, graph), torch, 6, 1e-6);
}

static void test_max_pool(void **state)
{
    (void)state;
    const double *found = run(140, 16, PRECISION_F64,
                              "%1 = reshape %0 { shape = [2, 7, 5, 2] } : f32[2, 7, 5, 2]\n"
                              "%2 = max_pool %1 { size = 3 } : f32[2, 2, 1, 2]\n"
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

static void test_mean(void **state)
{
    (void)state;
    const double *found = run(90, 6, PRECISION_F32,
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
        check_numbers(run(30, 30, PRECISION_F64, graph), expected, 30, 1e-15);
        check_numbers(run(30, 30, PRECISION_F32, graph), expected, 30, 1e-6);
    }
}

/* ---- footprints ------------------------------------------------------------------------------ */

/* sample(i, seed) as a map of one image, read beyond its border. */
struct image {
    int height, width, channels;
    bool zero;
    int seed;
};

static double at(const struct image *m, int y, int x, int c)
{
    if (m->zero && (y < 0 || y >= m->height || x < 0 || x >= m->width))
        return 0;
    y = abs(y);
    x = abs(x);
    if (y >= m->height)
        y = 2 * m->height - y - 2;
    if (x >= m->width)
        x = 2 * m->width - x - 2;
    return sample((y * m->width + x) * m->channels + c, m->seed);
}

static const char *const kinds[] = {"subtraction",   "summation",           "hadamard", "dot",
                                    "concatenation", "patch_concatenation", "star",     "clique"};

/* A case of relation: phi is s2, psi s3. */
struct relation {
    struct image phi, psi;
    int footprint, dilation;
};

static double near(const struct relation *r, const struct image *m, int y, int x, int j, int c)
{
    int half = r->footprint / 2;
    return at(m, y + r->dilation * (j / r->footprint - half),
              x + r->dilation * (j % r->footprint - half), c);
}

/* Result number `i` of pixel (y, x), in the order of ops.def. */
static double related(const struct relation *r, int kind, int y, int x, int i)
{
    int channels = r->psi.channels, count = r->footprint * r->footprint;
    int c = i % channels, j = i / channels;
    double sum = 0;
    switch (kind) {
    case 0:
        return at(&r->phi, y, x, c) - near(r, &r->psi, y, x, j, c);
    case 1:
        return at(&r->phi, y, x, c) + near(r, &r->psi, y, x, j, c);
    case 2:
        return at(&r->phi, y, x, c) * near(r, &r->psi, y, x, j, c);
    case 4:
        return j % 2 ? near(r, &r->psi, y, x, j / 2, c) : at(&r->phi, y, x, c);
    case 5:
        return j ? near(r, &r->psi, y, x, j - 1, c) : at(&r->phi, y, x, c);
    case 7:
        for (c = 0; c < channels; c++)
            sum += near(r, &r->phi, y, x, i / count, c) * near(r, &r->psi, y, x, i % count, c);
        return sum;
    default:
        for (c = 0; c < channels; c++)
            sum += at(&r->phi, y, x, c) * near(r, &r->psi, y, x, i, c);
        return sum;
    }
}

static int related_count(const struct relation *r, int kind)
{
    int c = r->psi.channels, j = r->footprint * r->footprint;
    const int count[] = {j * c, j * c, j * c, j, 2 * j * c, (j + 1) * c, j, j * j};
    return count[kind];
}

/* The text of a map, as value %id; bordered ones come from `pad`, so that relation is valid. */
static int map_text(char *text, size_t size, int id, const struct image *m, int border)
{
    int length =
        snprintf(text, size,
                 "%%%d = parameter { name = \"s%d\", shape = [1, %d, %d, %d] } "
                 ": f32[1, %d, %d, %d]\n",
                 id, m->seed, m->height, m->width, m->channels, m->height, m->width, m->channels);
    if (border >= 0)
        length += snprintf(text + length, size - (size_t)length,
                           "%%%d = pad %%%d { size = %d, padding = %s } : f32[1, %d, %d, %d]\n",
                           id + 1, id, border, m->zero ? "zero" : "reflect", m->height + 2 * border,
                           m->width + 2 * border, m->channels);
    return length;
}

static void check_relation(const struct relation *r, int kind, bool valid)
{
    char graph[1200], shape[64];
    int count = related_count(r, kind), j = r->footprint * r->footprint;
    int border = valid ? r->dilation * (r->footprint - 1) / 2 : -1;
    size_t size = sizeof graph;
    int length = map_text(graph, size, 1, &r->phi, kind == 7 ? border : -1);
    length += map_text(graph + length, size - (size_t)length, 3, &r->psi, border);
    if (kind < 5)
        snprintf(shape, sizeof shape, "[1, %d, %d, %d, %d]", r->phi.height, r->phi.width, j,
                 count / j);
    else
        snprintf(shape, sizeof shape, "[1, %d, %d, %d]", r->phi.height, r->phi.width, count);
    int total = r->phi.height * r->phi.width * count;
    const char *padding = valid ? "valid" : r->psi.zero ? "zero" : "reflect";
    snprintf(graph + length, size - (size_t)length,
             "%%5 = relation %%%d, %%%d { kind = %s, footprint = %d, dilation = %d, "
             "padding = %s } : f32%s\n"
             "%%6 = reshape %%5 { shape = [1, %d] } : f32[1, %d]\n"
             "%%7 = slice %%0 { axis = 3, begin = 0, end = 1 } : f32[1, 1, 1, 1]\n"
             "%%8 = reshape %%7 { shape = [1, 1] } : f32[1, 1]\n"
             "%%9 = sub %%8, %%8 : f32[1, 1]\n"
             "%%10 = add %%6, %%9 : f32[1, %d]\n"
             "%%11 = output %%10 : f32[1, %d]\n",
             valid && kind == 7 ? 2 : 1, valid ? 4 : 3, kinds[kind], r->footprint, r->dilation,
             padding, shape, total, total, total, total);
    const double *found = run(3, total, PRECISION_F64, graph);
    for (int y = 0; y < r->phi.height; y++)
        for (int x = 0; x < r->phi.width; x++)
            for (int i = 0; i < count; i++, found++)
                if (*found != related(r, kind, y, x, i))
                    fail_msg("%s %s, pixel %d %d: number %d is %g, must be %g", kinds[kind],
                             padding, y, x, i, *found, related(r, kind, y, x, i));
}

static void test_relation(void **state)
{
    (void)state;
    static const struct {
        int height, width, channels, footprint, dilation;
        bool zero;
    } cases[] = {{3, 5, 3, 3, 1, false}, {3, 5, 2, 3, 2, false}, {4, 3, 2, 3, 3, true},
                 {3, 3, 1, 5, 1, false}, {1, 1, 3, 3, 1, true},  {1, 1, 2, 1, 8, false},
                 {2, 1, 1, 1, 1, true},  {1, 2, 2, 3, 8, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int kind = 0; kind < 8; kind++) {
            struct image map = {cases[i].height, cases[i].width, cases[i].channels, cases[i].zero,
                                2};
            struct relation r = {map, map, cases[i].footprint, cases[i].dilation};
            r.psi.seed = 3;
            check_relation(&r, kind, false);
            check_relation(&r, kind, true);
        }
}

/* A border may be wider than a zero-padded map, and pads two images apart. */
static void test_pad(void **state)
{
    (void)state;
    struct image zero = {2, 3, 1, true, 1}, reflected = {2, 3, 1, false, 1};
    const double *found = run(12, 2 * 8 * 9, PRECISION_F64,
                              "%1 = reshape %0 { shape = [2, 2, 3, 1] } : f32[2, 2, 3, 1]\n"
                              "%2 = pad %1 { size = 3, padding = zero } : f32[2, 8, 9, 1]\n"
                              "%3 = reshape %2 { shape = [1, 144] } : f32[1, 144]\n"
                              "%4 = output %3 : f32[1, 144]\n");
    for (int i = 0; i < 72; i++)
        assert_true(found[i] == at(&zero, i / 9 - 3, i % 9 - 3, 0));
    found = run(12, 2 * 4 * 5, PRECISION_F64,
                "%1 = reshape %0 { shape = [2, 2, 3, 1] } : f32[2, 2, 3, 1]\n"
                "%2 = pad %1 { size = 1, padding = reflect } : f32[2, 4, 5, 1]\n"
                "%3 = reshape %2 { shape = [1, 40] } : f32[1, 40]\n"
                "%4 = output %3 : f32[1, 40]\n");
    for (int i = 0; i < 20; i++)
        assert_true(found[i] == at(&reflected, i / 5 - 1, i % 5 - 1, 0));
    assert_true(found[20 + 5 + 1] == sample(6, 1));
}

static void test_aggregate(void **state)
{
    (void)state;
    for (int single = 0; single < 2; single++) {
        const double *found =
            run(1080, 120, single ? PRECISION_F32 : PRECISION_F64,
                "%1 = slice %0 { axis = 3, begin = 0, end = 540 } : f32[1, 1, 1, 540]\n"
                "%2 = reshape %1 { shape = [1, 4, 5, 9, 3] } : f32[1, 4, 5, 9, 3]\n"
                "%3 = parameter { name = \"third\", shape = [1] } : f32[1]\n"
                "%4 = mul %2, %3 : f32[1, 4, 5, 9, 3]\n"
                "%5 = parameter { name = \"s3\", shape = [1, 4, 5, 6] } : f32[1, 4, 5, 6]\n"
                "%6 = aggregate %4, %5 { footprint = 3, dilation = 2, padding = zero } "
                ": f32[1, 4, 5, 6]\n"
                "%7 = reshape %6 { shape = [1, 120] } : f32[1, 120]\n"
                "%8 = output %7 : f32[1, 120]\n");
        struct relation r = {.psi = {4, 5, 6, true, 3}, .footprint = 3, .dilation = 2};
        for (int i = 0; i < 120; i++) {
            int pixel = i / 6, c = i % 6;
            double wide = 0;
            float narrow = 0;
            for (int j = 0; j < 9; j++) {
                double beta = near(&r, &r.psi, pixel / 5, pixel % 5, j, c);
                double weight = sample((pixel * 9 + j) * 3 + c % 3, 1);
                float scaled = (float)weight * (float)(1.0 / 3);
                float product = scaled * (float)beta;
                wide += weight * (1.0 / 3) * beta;
                narrow += product;
            }
            assert_true(found[i] == (single ? (double)narrow : wide));
        }
    }
}

/* Softmax of a difference, aggregated, as torch.nn.functional.unfold and softmax compute it. */
static void test_attention_torch(void **state)
{
    (void)state;
    static const int at_index[] = {0, 1, 2, 3, 17, 38, 42, 55, 79};
    static const double torch[2][10] = {
        {-0.7745713301647028, -0.8995713301647028, 0.41922723496846703, 0.29422723496846703,
         -0.900615403639888, -0.24404379884261296, 0.41922723496846703, -0.3431428738704756,
         0.9334092715575534, -789.1632429119617},
        {-0.3539953844643884, -0.44783584142681343, 0.059502507647841624, -0.0123060320023608,
         -0.42701562996699793, 0.044933898750643464, 0.059502507647841624, -0.22174885995735788,
         0.34514027749505527, -450.50220542686424}};
    for (int zero = 0; zero < 2; zero++) {
        char graph[1200];
        const char *padding = zero ? "zero" : "reflect";
        snprintf(graph, sizeof graph,
                 "%%1 = reshape %%0 { shape = [1, 4, 5, 4] } : f32[1, 4, 5, 4]\n"
                 "%%2 = slice %%1 { axis = 3, begin = 0, end = 2 } : f32[1, 4, 5, 2]\n"
                 "%%3 = relation %%2, %%2 { kind = subtraction, footprint = 3, dilation = 2, "
                 "padding = %s } : f32[1, 4, 5, 9, 2]\n"
                 "%%4 = softmax %%3 { axis = 3 } : f32[1, 4, 5, 9, 2]\n"
                 "%%5 = aggregate %%4, %%1 { footprint = 3, dilation = 2, padding = %s } "
                 ": f32[1, 4, 5, 4]\n"
                 "%%6 = reshape %%5 { shape = [1, 80] } : f32[1, 80]\n"
                 "%%7 = output %%6 : f32[1, 80]\n",
                 padding, padding);
        const double *found = run(80, 80, PRECISION_F64, graph);
        double sum = 0;
        for (int i = 0; i < 80; i++)
            sum += (i + 1) * found[i];
        for (int i = 0; i < 9; i++)
            check_numbers(&found[at_index[i]], &torch[zero][i], 1, 1e-14);
        check_numbers(&sum, &torch[zero][9], 1, 1e-11);
    }
}

/* ---- views, constants ------------------------------------------------------------------------ */

static void test_views(void **state)
{
    (void)state;
    const double *found = run(24, 40, PRECISION_F64,
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
    const double *found = run(1, 40, PRECISION_F64,
                              "%1 = coordinates { height = 4, width = 5 } : f32[1, 4, 5, 2]\n"
                              "%2 = reshape %1 { shape = [1, 40] } : f32[1, 40]\n"
                              "%3 = output %2 : f32[1, 40]\n");
    check_numbers(found, expected, 10, 0);
    assert_true(found[11] == -1.0 / 3 - 0x1p-54 && found[21] == 1.0 / 3 + 0x1p-54);
    assert_true(found[31] == 1);
    found = run(1, 2, PRECISION_F64,
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
    assert_true(*run(1, 1, PRECISION_F64, graph) == folded);
    assert_true(*run(1, 1, PRECISION_F32, graph) == (double)(float)folded);
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
    struct parameters parameters = {tensor_find, &tensors};
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
    const double *found = run(2, 2, PRECISION_F64,
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
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_batch_norm),
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_relation),
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_aggregate),
        cmocka_unit_test(test_attention_torch),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_coordinates),
        cmocka_unit_test(test_constants_round_once),
        cmocka_unit_test(test_missing_parameter),
        cmocka_unit_test(test_unused_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
