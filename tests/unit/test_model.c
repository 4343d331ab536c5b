/* What valid model files mean. Errors of invalid ones are in tests/errors. */
#include "model.h"
#include "model_fields.h"
#include "scratch.h"
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A model of one stage with two blocks, 32 channels, and these attention objects. */
static enum status read_attention(const char *of_model, const char *of_stage, struct model *model)
{
    char text[2048];
    int size = snprintf(text, sizeof text,
                        "{\"format\": \"san\", \"version\": 1, \"name\": \"net\", \"classes\": 10,"
                        "\"input\": {\"height\": 32, \"width\": 32}, \"attention\": {%s},"
                        "\"stages\": [{\"blocks\": 2, \"channels\": 32, \"attention\": {%s}}]}",
                        of_model, of_stage);
    scratch_write("model.json", text, (size_t)size);
    return model_read(scratch("model.json"), model);
}

static struct attention attention(const char *of_model, const char *of_stage)
{
    struct model model;
    assert_int_equal(read_attention(of_model, of_stage, &model), STATUS_DONE);
    return model.stage[0].attention;
}

static enum status read_text(const char *text, struct model *model)
{
    scratch_write("model.json", text, strlen(text));
    return model_read(scratch("model.json"), model);
}

static void test_defaults(void **state)
{
    (void)state;
    struct model model;
    assert_int_equal(read_text("{\"stages\": [{\"channels\": 200, \"blocks\": 1}], \"classes\": 7,"
                               "\"name\": \"_n2\", \"version\": 1, \"format\": \"san\","
                               "\"attention\": {\"share\": 5}}",
                               &model),
                     STATUS_DONE);
    assert_string_equal(model.name, "_n2");
    assert_int_equal(model.channels, 3);
    assert_int_equal(model.height, 224);
    assert_int_equal(model.width, 224);
    assert_int_equal(model.stem_channels, 64);
    assert_int_equal(model.classes, 7);
    assert_int_equal(model.stages, 1);
    assert_int_equal(model.stage[0].blocks, 1);
    const struct attention *a = &model.stage[0].attention;
    assert_int_equal(a->relation_channels, 12);
    assert_int_equal(a->value_channels, 50);
    assert_int_equal(a->share, 5);
}

static void test_defaults_by_type(void **state)
{
    (void)state;
    struct attention a = attention("", "");
    assert_false(a.patchwise);
    assert_int_equal(a.relation, relation_kind_subtraction);
    assert_int_equal(a.mapping, 2);
    assert_int_equal(a.position, POSITION_RELATIVE);
    assert_true(a.softmax);
    assert_int_equal(a.footprint, 7);
    assert_int_equal(a.dilation, 1);
    assert_int_equal(a.padding, PADDING_REFLECT);
    assert_int_equal(a.share, 8);
    assert_int_equal(a.relation_channels, 2);
    assert_int_equal(a.value_channels, 8);
    assert_int_equal(a.transforms, TRANSFORMS_DISTINCT);
    a = attention("", "\"type\": \"patchwise\"");
    assert_true(a.patchwise);
    assert_int_equal(a.relation, relation_kind_concatenation);
    assert_int_equal(a.mapping, 2);
    assert_int_equal(a.position, POSITION_NONE);
    assert_false(a.softmax);
}

static void test_stage_over_model(void **state)
{
    (void)state;
    struct attention a = attention("\"share\": 4, \"softmax\": false, \"footprint\": 5",
                                   "\"share\": 2, \"padding\": \"zero\"");
    assert_int_equal(a.share, 2);
    assert_false(a.softmax);
    assert_int_equal(a.footprint, 5);
    assert_int_equal(a.padding, PADDING_ZERO);
    /* a type laid over, and the relation and the position with it */
    a = attention("\"type\": \"patchwise\", \"relation\": \"clique\"",
                  "\"type\": \"pairwise\", \"relation\": \"dot\", \"position\": \"absolute\"");
    assert_int_equal(a.relation, relation_kind_dot);
    assert_int_equal(a.position, POSITION_ABSOLUTE);
    /* a relation that both types have */
    a = attention("\"relation\": \"concatenation\"", "\"type\": \"patchwise\"");
    assert_int_equal(a.relation, relation_kind_concatenation);
    assert_int_equal(a.position, POSITION_NONE);
}

static void test_tied_defaults(void **state)
{
    (void)state;
    struct attention a = attention("", "\"transforms\": \"phi=psi=beta\"");
    assert_int_equal(a.relation_channels, 8);
    assert_int_equal(a.value_channels, 8);
    a = attention("\"transforms\": \"phi=psi=beta\"", "\"value_channels\": 24");
    assert_int_equal(a.relation_channels, 24);
    a = attention("", "\"transforms\": \"phi=psi\"");
    assert_int_equal(a.relation_channels, 2);
    assert_int_equal(a.transforms, TRANSFORMS_PHI_PSI);
}

/* The mapping is left out where the relation is as wide as the weights. */
static void test_no_mapping(void **state)
{
    (void)state;
    static const char *const good[] = {
        "\"share\": 2",                                                       /* 2 + 2 = 8 / 2 */
        "\"relation_channels\": 4, \"share\": 2, \"position\": \"none\"",     /* 4 = 8 / 2 */
        "\"relation_channels\": 4, \"share\": 1, \"position\": \"absolute\"", /* 4 + 4 = 8 / 1 */
        "\"relation\": \"dot\", \"position\": \"none\"",                      /* 1 = 8 / 8 */
        "\"relation\": \"concatenation\", \"share\": 2, \"position\": \"none\""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(attention("\"mapping\": 0", good[i]).mapping, 0);
    struct model model;
    assert_int_equal(read_attention("\"mapping\": 0", "", &model), STATUS_INPUT);
}

static void test_limits(void **state)
{
    (void)state;
    struct model model;
    /* maps of 16 x 16: the border is 15 pixels at most */
    assert_int_equal(read_attention("\"dilation\": 5", "", &model), STATUS_DONE);
    assert_int_equal(read_attention("\"dilation\": 3", "\"footprint\": 11", &model), STATUS_DONE);
    assert_int_equal(read_attention("\"dilation\": 8", "\"footprint\": 5", &model), STATUS_INPUT);
    assert_int_equal(
        read_attention("\"dilation\": 8, \"padding\": \"zero\"", "\"footprint\": 15", &model),
        STATUS_DONE);
    assert_int_equal(read_attention("\"relation_channels\": 65536, \"value_channels\": 65536",
                                    "\"share\": 65536, \"footprint\": 1, \"mapping\": 3", &model),
                     STATUS_DONE);
}

/* Without blocks only types and ranges count. */
static void test_no_blocks(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format\": \"san\", \"version\": 1, \"classes\": 1000000, \"name\": \"%s\","
        "\"input\": {\"channels\": 1024, \"height\": 4096, \"width\": 4096},"
        "\"stem_channels\": 65536, \"attention\": {\"type\": \"patchwise\", \"relation\": \"dot\"},"
        "\"stages\": [{\"blocks\": 0, \"channels\": 1, \"attention\": {\"mapping\": 0, \"share\": "
        "3}},"
        "{\"blocks\": 0, \"channels\": 1}, {\"blocks\": 0, \"channels\": 65536}]}";
    char name[MAX_NAME + 1], filled[sizeof text + MAX_NAME];
    memset(name, 'n', MAX_NAME);
    name[MAX_NAME] = 0;
    snprintf(filled, sizeof filled, text, name);
    struct model model;
    assert_int_equal(read_text(filled, &model), STATUS_DONE);
    assert_int_equal(model.stages, 3);
    assert_int_equal(model.stage[2].channels, 65536);
    assert_string_equal(model.name, name);
}

static void test_field_table(void **state)
{
    (void)state;
    for (enum field_id id = 0; id < FIELD_COUNT; id++) {
        const struct field *field = &model_field[id];
        char allowed[FIELD_ALLOWED];
        assert_int_equal(field_find(field->object, field->name), id);
        assert_true(strlen(field_allowed(id, -1, allowed)) > 0);
        for (int type = 0; type < 2; type++) {
            const struct field_range *range = &field->range[type];
            assert_true(range->initial < 0 ||
                        (range->initial >= range->least && range->initial <= range->most));
            assert_true((range->initial == FIELD_DERIVED) == (field->derived != NULL));
            if (field->kind == FIELD_CHOICE)
                assert_non_null(field->choice[range->most]);
        }
    }
    assert_int_equal(field_find(OBJECT_MODEL, "Name"), FIELD_COUNT);
    assert_int_equal(field_find(OBJECT_STAGE, "height"), FIELD_COUNT);
}

static void test_models_on_disk(void **state)
{
    (void)state;
    static const char *const pattern[] = {
        "../shared/cases/*/model.json", "../shared/digits/*/model.json", "examples/models/*.json"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof pattern / sizeof *pattern; i++) {
        glob_t found;
        if (glob(pattern[i], 0, NULL, &found) == 0) {
            for (size_t j = 0; j < found.gl_pathc; j++, count++) {
                struct model model;
                if (model_read(found.gl_pathv[j], &model) != STATUS_DONE)
                    fail_msg("%s is refused", found.gl_pathv[j]);
            }
            globfree(&found);
        }
    }
    assert_true(count >= 6); /* those of ../shared may be missing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_defaults_by_type),
        cmocka_unit_test(test_stage_over_model), cmocka_unit_test(test_tied_defaults),
        cmocka_unit_test(test_no_mapping),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_blocks),        cmocka_unit_test(test_field_table),
        cmocka_unit_test(test_models_on_disk),
    };
    return cmocka_run_group_tests_name("model", tests, scratch_make, scratch_remove);
}
