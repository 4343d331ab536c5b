/* The smallest model that fails, and random weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model_shrink.h"
#include "model_write.h"
#include "reduce.h"
#include <math.h>
#include <string.h>

static const double SECONDS = 60;

static struct model large(void)
{
    struct model model = {.name = "large",
                          .channels = 3,
                          .height = 96,
                          .width = 64,
                          .classes = 10,
                          .stem_channels = 16,
                          .stages = 3};
    for (int i = 0; i < 3; i++)
        model.stage[i] = (struct stage){.blocks = 2,
                                        .channels = 32 << i,
                                        .attention = {.relation = relation_kind_subtraction,
                                                      .mapping = 2,
                                                      .position = POSITION_RELATIVE,
                                                      .softmax = true,
                                                      .footprint = i == 1 ? 5 : 3,
                                                      .dilation = 1,
                                                      .share = 8,
                                                      .relation_channels = 8,
                                                      .value_channels = 16}};
    return model;
}

static bool never(void *context, const struct model *model)
{
    (void)model;
    ++*(int *)context;
    return false;
}

static bool always(void *context, const struct model *model)
{
    (void)model;
    ++*(int *)context;
    return true;
}

/* What fails has a footprint of 5 with its softmax. */
static bool has_footprint(void *context, const struct model *model)
{
    bool found = false;
    ++*(int *)context;
    for (int i = 0; i < model->stages; i++)
        found |= model->stage[i].blocks && model->stage[i].attention.footprint == 5 &&
                 model->stage[i].attention.softmax;
    return found;
}

static void keeps_what_does_not_fail_smaller(void **state)
{
    (void)state;
    int asked = 0;
    struct model whole = large(), found = model_reduce(&whole, never, &asked, SECONDS);
    assert_true(model_equal(&whole, &found));
    assert_in_range(asked, 20, model_changes(&whole));
}

static void comes_to_the_least(void **state)
{
    (void)state;
    int asked = 0;
    struct model whole = large(), found = model_reduce(&whole, always, &asked, SECONDS);
    assert_true(model_valid(&found));
    assert_int_equal(found.stages, 1);
    assert_int_equal(found.stage[0].blocks, 0);
    assert_int_equal(found.height, 2);
    assert_int_equal(found.width, 2);
    assert_int_equal(found.channels * found.classes * found.stem_channels, 1);
    assert_true(asked < 500);
}

static void keeps_what_fails(void **state)
{
    (void)state;
    int asked = 0;
    struct model whole = large(), found = model_reduce(&whole, has_footprint, &asked, SECONDS);
    const struct attention *a = &found.stage[0].attention;
    assert_true(model_valid(&found));
    assert_int_equal(found.stages, 1);
    assert_int_equal(found.stage[0].blocks, 1);
    assert_int_equal(found.stage[0].channels, 1);
    assert_int_equal(a->footprint, 5);
    assert_true(a->softmax);
    assert_int_equal(a->position, POSITION_NONE);
    assert_int_equal(a->value_channels * a->relation_channels * a->share, 1);
    assert_int_equal(found.height, 2);
}

static void knows_the_rules(void **state)
{
    (void)state;
    struct model model = large();
    assert_true(model_valid(&model));
    model.stage[2].attention.share = 3; /* of 16 value channels */
    assert_false(model_valid(&model));
    model = large();
    model.stage[0].attention.footprint = 4;
    assert_false(model_valid(&model));
    model = large();
    model.height = 16; /* the last map has 2 lines, reflection needs 2 more than the border */
    model.stage[2].attention.footprint = 7;
    assert_false(model_valid(&model));
}

static void draws_the_same_again(void **state)
{
    (void)state;
    const struct shape rows = {2, {8, 16}}, vector = {1, {64}};
    struct drawn *one = drawn_new(), *two = drawn_new();
    struct parameters p = drawn_parameters(one), q = drawn_parameters(two);
    const double *w = p.find(p.context, "fc.weight", &rows);
    q.find(q.context, "other.weight", &rows);
    assert_memory_equal(w, q.find(q.context, "fc.weight", &rows), 128 * sizeof *w);
    assert_ptr_equal(w, p.find(p.context, "fc.weight", &rows));
    int negative = 0;
    const double *scale = p.find(p.context, "bn.weight", &vector);
    const double *variance = p.find(p.context, "bn.running_var", &vector);
    for (int i = 0; i < 64; i++) {
        negative += scale[i] < 0;
        assert_true(variance[i] > 0.5 && fabs(scale[i]) > 0.5);
        assert_true(scale[i] == (double)(float)scale[i] && w[i] == (double)(float)w[i]);
    }
    assert_in_range(negative, 1, 31);
    drawn_free(one);
    drawn_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_does_not_fail_smaller),
        cmocka_unit_test(comes_to_the_least),
        cmocka_unit_test(keeps_what_fails),
        cmocka_unit_test(knows_the_rules),
        cmocka_unit_test(draws_the_same_again),
    };
    return cmocka_run_group_tests_name("reduce", tests, NULL, NULL);
}
