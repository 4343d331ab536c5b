/* Parameters and operations against counts made by hand, and against the paper's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval_text.h"
#include "model_graph.h"
#include "passes.h"
#include "stats.h"
#include "traffic.h"
#include <string.h>

static const struct attention pairwise = {
    .relation = relation_kind_subtraction,
    .mapping = 2,
    .position = POSITION_RELATIVE,
    .softmax = true,
    .footprint = 3,
    .dilation = 1,
    .share = 8,
    .relation_channels = 2,
    .value_channels = 8,
};

static struct model small_model(void)
{
    struct model model = {.name = "small",
                          .channels = 3,
                          .height = 8,
                          .width = 6,
                          .classes = 10,
                          .stem_channels = 4,
                          .stages = 1};
    model.stage[0] = (struct stage){.blocks = 1, .channels = 32, .attention = pairwise};
    return model;
}

static const struct layer *layer_named(const struct stats *stats, const char *name)
{
    for (int i = 0; i < stats->count; i++)
        if (strcmp(stats->layer[i].name, name) == 0)
            return &stats->layer[i];
    fail_msg("there is no layer %s", name);
    return NULL;
}

static void assert_layer(const struct stats *stats, const char *name, int64_t parameters,
                         int64_t operations)
{
    const struct layer *layer = layer_named(stats, name);
    assert_int_equal(parameters, layer->parameters);
    assert_int_equal(operations, layer->operations);
}

static void counts_layers(void **state)
{
    (void)state;
    struct model model = small_model();
    struct stats stats;
    /* Operations are per image, whatever the batch. */
    struct module *module = graph_from_model(&model, 5, 1, 0, NULL);
    graph_stats(module, COUNT_MACS, &stats);
    const int64_t pixels = 4 * 3;
    assert_layer(&stats, "conv_in", 3 * 4, 8 * 6 * 3 * 4);
    assert_layer(&stats, "bn_in", 2 * 4, 0);
    assert_layer(&stats, "conv0", 4 * 32, pixels * 4 * 32);
    assert_layer(&stats, "layer0.0.sam.conv1", 32 * 2 + 2, pixels * 32 * 2);
    assert_layer(&stats, "layer0.0.sam.conv_p", 2 * 2 + 2, 0); /* known when compiled */
    assert_layer(&stats, "layer0.0.sam.conv_w.2", 4 * 2, pixels * 9 * 4 * 2);
    assert_layer(&stats, "layer0.0.sam.conv_w.5", 2 * 1 + 1, pixels * 9 * 2);
    assert_layer(&stats, "layer0.0.sam", 0, pixels * 9 * 8);
    assert_layer(&stats, "fc", 32 * 10 + 10, 320);
    stats_free(&stats);
    module_free(module);
}

static void counts_dot_products(void **state)
{
    (void)state;
    struct model model = small_model();
    struct stats stats;
    model.stage[0].attention.relation = relation_kind_dot;
    struct module *module = graph_from_model(&model, 1, 1, 0, NULL);
    graph_stats(module, COUNT_MACS, &stats);
    assert_layer(&stats, "layer0.0.sam", 0, 4 * 3 * 9 * (2 + 8));
    stats_free(&stats);
    module_free(module);
}

static void sums_are_of_the_layers(void **state)
{
    (void)state;
    struct model model = small_model();
    struct stats stats;
    struct module *module = graph_from_model(&model, 1, 1, 0, NULL);
    graph_stats(module, COUNT_PAPER, &stats);
    int64_t parameters = 0, operations = 0;
    for (int i = 0; i < stats.count; i++) {
        parameters += stats.layer[i].parameters;
        operations += stats.layer[i].operations;
    }
    assert_int_equal(parameters, stats.parameters);
    assert_int_equal(operations, stats.operations);
    stats_free(&stats);
    module_free(module);
}

/* SAN10, 15 and 19 of the paper's table 2. */
struct san {
    int blocks[5];
    bool patchwise;
    double parameters, flops; /* in millions, in thousands of millions, as printed there */
};

static struct model san_model(const struct san *san)
{
    struct model model = {.name = "san",
                          .channels = 3,
                          .height = 224,
                          .width = 224,
                          .classes = 1000,
                          .stem_channels = 64,
                          .stages = 5};
    const int channels[5] = {64, 256, 512, 1024, 2048};
    for (int i = 0; i < 5; i++) {
        struct attention a = pairwise;
        if (san->patchwise)
            a = (struct attention){.patchwise = true,
                                   .relation = relation_kind_concatenation,
                                   .mapping = 2,
                                   .dilation = 1,
                                   .share = 8};
        a.footprint = i == 0 ? 3 : 7;
        a.relation_channels = channels[i] / 16;
        a.value_channels = channels[i] / 4;
        model.stage[i] =
            (struct stage){.blocks = san->blocks[i], .channels = channels[i], .attention = a};
    }
    return model;
}

static void agrees_with_the_paper(void **state)
{
    (void)state;
    static const struct san table[] = {
        {{2, 1, 2, 4, 1}, false, 10.5, 2.2}, {{2, 1, 2, 4, 1}, true, 11.8, 1.9},
        {{3, 2, 3, 5, 2}, false, 14.1, 3.0}, {{3, 2, 3, 5, 2}, true, 16.2, 2.6},
        {{3, 3, 4, 6, 3}, false, 17.6, 3.8}, {{3, 3, 4, 6, 3}, true, 20.5, 3.3},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct model model = san_model(&table[i]);
        struct stats stats;
        struct module *module = graph_from_model(&model, 1, 1, 0, NULL);
        graph_stats(module, COUNT_PAPER, &stats);
        assert_float_equal(table[i].parameters, (float)stats.parameters / 1e6f, 0.05);
        assert_float_equal(table[i].flops, (float)stats.operations / 1e9f, 0.05);
        stats_free(&stats);
        module_free(module);
    }
}

/* What a kernel reads twice counts once, what it does not reach does not count, and kernels of
 * other targets do not. */
static void counts_traffic(void **state)
{
    (void)state;
    struct module *module = module_of(12, 12, "%0 = fill { value = 1.0, shape = [8] } : f32[8]\n",
                                      "x : input f32[12]\n"
                                      "out : output f32[12]\n"
                                      "w : weights f32[8] = %0\n"
                                      "kernel a {\n"
                                      "for i in 8\n"
                                      "out[i] = ((x[i] * w[i]) + (x[i + 1] * w[i]))\n"
                                      "}\n"
                                      "kernel rest target \"x86-64-v3\" {\n"
                                      "for i in 2, j in 2\n"
                                      "out[8 + 2 * i + j] = w[7 * i]\n"
                                      "}\n"
                                      "kernel other target \"x86-64-v4\" {\n"
                                      "for i in 4\n"
                                      "out[i + 8] = x[i]\n"
                                      "}\n");
    struct traffic traffic;
    module_traffic(module, "x86-64-v3", &traffic);
    assert_int_equal(2, traffic.count);
    assert_string_equal("a", traffic.kernel[0].name);
    assert_int_equal(4 * (9 + 8), traffic.kernel[0].read);
    assert_int_equal(4 * 8, traffic.kernel[0].written);
    assert_int_equal(4 * 2, traffic.kernel[1].read); /* two elements, seven apart */
    assert_int_equal(4 * 4, traffic.kernel[1].written);
    assert_int_equal(4 * (9 + 8 + 2), traffic.read);
    assert_int_equal(4 * (8 + 4), traffic.written);
    traffic_free(&traffic);
    module_free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_layers),          cmocka_unit_test(counts_dot_products),
        cmocka_unit_test(sums_are_of_the_layers), cmocka_unit_test(agrees_with_the_paper),
        cmocka_unit_test(counts_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
