/* Operations, bytes and cycles of kernels against counts made by hand. */
#include "cost.h"
#include "eval_text.h"
#include "model_graph.h"
#include "passes.h"
#include "predict_module.h"
#include "stats.h"
#include <string.h>

static struct work *first_work(const struct module *module)
{
    return work_new(module->kernels);
}

/* Bytes of the buffer with that name among what was counted. */
static double bytes_of(const struct work *work, const double *bytes, const char *name)
{
    for (int i = 0; i < work->buffers; i++)
        if (strcmp(work->buffer[i]->name, name) == 0)
            return bytes[i];
    fail_msg("no access of %s", name);
    return 0;
}

static int64_t touched(const struct work *work, unsigned kinds, const char *name)
{
    int64_t bytes[16];
    assert_true(work->buffers <= 16);
    work_footprint(work, kinds, bytes);
    for (int i = 0; i < work->buffers; i++)
        if (strcmp(work->buffer[i]->name, name) == 0)
            return bytes[i];
    fail_msg("no access of %s", name);
    return 0;
}

/* 64 x 16 by 16 x 32: 64 32 (16 multiply-adds, a maximum, and the 16 additions of the sum). */
static const char product[] = "x : input f32[64, 16]\n"
                              "result : output f32[1, 64]\n"
                              "y : workspace f32[64, 32]\n"
                              "w : weights f32[16, 32] = %1\n"
                              "kernel k {\n"
                              "for p in 64, n in 32\n"
                              "  y[p, n] = max(sum k in 16 (x[p, k] * w[k, n]), 0)\n"
                              "for i in 64\n"
                              "  result[0, i] = exp(y[i, 0] - x[i, 0])\n"
                              "}\n";
static const char weights[] = "%0 = input { shape = [1, 1, 1, 1024] } : f32[1, 1, 1, 1024]\n"
                              "%1 = parameter { name = \"s\", shape = [16, 32] } : f32[16, 32]\n";

static void counts_operations(void **state)
{
    (void)state;
    struct module *module = module_of(1024, 64, weights, product);
    struct work *work = first_work(module);
    assert_int_equal(64 * 32 * 16, work->ops[SCALAR_mul]);
    assert_int_equal(64 * 32 * 16, work->ops[SCALAR_sum]);
    assert_int_equal(64 * 32 * 16 * 2 + 64 * 2, work->ops[SCALAR_load]);
    assert_int_equal(64 * 32 + 64, work->stores);
    assert_int_equal(64, work->ops[SCALAR_exp]);
    assert_int_equal(64 * 32 * (16 + 16 + 1) + 64, work_flops(work));
    work_free(work);
    module_free(module);
}

static void counts_distinct_bytes(void **state)
{
    (void)state;
    struct module *module = module_of(1024, 64, weights, product);
    struct work *work = first_work(module);
    assert_int_equal(4 * 64 * 16, touched(work, ACCESS_READ, "x"));
    assert_int_equal(4 * 16 * 32, touched(work, ACCESS_READ, "w"));
    assert_int_equal(4 * 64, touched(work, ACCESS_READ, "y")); /* a column */
    assert_int_equal(4 * 64 * 32, touched(work, ACCESS_WRITE, "y"));
    assert_int_equal(0, touched(work, ACCESS_WRITE, "x"));
    work_free(work);
    module_free(module);
}

/* A window that slides over 12 x 10, cut at div and mod, through a table. */
static void counts_windows_once(void **state)
{
    (void)state;
    struct module *module =
        module_of(120, 80,
                  "%0 = input { shape = [1, 1, 1, 120] } : f32[1, 1, 1, 120]\n"
                  "%1 = parameter { name = \"s\", shape = [80] } : f32[80]\n",
                  "image : input f32[12, 10]\n"
                  "result : output f32[10, 8]\n"
                  "rows : weights i32[80] = %1\n"
                  "kernel k {\n"
                  "for y in 10, x in 8\n"
                  "  result[y, x] = sum dy in 3, dx in 3 (image[y + dy, x + dx])\n"
                  "for i in 16\n"
                  "  result[i div 8, i mod 8] = image[rows{12}[i], 3]\n"
                  "}\n");
    struct work *work = first_work(module);
    assert_int_equal(4 * 12 * 10, touched(work, ACCESS_READ, "image"));
    assert_int_equal(4 * 10 * 8, touched(work, ACCESS_WRITE, "result"));
    work_free(work);
    module_free(module);
}

/* x (16 KiB) is read for each of 8 columns of w. A cache of 32 KiB keeps it; one of 8 KiB does not,
 * but keeps w and y. */
static void counts_what_caches_miss(void **state)
{
    (void)state;
    struct module *module =
        module_of(4096, 8,
                  "%0 = input { shape = [1, 1, 1, 4096] } : f32[1, 1, 1, 4096]\n"
                  "%1 = parameter { name = \"s\", shape = [8] } : f32[8]\n",
                  "x : input f32[4096]\n"
                  "w : weights f32[8] = %1\n"
                  "y : output f32[8]\n"
                  "kernel k {\n"
                  "for n in 8\n"
                  "  y[n] = sum k in 4096 (x[k] * w[n])\n"
                  "}\n");
    struct work *work = first_work(module);
    double bytes[3];
    work_misses(work, 32 << 10, bytes);
    assert_int_equal(4 * 4096, bytes_of(work, bytes, "x"));
    assert_int_equal(4 * 8, bytes_of(work, bytes, "y"));
    work_misses(work, 8 << 10, bytes);
    assert_int_equal(8 * 4 * 4096, bytes_of(work, bytes, "x"));
    assert_int_equal(4 * 8, bytes_of(work, bytes, "w"));
    work_free(work);
    module_free(module);
}

/* ---- cycles ---------------------------------------------------------------------------------- */

/* 6 x 16 accumulators of 8 lanes: 12 FMAs, 2 loads of w and 6 of x for each of 1000 k. */
static const char tile[] =
    "x : input f32[6, 1000]\n"
    "w : weights f32[1000, 16] = %%1\n"
    "y : output f32[6, 16]\n"
    "kernel k target \"x86-64-v3\" {\n"
    "acc : registers f32[6, 16]\n"
    "for i in 6 unroll, g in 2 unroll, v in 8 vector\n"
    "  acc[i, 8*g + v] = 0\n"
    "for k in 1000, i2 in %s unroll, g2 in 2 unroll, v2 in 8 vector\n"
    "  acc[i2, 8*g2 + v2] = fma(x[i2, k], w[k, 8*g2 + v2], acc[i2, 8*g2 + v2])\n"
    "for i3 in 6 unroll, g3 in 2 unroll, v3 in 8 vector\n"
    "  y[i3, 8*g3 + v3] = %s\n"
    "}\n";

static struct prediction predicted_tile(const char *rows, const char *value)
{
    struct error error;
    struct target target = *target_find("x86-64-v3", &error);
    target.l1_bytes = target.l2_bytes = 1 << 30;
    struct arena *arena = arena_new();
    struct module *module =
        module_from(false, 6000, 96,
                    "%0 = input { shape = [1, 1, 1, 6000] } : f32[1, 1, 1, 6000]\n"
                    "%1 = parameter { name = \"s\", shape = [1000, 16] } : f32[1000, 16]\n",
                    arena_printf(arena, tile, rows, value));
    struct prediction prediction;
    kernel_predict(module->kernels, &target, 1e9, &prediction);
    prediction_free(&prediction);
    module_free(module);
    arena_free(arena);
    return prediction;
}

static void assert_near(double expected, double found)
{
    if (!(found >= 0.9 * expected && found <= 1.1 * expected))
        fail_msg("%g, expected about %g", found, expected);
}

static void predicts_what_binds(void **state)
{
    (void)state;
    struct prediction full = predicted_tile("6", "acc[i3, 8*g3 + v3]");
    assert_int_equal(BOUND_FMA, full.cost.bound);
    assert_near(1000 * 12 / 2, (double)full.cycles_of[BOUND_FMA]);
    assert_near(1000 * 4 * (16 + 6) + 4 * 96, (double)full.cost.l1_bytes);
    struct prediction few = predicted_tile("1", "acc[i3, 8*g3 + v3]"); /* two chains of 4 cycles */
    assert_int_equal(BOUND_LATENCY, few.cost.bound);
    assert_near(1000 * 4, few.cycles_of[BOUND_LATENCY]);
    assert_near(1000 * 2 / 2, few.alone[BOUND_FMA]); /* also of loops that something else binds */
    struct prediction many = predicted_tile("6", "exp(acc[i3, 8*g3 + v3])");
    assert_int_equal(12 * 15 / 3,
                     many.cycles_of[BOUND_VECTOR]); /* 15 operations each, 3 in a cycle */
    assert_near(
        12 * 5,
        predicted_tile("6", "acc[i3, 8*g3 + v3] / acc[i3, 8*g3 + v3]").cycles_of[BOUND_VECTOR]);
    assert_true(many.cost.cycles > full.cost.cycles);
    assert_int_equal(96, many.cost.exps);
}

/* What a loop stores to the stack it loads again and uses anew each time, whatever the index. */
static void predicts_what_a_loop_changes(void **state)
{
    (void)state;
    struct error error;
    struct target target = *target_find("x86-64-v3", &error);
    target.l1_bytes = target.l2_bytes = 1 << 30;
    struct module *module =
        module_of(800, 800, "%0 = input { shape = [1, 1, 1, 800] } : f32[1, 1, 1, 800]\n",
                  "x : input f32[800]\n"
                  "y : output f32[800]\n"
                  "kernel k {\n"
                  "t : stack f32[8]\n"
                  "for b in 100 {\n"
                  "  for v in 8 vector t[v] = x[8*b + v]\n"
                  "  for v2 in 8 vector y[8*b + v2] = exp(t[v2])\n"
                  "}\n"
                  "}\n");
    struct prediction prediction;
    kernel_predict(module->kernels, &target, 1e9, &prediction);
    assert_near(100 * 15 / 3.0, prediction.alone[BOUND_VECTOR]);
    assert_int_equal(100 * 8 * 4 * 4, prediction.cost.l1_bytes); /* two loads, two stores */
    prediction_free(&prediction);
    module_free(module);
}

/* A stream of 64 KiB past a cache of 1 KiB. */
static int64_t predicted_stream(const char *ahead)
{
    struct error error;
    struct target target = *target_find("x86-64-v3", &error);
    target.l1_bytes = 1 << 30;
    target.l2_bytes = 1 << 10;
    struct arena *arena = arena_new();
    struct module *module =
        module_of(1, 8,
                  "%0 = input { shape = [1, 1, 1, 1] } : f32[1, 1, 1, 1]\n"
                  "%1 = parameter { name = \"s\", shape = [2048, 8] } : f32[2048, 8]\n",
                  arena_printf(arena,
                               "x : input f32[1]\n"
                               "w : weights f32[2048, 8] = %%1\n"
                               "y : output f32[8]\n"
                               "kernel k {\n"
                               "acc : registers f32[8]\n"
                               "for v in 8 vector acc[v] = x[0]\n"
                               "for k in 2048 {\n"
                               "  %s\n"
                               "  for v2 in 8 vector acc[v2] = fma(w[k, v2], w[k, v2], acc[v2])\n"
                               "}\n"
                               "for v3 in 8 vector y[v3] = acc[v3]\n"
                               "}\n",
                               ahead));
    struct prediction prediction;
    kernel_predict(module->kernels, &target, 0, &prediction);
    prediction_free(&prediction);
    module_free(module);
    arena_free(arena);
    return prediction.cost.cycles;
}

static void predicts_what_prefetches_hide(void **state)
{
    (void)state;
    double stream = 4.0 * 2048 * 8 / 6; /* bytes, 6 of them a cycle; beside a chain of 4 cycles */
    double without = (double)predicted_stream("");
    double ahead = (double)predicted_stream("prefetch w[(k + 16) mod 2048, 0]");
    assert_near(2048 * 4 + 0.6 * stream, without);
    assert_near(stream, ahead); /* longer than the arithmetic, so that all of that is hidden */
}

/* ---- whole networks -------------------------------------------------------------------------- */

static const struct attention attention = {
    .relation = relation_kind_subtraction,
    .mapping = 2,
    .softmax = true,
    .footprint = 3,
    .dilation = 1,
    .share = 8,
    .relation_channels = 2,
    .value_channels = 8,
};

/* Whatever the passes do, the products that they schedule are those of the network. */
static void multiplies_what_the_network_does(void **state)
{
    (void)state;
    static const char *const targets[] = {"x86-64-v4"};
    struct model model = {.name = "small",
                          .channels = 3,
                          .height = 8,
                          .width = 6,
                          .classes = 10,
                          .stem_channels = 4,
                          .stages = 1};
    model.stage[0] = (struct stage){.blocks = 2, .channels = 32, .attention = attention};
    struct module *module = graph_from_model(&model, 1, 1, 1, targets);
    struct stats stats;
    graph_stats(module, COUNT_MACS, &stats);
    assert_int_equal(STATUS_DONE, passes_run(module, NULL, NULL));
    int64_t fmas = 0;
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next) {
        struct work *work = work_new(kernel);
        fmas += work->ops[SCALAR_fma];
        assert_non_null(kernel->cost);
        assert_int_equal(work_flops(work), kernel->cost->flops);
        assert_true(kernel->cost->cycles > 0);
        work_free(work);
    }
    assert_int_equal(stats.operations, fmas);
    stats_free(&stats);
    module_free(module);
}

/* Costs in a text are replaced, so that an edited kernel does not keep old ones. */
static void says_costs_anew(void **state)
{
    (void)state;
    struct module *module = module_of(1024, 64, weights, product);
    module->kernels->cost = ARENA_NEW(module->arena, struct cost);
    *module->kernels->cost = (struct cost){.flops = 1, .cycles = 1};
    module_write_costs(module);
    assert_int_equal(64 * 32 * 33 + 64, module->kernels->cost->flops);
    assert_int_equal(0, module->kernels->cost->cycles); /* no target, no schedule */
    module_free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_operations),
        cmocka_unit_test(counts_distinct_bytes),
        cmocka_unit_test(counts_windows_once),
        cmocka_unit_test(counts_what_caches_miss),
        cmocka_unit_test(predicts_what_binds),
        cmocka_unit_test(predicts_what_a_loop_changes),
        cmocka_unit_test(predicts_what_prefetches_hide),
        cmocka_unit_test(multiplies_what_the_network_does),
        cmocka_unit_test(says_costs_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
