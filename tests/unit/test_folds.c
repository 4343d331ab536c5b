/* The graph passes that fold, on both sides of each condition: how much work is left for run time,
 * and that the network computes the same. */
#include "eval_text.h"
#include "passes.h"

enum { IMAGE = 75, RESULTS = 8192 };

/* Counts scales, shifts and biases of the data, which folding removes. */
static int count_left(const struct module *m)
{
    int left = 0;
    for (const struct inst *inst = m->first; inst; inst = inst->next)
        left += !inst_is_constant(inst) && (inst->op == OP_mul || inst->op == OP_add);
    return left;
}

static void evaluate(const struct module *m, double *result)
{
    double image[IMAGE];
    for (int i = 0; i < IMAGE; i++)
        image[i] = sample(i, 1);
    struct tensors tensors = {0};
    struct parameters parameters = {tensor_find, &tensors, NULL};
    assert_true(module_eval_graph(m, &parameters, PRECISION_F64, image, result));
    tensors_free(&tensors);
}

static void verify(const struct module *m)
{
    struct error error;
    if (!module_verify(m, &error))
        fail_msg("%s", error.text);
}

/* Runs `pass` on a graph that goes on from %1, the image as (1, 5, 5, 3), to %99, of `channels` a
 * row. Returns the module. */
static struct module *folded(const char *graph, int channels, int rows,
                             int (*const *pass)(struct module *))
{
    static double before[RESULTS], after[RESULTS];
    struct arena *arena = arena_new();
    const char *whole =
        arena_printf(arena,
                     "%%0 = input { shape = [1, 1, 1, 75] } : f32[1, 1, 1, 75]\n"
                     "%%1 = reshape %%0 { shape = [1, 5, 5, 3] } : f32[1, 5, 5, 3]\n%s"
                     "%%100 = reshape %%99 { shape = [1, %d] } : f32[1, %d]\n"
                     "%%101 = output %%100 : f32[1, %d]\n",
                     graph, rows * channels, rows * channels, rows * channels);
    assert_true(rows * channels <= RESULTS);
    struct module *m = module_of(IMAGE, rows * channels, whole, "");
    evaluate(m, before);
    for (; *pass; pass++) {
        (*pass)(m);
        verify(m);
    }
    evaluate(m, after);
    check_numbers(after, before, rows * channels, 1e-11);
    arena_free(arena);
    return m;
}

static int (*const fold_passes[])(struct module *) = {expand_batch_norm, fold_affine, NULL};

/* ---- relations ------------------------------------------------------------------------------- */

static const char linears[] = "%2 = parameter { name = \"s2\", shape = [3, 4] } : f32[3, 4]\n"
                              "%3 = parameter { name = \"s3\", shape = [3, 4] } : f32[3, 4]\n"
                              "%4 = parameter { name = \"s4\", shape = [4] } : f32[4]\n"
                              "%5 = linear %1, %2, %4 : f32[1, 5, 5, 4]\n"
                              "%6 = linear %1, %3 : f32[1, 5, 5, 4]\n";

/* A batch norm of the value %N, its scales of both signs. */
static const char *norm_of(struct arena *arena, const char *shape, int channels, int from, int to)
{
    return arena_printf(arena,
                        "%%10 = parameter { name = \"s5\", shape = [%d] } : f32[%d]\n"
                        "%%11 = parameter { name = \"s6\", shape = [%d] } : f32[%d]\n"
                        "%%12 = parameter { name = \"s7\", shape = [%d] } : f32[%d]\n"
                        "%%13 = parameter { name = \"third\", shape = [%d] } : f32[%d]\n"
                        "%%%d = batch_norm %%%d, %%10, %%11, %%12, %%13 : f32[%s%d]\n",
                        channels, channels, channels, channels, channels, channels, channels,
                        channels, to, from, shape, channels);
}

struct relation_case {
    const char *kind, *padding;
    int channels; /* of the relation */
    bool patch;   /* no dimension for the neighbours */
    int left;     /* scales and shifts */
};

/* A fold needs both operands' linears without other readers; these have one reader each. */
static const struct relation_case relation_cases[] = {
    {"subtraction", "reflect", 4, false, 0},
    {"subtraction", "zero", 4, false, 0},
    {"summation", "reflect", 4, false, 0},
    {"summation", "zero", 4, false, 0},
    {"hadamard", "reflect", 4, false, 1}, /* the shift stays */
    {"hadamard", "zero", 4, false, 1},
    {"dot", "reflect", 1, false, 1},
    {"dot", "zero", 1, false, 1},
    {"concatenation", "reflect", 8, false, 0},
    {"concatenation", "zero", 8, false, 1}, /* a padded zero would miss psi's shift */
    {"patch_concatenation", "reflect", 40, true, 2},
    {"star", "reflect", 9, true, 2},
    {"clique", "zero", 81, true, 2},
};
enum { RELATION_CASES = sizeof relation_cases / sizeof *relation_cases };

/* The relation of two values, or of one with itself; `also`: something that reads psi too. */
static int left_of_relation(const struct relation_case *c, bool tied, bool also)
{
    struct arena *arena = arena_new();
    const char *shape = c->patch ? "1, 5, 5, " : "1, 5, 5, 9, ";
    const char *graph = arena_printf(
        arena,
        "%s%%7 = relation %%5, %%%d { kind = %s, footprint = 3, padding = %s } : f32[%s%d]\n%s%s",
        linears, tied ? 5 : 6, c->kind, c->padding, shape, c->channels,
        norm_of(arena, shape, c->channels, 7, also ? 8 : 99),
        also ? "%9 = relu %6 : f32[1, 5, 5, 4]\n" : "");
    if (also)
        graph =
            arena_printf(arena,
                         "%s%%14 = reshape %%8 { shape = [1, 5, 5, %d] } : f32[1, 5, 5, %d]\n"
                         "%%99 = concat %%14, %%9 { axis = 3 } : f32[1, 5, 5, %d]\n",
                         graph, c->channels * (c->patch ? 1 : 9), c->channels * (c->patch ? 1 : 9),
                         c->channels * (c->patch ? 1 : 9) + 4);
    int rows = c->patch || also ? 25 : 225;
    struct module *m =
        folded(graph, also ? c->channels * (c->patch ? 1 : 9) + 4 : c->channels, rows, fold_passes);
    int left = count_left(m);
    module_free(m);
    arena_free(arena);
    return left;
}

static void test_relations(void **state)
{
    (void)state;
    for (int i = 0; i < RELATION_CASES; i++)
        if (left_of_relation(&relation_cases[i], false, false) != relation_cases[i].left)
            fail_msg("%s, %s", relation_cases[i].kind, relation_cases[i].padding);
}

static void test_relations_with_themselves(void **state)
{
    (void)state;
    for (int i = 0; i < RELATION_CASES; i++)
        if (left_of_relation(&relation_cases[i], true, false) != 2)
            fail_msg("%s, %s", relation_cases[i].kind, relation_cases[i].padding);
}

static void test_operands_with_other_readers(void **state)
{
    (void)state;
    for (int i = 0; i < RELATION_CASES; i++)
        if (left_of_relation(&relation_cases[i], false, true) != 2)
            fail_msg("%s, %s", relation_cases[i].kind, relation_cases[i].padding);
}

/* ---- aggregation ----------------------------------------------------------------------------- */

static int left_of_aggregate(const char *padding, bool softmax, bool beta_is_psi)
{
    struct arena *arena = arena_new();
    const char *graph = arena_printf(
        arena,
        "%s%%7 = relation %%5, %%%d { kind = hadamard, footprint = 3, padding = %s } : "
        "f32[1, 5, 5, 9, 4]\n"
        "%%8 = %s : f32[1, 5, 5, 9, 4]\n"
        "%%9 = aggregate %%8, %%6 { footprint = 3, padding = %s } : f32[1, 5, 5, 4]\n%s",
        linears, beta_is_psi ? 6 : 5, padding, softmax ? "softmax %7 { axis = 3 }" : "relu %7",
        padding, norm_of(arena, "1, 5, 5, ", 4, 9, 99));
    struct module *m = folded(graph, 4, 25, fold_passes);
    int left = count_left(m);
    module_free(m);
    arena_free(arena);
    return left;
}

static void test_aggregate(void **state)
{
    (void)state;
    assert_int_equal(left_of_aggregate("reflect", true, false), 0);
    assert_int_equal(left_of_aggregate("zero", true, false), 1);
    assert_int_equal(left_of_aggregate("reflect", false, false), 1);
    assert_int_equal(left_of_aggregate("zero", false, false), 1);
    assert_int_equal(left_of_aggregate("reflect", true, true), 2);
    assert_int_equal(left_of_aggregate("zero", false, true), 2);
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* A position, tied to itself as it always is, takes both: it is constant. */
static void test_position(void **state)
{
    (void)state;
    static const char *const kind[] = {"subtraction", "concatenation"};
    for (int i = 0; i < 4; i++) {
        struct arena *arena = arena_new();
        const char *padding = i % 2 ? "zero" : "reflect";
        int channels = i / 2 ? 8 : 6;
        const char *graph = arena_printf(
            arena,
            "%s%%20 = coordinates { height = 5, width = 5 } : f32[1, 5, 5, 2]\n"
            "%%21 = parameter { name = \"s8\", shape = [2, 2] } : f32[2, 2]\n"
            "%%22 = linear %%20, %%21 : f32[1, 5, 5, 2]\n"
            "%%23 = relation %%22, %%22 { kind = %s, footprint = 3, padding = %s } : "
            "f32[1, 5, 5, 9, %d]\n"
            "%%7 = relation %%5, %%6 { kind = subtraction, footprint = 3, padding = %s } : "
            "f32[1, 5, 5, 9, 4]\n"
            "%%8 = concat %%7, %%23 { axis = 4 } : f32[1, 5, 5, 9, %d]\n%s"
            "%%99 = relu %%98 : f32[1, 5, 5, 9, %d]\n",
            linears, kind[i / 2], padding, channels - 4, padding, channels,
            norm_of(arena, "1, 5, 5, 9, ", channels, 8, 98), channels);
        struct module *m = folded(graph, channels, 225, fold_passes);
        assert_int_equal(count_left(m), 0);
        module_free(m);
        arena_free(arena);
    }
}

static int count_biased(const struct module *m)
{
    int biased = 0;
    for (const struct inst *inst = m->first; inst; inst = inst->next)
        biased += !inst_is_constant(inst) && inst->op == OP_linear && inst->inputs == 3;
    return biased;
}

/* A bias of the rows, or of each neighbour; a softmax over neighbours or channels. */
static void test_softmax_bias(void **state)
{
    (void)state;
    static int (*const passes[])(struct module *) = {drop_softmax_bias, NULL};
    for (int i = 0; i < 8; i++) {
        bool per_neighbour = i & 1, channels = i & 2, read_twice = i & 4;
        char graph[1200];
        snprintf(graph, sizeof graph,
                 "%%2 = parameter { name = \"s2\", shape = [3, 4] } : f32[3, 4]\n"
                 "%%3 = parameter { name = \"s3\", shape = [%s4] } : f32[%s4]\n"
                 "%%4 = reshape %%1 { shape = [1, 1, 5, 5, 3] } : f32[1, 1, 5, 5, 3]\n"
                 "%%5 = linear %%4, %%2, %%3 : f32[1, 1, 5, 5, 4]\n"
                 "%%6 = softmax %%5 { axis = %d } : f32[1, 1, 5, 5, 4]\n"
                 "%%99 = add %%6, %%%d : f32[1, 1, 5, 5, 4]\n",
                 per_neighbour ? "5, " : "", per_neighbour ? "5, " : "", channels ? 4 : 3,
                 read_twice ? 5 : 6);
        struct module *m = folded(graph, 4, 25, passes);
        assert_int_equal(count_biased(m), per_neighbour || channels || read_twice);
        module_free(m);
    }
}

static int count_of(const struct module *m, enum op op)
{
    int count = 0;
    for (const struct inst *inst = m->first; inst; inst = inst->next)
        count += !inst_is_constant(inst) && inst->op == op;
    return count;
}

static void test_merge_linears(void **state)
{
    (void)state;
    static int (*const passes[])(struct module *) = {merge_linears, NULL};
    for (int i = 0; i < 3; i++) {
        bool same = i == 1, relu = i == 2;
        char graph[1200];
        snprintf(graph, sizeof graph,
                 "%s%%7 = %s : f32[1, 5, 5, 4]\n"
                 "%%8 = parameter { name = \"s8\", shape = [4, 4] } : f32[4, 4]\n"
                 "%%9 = linear %%%d, %%8 : f32[1, 5, 5, 4]\n"
                 "%%99 = mul %%9, %%6 : f32[1, 5, 5, 4]\n",
                 linears, relu ? "relu %5" : "mul %5, %5", same ? 5 : 7);
        struct module *m = folded(graph, 4, 25, passes);
        /* phi and psi are one; never one with its reader, nor what only a ReLU reads */
        assert_int_equal(count_of(m, OP_linear), relu ? 3 : 2);
        module_free(m);
    }
}

static int for_tiles(struct module *m)
{
    m->target[0] = "x86-64-v4+amx";
    m->precision = precision_kind_bf16;
    return 0;
}

/* A map (%5) to which two linears are added, one after the other, each before a batch norm. The map
 * takes the first one's place where all its readers could take a bias over. */
static void test_start_from_maps(void **state)
{
    (void)state;
    static int (*const passes[])(struct module *) = {expand_batch_norm, for_tiles, start_from_maps,
                                                     NULL};
    for (int i = 0; i < 4; i++) {
        bool relu = i & 1, swap = i & 2;
        struct arena *arena = arena_new();
        const char *graph =
            arena_printf(arena,
                         "%s%%7 = parameter { name = \"s8\", shape = [4, 4] } : f32[4, 4]\n"
                         "%%8 = linear %%6, %%7, %%4 : f32[1, 5, 5, 4]\n"
                         "%%9 = add %s : f32[1, 5, 5, 4]\n%s"
                         "%%15 = linear %%14, %%7, %%4 : f32[1, 5, 5, 4]\n"
                         "%%16 = add %%9, %%15 : f32[1, 5, 5, 4]\n"
                         "%%17 = %s %%16%s : f32[1, 5, 5, 4]\n"
                         "%%99 = add %%17, %%13 : f32[1, 5, 5, 4]\n",
                         linears, swap ? "%8, %5" : "%5, %8", norm_of(arena, "1, 5, 5, ", 4, 9, 14),
                         relu ? "relu" : "mul", relu ? "" : ", %4");
        struct module *m = folded(graph, 4, 25, passes);
        int sums = 0;
        for (const struct inst *inst = m->first; inst; inst = inst->next)
            sums += inst->op == OP_linear && inst->inputs == 3 && !inst_is_constant(inst->in[2]);
        assert_int_equal(sums, relu ? 0 : 2);
        module_free(m);
        arena_free(arena);
    }
}

static void test_pad_borders(void **state)
{
    (void)state;
    static int (*const passes[])(struct module *) = {merge_linears, pad_borders, NULL};
    static const char *const padding[] = {"reflect", "zero"};
    for (int i = 0; i < 8; i++) {
        struct arena *arena = arena_new();
        int dilation = i / 4 ? 2 : 1;
        const char *graph = arena_printf(
            arena,
            "%s%%7 = relation %%5, %%6 { kind = hadamard, footprint = 3, dilation = %d, padding = "
            "%s } : f32[1, 5, 5, 9, 4]\n"
            "%%99 = aggregate %%7, %%6 { footprint = 3, dilation = %d, padding = %s } : "
            "f32[1, 5, 5, 4]\n",
            linears, dilation, padding[i % 2], dilation, padding[i / 2 % 2]);
        struct module *m = folded(graph, 4, 25, passes);
        assert_int_equal(count_of(m, OP_pad), i % 2 == i / 2 % 2 ? 1 : 2);
        module_free(m);
        arena_free(arena);
    }
}

/* Windows of (1, height, width, channels) pixels. */
struct window_case {
    int height, width, channels, results, size, stride;
    bool bias, fewer; /* it has a bias; the pass takes fewer products for it */
};

static const struct window_case window_cases[] = {
    {6, 8, 16, 16, 3, 1, false, true},   {4, 14, 17, 20, 3, 1, true, true},
    {6, 6, 16, 16, 3, 1, false, false},  /* few windows */
    {5, 10, 16, 16, 3, 1, false, false}, /* a result of odd height, of odd width */
    {10, 5, 16, 16, 3, 1, false, false}, {6, 8, 15, 16, 3, 1, false, false}, /* few channels */
    {6, 8, 16, 15, 3, 1, false, false},  {9, 13, 16, 16, 3, 2, false, false},
    {8, 10, 16, 16, 5, 1, false, false},
};

static const char *convolution_of(struct arena *arena, const struct window_case *c)
{
    int inputs = c->height * c->width * c->channels, terms = c->size * c->size * c->channels;
    int height = (c->height - c->size) / c->stride + 1,
        width = (c->width - c->size) / c->stride + 1;
    return arena_printf(
        arena,
        "%%2 = parameter { name = \"s2\", shape = [75, %d] } : f32[75, %d]\n"
        "%%3 = reshape %%1 { shape = [1, 75] } : f32[1, 75]\n"
        "%%4 = linear %%3, %%2 : f32[1, %d]\n"
        "%%5 = reshape %%4 { shape = [1, %d, %d, %d] } : f32[1, %d, %d, %d]\n"
        "%%6 = parameter { name = \"s3\", shape = [%d, %d] } : f32[%d, %d]\n"
        "%%7 = parameter { name = \"s4\", shape = [%d] } : f32[%d]\n"
        "%%99 = convolution %%5, %%6%s { size = %d, stride = %d, padding = 0 } : f32[1, %d, %d, "
        "%d]\n",
        inputs, inputs, inputs, c->height, c->width, c->channels, c->height, c->width, c->channels,
        terms, c->results, terms, c->results, c->results, c->results, c->bias ? ", %7" : "",
        c->size, c->stride, height, width, c->results);
}

static void test_winograd(void **state)
{
    (void)state;
    static int (*const passes[])(struct module *) = {winograd, NULL};
    for (size_t i = 0; i < sizeof window_cases / sizeof *window_cases; i++) {
        const struct window_case *c = &window_cases[i];
        struct arena *arena = arena_new();
        int rows = ((c->height - c->size) / c->stride + 1) * ((c->width - c->size) / c->stride + 1);
        struct module *m = folded(convolution_of(arena, c), c->results, rows, passes);
        assert_int_equal(count_of(m, OP_convolution), c->fewer ? 0 : 1);
        assert_int_equal(count_of(m, OP_grouped_linear), c->fewer ? 1 : 0);
        module_free(m);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_relations_with_themselves),
        cmocka_unit_test(test_operands_with_other_readers),
        cmocka_unit_test(test_aggregate),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_softmax_bias),
        cmocka_unit_test(test_merge_linears),
        cmocka_unit_test(test_start_from_maps),
        cmocka_unit_test(test_pad_borders),
        cmocka_unit_test(test_winograd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
