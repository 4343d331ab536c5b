/* Schedules by what kernels compute: their text, which one counts, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model.h"
#include "model_graph.h"
#include "passes.h"
#include "signature.h"
#include "tunings.h"
#include <stdlib.h>
#include <string.h>

/* ---- the text -------------------------------------------------------------------------------- */

static const char text[] =
    "sansched 1\n"
    "\n"
    "kernel \"first #1\" {\n"
    "  measured { us = 12.5, chosen = 13.0, noise = 0.25, tried = 7 }\n"
    "  schedule \"x86-64-v3\" {\n"
    "    tile 3\n"
    "  }\n"
    "}\n"
    "\n"
    "kernel \"second #2\" {\n"
    "  schedule \"x86-64-v3\" {\n"
    "    tile 4\n"
    "    nest 0 rows 4 columns 16 vector 8\n"
    "  }\n"
    "}\n"
    "\n"
    "kernel \"second #2\" {\n"
    "  measured { us = 1.0, chosen = 1.0, noise = 0.00, tried = 1, unfinished }\n"
    "  schedule \"x86-64-v4\" {\n"
    "    tile 5\n"
    "  }\n"
    "}\n";

static struct tunings *parse(const char *of)
{
    struct error error = {0};
    struct tunings *tunings = tunings_parse(of, strlen(of), "x.sched", &error);
    if (!tunings)
        fail_msg("%d:%d: %s", error.at.line, error.at.column, error.text);
    return tunings;
}

static char *print(const struct tunings *tunings)
{
    char *result = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&result, &size);
    assert_non_null(file);
    tunings_print(tunings, file);
    fclose(file);
    return result;
}

static void reads_back(void **state)
{
    (void)state;
    struct tunings *tunings = parse(text);
    char *again = print(tunings);
    assert_string_equal(text, again);
    assert_int_equal(7, tunings->first->measured.tried);
    assert_true(tunings_find(tunings, "second #2", "x86-64-v4")->measured.unfinished);
    free(again);
    tunings_free(tunings);
}

static const char *tile_of(const struct tunings *tunings, const char *signature, const char *target)
{
    const struct tuning *found = tunings_find(tunings, signature, target);
    return found ? found->schedule->commands->operand[0] : "none";
}

static void keeps_targets_apart(void **state)
{
    (void)state;
    struct tunings *tunings = parse(text);
    assert_string_equal("3", tile_of(tunings, "first #1", "x86-64-v3"));
    assert_string_equal("4", tile_of(tunings, "second #2", "x86-64-v3"));
    assert_string_equal("5", tile_of(tunings, "second #2", "x86-64-v4"));
    assert_string_equal("none", tile_of(tunings, "first #1", "x86-64-v4"));
    assert_string_equal("none", tile_of(tunings, "first", "x86-64-v3"));
    tunings_free(tunings);
}

/* Of joined texts the last one counts; where it is refused, the one before. */
static void takes_the_last(void **state)
{
    (void)state;
    char joined[2 * sizeof text];
    snprintf(joined, sizeof joined, "%s%s", text, text);
    char *second = strstr(joined + strlen(text), "tile 3");
    memcpy(second, "tile 9", 6);
    struct tunings *tunings = parse(joined);
    assert_string_equal("9", tile_of(tunings, "first #1", "x86-64-v3"));
    struct error why = {.at = {3, 4}, .text = "no"};
    tunings_refuse(tunings, tunings_find(tunings, "first #1", "x86-64-v3"), &why);
    assert_string_equal("3", tile_of(tunings, "first #1", "x86-64-v3"));
    tunings_refuse(tunings, tunings_find(tunings, "first #1", "x86-64-v3"), &why);
    assert_string_equal("none", tile_of(tunings, "first #1", "x86-64-v3"));
    assert_int_equal(2, tunings->refusals);
    assert_string_equal("x.sched", tunings->refused[0]->refused->file);
    tunings_free(tunings);
}

/* ---- signatures ------------------------------------------------------------------------------ */

enum { MOST_KERNELS = 64 };

struct signatures {
    int count;
    char *of[MOST_KERNELS];
    char *name[MOST_KERNELS];
};

/* The signatures of a model's kernels. */
static struct signatures signatures_of(const struct model *model, int64_t batch, int64_t threads)
{
    const char *target = "x86-64-v3";
    struct module *m = graph_from_model(model, batch, threads, 1, &target);
    struct signatures found = {0};
    assert_int_equal(STATUS_DONE, passes_run(m, "update_in_place", NULL));
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        assert_in_range(found.count, 0, MOST_KERNELS - 1);
        found.name[found.count] = strdup(kernel->name);
        found.of[found.count++] = strdup(kernel_signature(m, nests_find(m, kernel)));
    }
    module_free(m);
    return found;
}

static void signatures_free(struct signatures *s)
{
    for (int i = 0; i < s->count; i++) {
        free(s->of[i]);
        free(s->name[i]);
    }
}

/* How many of `a` are in `b`. */
static int known(const struct signatures *a, const struct signatures *b)
{
    int count = 0;
    for (int i = 0; i < a->count; i++) {
        int j = 0;
        while (j < b->count && strcmp(a->of[i], b->of[j]) != 0)
            j++;
        count += j < b->count;
    }
    return count;
}

static struct model small_model(int blocks)
{
    struct model model = {.name = "small",
                          .channels = 3,
                          .height = 16,
                          .width = 12,
                          .classes = 10,
                          .stem_channels = 8,
                          .stages = 2};
    const struct attention attention = {.relation = relation_kind_subtraction,
                                        .mapping = 2,
                                        .position = POSITION_RELATIVE,
                                        .softmax = true,
                                        .footprint = 3,
                                        .dilation = 1,
                                        .share = 8,
                                        .relation_channels = 8,
                                        .value_channels = 16};
    model.stage[0] = (struct stage){.blocks = 1, .channels = 32, .attention = attention};
    model.stage[1] = (struct stage){.blocks = blocks, .channels = 32, .attention = attention};
    return model;
}

/* Another name, or more blocks: the same kernels, however they are called. */
static void signatures_have_no_names(void **state)
{
    (void)state;
    struct model model = small_model(1), deeper = small_model(3);
    snprintf(deeper.name, sizeof deeper.name, "deeper");
    struct signatures few = signatures_of(&model, 1, 1), many = signatures_of(&deeper, 1, 1);
    assert_true(many.count > few.count);
    /* but a linear and the next block's residual, which no last block has */
    assert_in_range(many.count - known(&many, &few), 0, 2);
    assert_in_range(known(&many, &few), few.count + 5, many.count);
    assert_string_equal(few.of[0], many.of[0]);
    const char *begin = "1x8x6 pixels: 2x2x8 sum 3, 8 maximum 2x2, 32 sum 8 #";
    assert_memory_equal(begin, few.of[0], strlen(begin));
    assert_int_equal(strlen(begin) + 16, strlen(few.of[0]));
    signatures_free(&few);
    signatures_free(&many);
}

/* Other sizes, and other numbers of threads. */
static void signatures_differ(void **state)
{
    (void)state;
    struct model model = small_model(1), wider = model, valued = model;
    wider.width *= 2;
    valued.stage[0].attention.value_channels *= 2;
    struct signatures one = signatures_of(&model, 1, 1), two = signatures_of(&model, 2, 1),
                      threads = signatures_of(&model, 1, 2), wide = signatures_of(&wider, 1, 1),
                      values = signatures_of(&valued, 1, 1);
    assert_int_equal(one.count, known(&one, &one));
    assert_int_equal(0, known(&one, &two));
    assert_int_equal(0, known(&one, &threads));
    assert_in_range(known(&one, &wide), 0, 2); /* the classifier */
    assert_true(known(&one, &values) >= one.count / 2 && known(&one, &values) < one.count);
    signatures_free(&one);
    signatures_free(&two);
    signatures_free(&threads);
    signatures_free(&wide);
    signatures_free(&values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back),        cmocka_unit_test(keeps_targets_apart),
        cmocka_unit_test(takes_the_last),    cmocka_unit_test(signatures_have_no_names),
        cmocka_unit_test(signatures_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
