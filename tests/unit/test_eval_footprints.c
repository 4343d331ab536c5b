/* The evaluator's graph form: borders, relations and aggregations at every kind of map. */
#include "eval_text.h"

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
    const double *found = graph_run(3, total, PRECISION_F64, graph);
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
    const double *found = graph_run(12, 2 * 8 * 9, PRECISION_F64,
                                    "%1 = reshape %0 { shape = [2, 2, 3, 1] } : f32[2, 2, 3, 1]\n"
                                    "%2 = pad %1 { size = 3, padding = zero } : f32[2, 8, 9, 1]\n"
                                    "%3 = reshape %2 { shape = [1, 144] } : f32[1, 144]\n"
                                    "%4 = output %3 : f32[1, 144]\n");
    for (int i = 0; i < 72; i++)
        assert_true(found[i] == at(&zero, i / 9 - 3, i % 9 - 3, 0));
    found = graph_run(12, 2 * 4 * 5, PRECISION_F64,
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
            graph_run(1080, 120, single ? PRECISION_F32 : PRECISION_F64,
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
        const double *found = graph_run(80, 80, PRECISION_F64, graph);
        double sum = 0;
        for (int i = 0; i < 80; i++)
            sum += (i + 1) * found[i];
        for (int i = 0; i < 9; i++)
            check_numbers(&found[at_index[i]], &torch[zero][i], 1, 1e-14);
        check_numbers(&sum, &torch[zero][9], 1, 1e-11);
    }
}

/* A relative position, one entry per class of pixels, is the whole map again. */
static void test_classes(void **state)
{
    (void)state;
    for (int dilation = 1; dilation <= 3; dilation++) {
        char map[700], again[2000];
        int border = dilation;
        snprintf(map, sizeof map,
                 "%%1 = coordinates { height = 5, width = 9 } : f32[1, 5, 9, 2]\n"
                 "%%2 = relation %%1, %%1 { kind = subtraction, footprint = 3, dilation = %d, "
                 "padding = reflect } : f32[1, 5, 9, 9, 2]\n",
                 dilation);
        int classes = (border < 2 ? 3 : 5) * (2 * border + 1);
        snprintf(again, sizeof again,
                 "%s%%3 = select_classes %%2 { border = %d } : f32[%d, 9, 2]\n"
                 "%%4 = border_classes { height = 5, width = 9, border = %d } : f32[45]\n"
                 "%%5 = by_class %%3, %%4 { height = 5, width = 9 } : f32[1, 5, 9, 9, 2]\n"
                 "%%6 = reshape %%5 { shape = [1, 810] } : f32[1, 810]\n"
                 "%%7 = output %%6 : f32[1, 810]\n",
                 map, border, classes, border);
        strcat(map, "%6 = reshape %2 { shape = [1, 810] } : f32[1, 810]\n"
                    "%7 = output %6 : f32[1, 810]\n");
        double *expected = test_malloc(810 * sizeof *expected);
        memcpy(expected, graph_run(1, 810, PRECISION_F64, map), 810 * sizeof *expected);
        check_numbers(graph_run(1, 810, PRECISION_F64, again), expected, 810, 1e-14);
        test_free(expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relation),
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_aggregate),
        cmocka_unit_test(test_attention_torch),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
