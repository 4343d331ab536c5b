/* What valid weight files mean. Errors of invalid ones are in tests/errors. */
#include "file.h"
#include "safetensors.h"
#include "scratch.h"
#include "sha256.h"
#include "weights.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct weights *read_bytes(const char *header, const void *data, size_t size)
{
    size_t length = strlen(header);
    unsigned char *file = calloc(1, 8 + length + size);
    struct weights *weights;
    assert_non_null(file);
    file[0] = (unsigned char)length;
    file[1] = (unsigned char)(length >> 8);
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, data, size);
    scratch_write("w.safetensors", file, 8 + length + size);
    free(file);
    assert_int_equal(weights_read(scratch("w.safetensors"), &weights), STATUS_DONE);
    return weights;
}

/* One tensor named x of four elements. */
static struct weights *read_four(const char *dtype, const void *data, size_t size)
{
    char header[256];
    snprintf(header, sizeof header,
             "{\"x\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%zu]}}", dtype, size);
    return read_bytes(header, data, size);
}

static void assert_four(const char *dtype, const void *data, size_t size, const double expected[4])
{
    struct weights *weights = read_four(dtype, data, size);
    const double *found = weights_find(weights, "x", 4);
    assert_non_null(found);
    for (int i = 0; i < 4; i++)
        if (found[i] != expected[i] || signbit(found[i]) != signbit(expected[i]))
            fail_msg("%s: found %a, expected %a", dtype, found[i], expected[i]);
    assert_ptr_equal(weights_find(weights, "x", 4), found);
    weights_free(weights);
}

static void test_dtypes(void **state)
{
    (void)state;
    const double doubles[] = {0x1.123456789abcdp-1000, -0.0, DBL_MAX, -0x1p-1074};
    assert_four("F64", doubles, sizeof doubles, doubles);
    const float floats[] = {0x1.fffffep127f, -0.0f, 0x1p-149f, -1.5f};
    assert_four("F32", floats, sizeof floats, (const double[]){FLT_MAX, -0.0, 0x1p-149, -1.5});
    const uint16_t halves[] = {0x7bff, 0x8001, 0x3555, 0x0400};
    assert_four("F16", halves, sizeof halves,
                (const double[]){65504, -0x1p-24, 0x1.554p-2, 0x1p-14});
    const uint16_t more[] = {0x8000, 0x03ff, 0xbc00, 0x0000};
    assert_four("F16", more, sizeof more, (const double[]){-0.0, 0x3ffp-24, -1, 0});
    const uint16_t brains[] = {0x3f80, 0xff7f, 0x0001, 0x8000};
    assert_four("BF16", brains, sizeof brains, (const double[]){1, -0x1.fep127, 0x1p-133, -0.0});
}

static void test_specials(void **state)
{
    (void)state;
    const uint16_t halves[] = {0x7c00, 0xfc00, 0x7c01, 0xfe00};
    struct weights *weights = read_four("F16", halves, sizeof halves);
    const double *found = weights_find(weights, "x", 4);
    assert_true(found[0] == INFINITY && found[1] == -INFINITY && isnan(found[2]) &&
                isnan(found[3]));
    weights_free(weights);
}

static void test_other_dtypes(void **state)
{
    (void)state;
    static const char data[32];
    int rank;
    int64_t dim[MAX_TENSOR_RANK];
    for (enum tensor_dtype i = 0; i < TENSOR_DTYPE_COUNT; i++) {
        const struct tensor_dtype_info *info = &tensor_dtype_info[i];
        struct weights *weights = read_four(info->name, data, (size_t)info->bytes * 4);
        assert_true(weights_shape(weights, "x", &rank, dim));
        assert_int_equal(rank, 1);
        assert_int_equal(dim[0], 4);
        assert_true((weights_find(weights, "x", 4) != NULL) == info->real);
        assert_null(weights_find(weights, "x", 3));
        assert_null(weights_find(weights, "y", 4));
        assert_false(weights_shape(weights, "y", &rank, dim));
        weights_free(weights);
    }
}

/* Tensors in any order, empty ones, scalars, metadata, spaces after the header. */
static void test_structure(void **state)
{
    (void)state;
    static const char header[] =
        "{\"b\":{\"data_offsets\":[4,12],\"shape\":[2,1],\"dtype\":\"F32\"},"
        "\"__metadata__\":{\"format\":\"pt\"},"
        "\"none\":{\"dtype\":\"F64\",\"shape\":[7,0,3],\"data_offsets\":[4,4]},"
        "\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}   ";
    const float data[] = {1, 2, 3};
    struct weights *weights = read_bytes(header, data, sizeof data);
    int rank;
    int64_t dim[MAX_TENSOR_RANK];
    assert_true(weights_find(weights, "a", 1)[0] == 1);
    assert_true(weights_find(weights, "b", 2)[1] == 3);
    assert_non_null(weights_find(weights, "none", 0));
    assert_true(weights_shape(weights, "a", &rank, dim));
    assert_int_equal(rank, 0);
    assert_true(weights_shape(weights, "none", &rank, dim));
    assert_int_equal(rank, 3);
    assert_int_equal(dim[0], 7);
    assert_false(weights_shape(weights, "__metadata__", &rank, dim));
    weights_free(weights);
    weights_free(read_bytes("{}", "", 0));
}

static enum status check_four(const char *dtype, const void *data, size_t size, bool nonnegative)
{
    const struct tensor_need need = {"x", 1, {4}, nonnegative, false};
    struct weights *weights = read_four(dtype, data, size);
    enum status status = weights_check(weights, &need, 1);
    weights_free(weights);
    return status;
}

static void test_numbers_that_fit(void **state)
{
    (void)state;
    const double fits[] = {0x1.fffffefffffffp127, -FLT_MAX, 0x1p-1074, -0.0};
    assert_int_equal(check_four("F64", fits, sizeof fits, false), STATUS_DONE);
    const double variance[] = {0, -0.0, 1 - 1e-5, FLT_MAX};
    assert_int_equal(check_four("F64", variance, sizeof variance, true), STATUS_DONE);
    const double negative[] = {0, 0, 0, -0x1p-1074};
    assert_int_equal(check_four("F64", negative, sizeof negative, false), STATUS_DONE);
    assert_int_equal(check_four("F64", negative, sizeof negative, true), STATUS_INPUT);
}

/* fc.bias and a counter, after a prefix. */
static struct weights *read_prefixed(const char *prefix)
{
    static const float data[4] = {1, 2};
    char header[512];
    snprintf(header, sizeof header,
             "{\"%sbn.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],"
             "\"data_offsets\":[8,16]},"
             "\"%sfc.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
             prefix, prefix);
    return read_bytes(header, data, sizeof data);
}

static void test_prefix_and_counters(void **state)
{
    (void)state;
    static const char *const prefix[] = {
        "",     "module.", "_orig_mod.", "model.", "_orig_mod.module.", "a.b.c.d.e.f.g.",
        "ema_", "f",       "fc.bias."};
    static const char *const name[] = {"fc.bias"};
    const struct tensor_need need = {"fc.bias", 1, {2}, false, false};
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        struct weights *weights = read_prefixed(prefix[i]);
        assert_int_equal(weights_check(weights, &need, 1), STATUS_DONE);
        assert_true(weights_find(weights, "fc.bias", 2)[1] == 2);
        assert_null(weights_find(weights, "module.fc.bias", 2));
        weights_free(weights);
        weights = read_prefixed(prefix[i]);
        assert_true((weights_find(weights, "fc.bias", 2) != NULL) == (i == 0));
        weights_drop_prefix(weights, name, 1); /* as for a dump, which has some of the names */
        assert_non_null(weights_find(weights, "fc.bias", 2));
        weights_free(weights);
    }
}

/* All names begin alike, but not with a prefix. */
static void test_no_prefix(void **state)
{
    (void)state;
    static const char header[] =
        "{\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
    const float data[] = {1, 2};
    const struct tensor_need needs[] = {{"fc.weight", 1, {1}, false, false},
                                        {"fc.bias", 1, {1}, false, false}};
    struct weights *weights = read_bytes(header, data, sizeof data);
    assert_int_equal(weights_check(weights, needs, 2), STATUS_DONE);
    assert_true(weights_find(weights, "fc.weight", 1)[0] == 2);
    weights_free(weights);
}

/* A tensor that nobody reads may have a dtype of which not even the size is known. */
static void test_beside(void **state)
{
    (void)state;
    static const char header[] = "{\"__metadata__\":null,"
                                 "\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                                 "\"y\":{\"dtype\":\"F4\",\"shape\":[2,2],\"data_offsets\":[4,6]},"
                                 "\"z\":{\"dtype\":\"I3_B\",\"shape\":[3],\"data_offsets\":[6,8]}}";
    const float data[] = {1, 2};
    struct weights *weights = read_bytes(header, data, sizeof data);
    assert_true(weights_find(weights, "x", 1)[0] == 1);
    assert_null(weights_find(weights, "y", 4));
    assert_null(weights_find(weights, "z", 3));
    weights_free(weights);
}

static void test_write(void **state)
{
    (void)state;
    const float data[] = {1, -2, NAN, INFINITY, 0x1p-149f, -0.0f};
    const double wide[] = {1 - 1e-5, -0x1p-1000};
    const struct tensor_data tensors[] = {{"output", data, 2, {3, 2}, NULL},
                                          {"wide", NULL, 1, {2}, wide}};
    int rank;
    int64_t dim[MAX_TENSOR_RANK];
    struct weights *weights;
    assert_int_equal(weights_write(scratch("out"), tensors, 2), STATUS_DONE);
    assert_int_equal(weights_read(scratch("out"), &weights), STATUS_DONE);
    assert_true(weights_shape(weights, "output", &rank, dim));
    assert_int_equal(rank, 2);
    assert_int_equal(dim[0], 3);
    assert_int_equal(dim[1], 2);
    const double *found = weights_find(weights, "output", 6);
    for (int i = 0; i < 6; i++)
        assert_true(isnan(data[i]) ? isnan(found[i]) : found[i] == data[i]);
    found = weights_find(weights, "wide", 2);
    assert_true(found[0] == wide[0] && found[1] == wide[1]);

    char *file;
    size_t size;
    uint8_t digest[SHA256_BYTES];
    assert_int_equal(file_read(scratch("out"), 1000, &file, &size), STATUS_DONE);
    assert_int_equal((unsigned char)file[0] % 8, 0); /* the data is aligned */
    san_sha256(file, size, digest);
    assert_memory_equal(weights_sha256(weights), digest, SHA256_BYTES);
    free(file);
    weights_free(weights);
    assert_int_equal(weights_write(scratch("none/out"), tensors, 1), STATUS_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_other_dtypes),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_numbers_that_fit),
        cmocka_unit_test(test_prefix_and_counters),
        cmocka_unit_test(test_no_prefix),
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests_name("weights", tests, scratch_make, scratch_remove);
}
