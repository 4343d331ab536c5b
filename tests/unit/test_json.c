#include "json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct json_limits limits = {.depth = 4, .values = 12, .string_bytes = 8};

static bool scans(const char *text, size_t size)
{
    struct json json;
    struct error error = {0};
    /* An exact copy, so that a sanitizer sees a read after its end. */
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    bool good = json_scan(&json, copy, size, &limits, &error);
    if (good)
        json_free(&json);
    else
        assert_true(json.wrong <= size && error.text[0]);
    free(copy);
    return good;
}

static void test_valid(void **state)
{
    (void)state;
    static const char *const text[] = {
        "null",
        " true\t",
        "\r\nfalse\n",
        "0",
        "-0",
        "-0.0e-0",
        "123",
        "1.25E+10",
        "1e400",
        "\"\"",
        "[]",
        "{}",
        "[[[[]]]]",
        "[1,2,3,4,5,6,7,8,9,10,11]",
        "{\"\":0}",
        "{\"a\":0,\"A\":0}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"12345678\"",
        "\"\\u0041\\u00e9\\uFFFF\"",
        "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"",
        "\"\\ud83d\\ude00\\ud83d\\ude00\"",
        "\"\x7f\"",
        "\"\xc2\x80\xdf\xbf\xef\xbf\xbf\"",
        "{\"a\":{\"a\":0},\"b\":[{\"a\":0},{\"a\":0}]}",
        "111111111111111111111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        if (!scans(text[i], strlen(text[i])))
            fail_msg("refused: %s", text[i]);
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const text[] = {
        "",
        " ",
        "nul",
        "nulls",
        "TRUE",
        "+1",
        "01",
        "-01",
        "1.",
        ".1",
        "1e",
        "1e+",
        "--1",
        "0x1",
        "NaN",
        "1 2",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "]",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"b\":1,\"\":2,\"a\":0,\"\":3}",
        "\"",
        "\"\\\"",
        "\"\\",
        "\"\\u",
        "\"\\u12",
        "\"\\u123g\"",
        "\"\\x\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udfff\"",
        "\"\\ud800\\ud800\"",
        "\"\n\"",
        "\"\x1f\"",
        "\"\x80\"",
        "\"\xc1\xbf\"",
        "\"\xe0\x9f\xbf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf0\x8f\xbf\xbf\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf8\x88\x80\x80\x80\"",
        "\"\xe2\x82",
        "\"\xe2\x82\"",
        "\xef\xbb\xbf[]",
        "[[[[[]]]]]",
        "\"123456789\"",
        "\"1234567\\u00e9\"",
        "{\"123456789\":0}",
        "[1,2,3,4,5,6,7,8,9,10,11,12]",
        "// no\n1",
        "[1]\v",
        "'a'",
        "[\f]",
        "1111111111111111111111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        if (scans(text[i], strlen(text[i])))
            fail_msg("let through: %s", text[i]);
    assert_false(scans("[]\0", 3));
    assert_false(scans("\"a\0b\"", 5));
}

/* Every text that is cut off in its middle is refused. */
static void test_cut_off(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[true,null,-1.5e3],\"\\ud83d\\ude00\":\"\xe2\x82\xac\"}";
    assert_true(scans(text, sizeof text - 1));
    for (size_t size = 0; size < sizeof text - 1; size++)
        assert_false(scans(text, size));
}

static struct json scan(const char *text)
{
    struct json json;
    struct error error;
    assert_true(json_scan(&json, text, strlen(text), &limits, &error));
    return json;
}

static void test_tree(void **state)
{
    (void)state;
    struct json json = scan("{ \"a\": [1, [], \"x\"],\n \"\\u0062\": {\"c\": null} }");
    static const enum json_kind kind[] = {JSON_OBJECT, JSON_ARRAY,  JSON_NUMBER, JSON_ARRAY,
                                          JSON_STRING, JSON_OBJECT, JSON_NULL};
    static const uint32_t next[] = {7, 5, 3, 4, 5, 7, 7}, children[] = {2, 3, 0, 0, 0, 1, 0};
    assert_int_equal(json.count, 7);
    for (uint32_t i = 0; i < json.count; i++) {
        assert_int_equal(json.node[i].kind, kind[i]);
        assert_int_equal(json.node[i].next, next[i]);
        assert_int_equal(json.node[i].children, children[i]);
    }
    assert_null(json.node[0].key);
    assert_null(json.node[2].key);
    assert_int_equal(json.node[1].key_size, 1);
    assert_memory_equal(json.node[1].key, "a", 1);
    assert_int_equal(json.node[5].key_size, 1);
    assert_memory_equal(json.node[5].key, "b", 1);
    struct location at = json_place(json.text, json.node[5].begin);
    assert_int_equal(at.line, 2);
    assert_int_equal(at.column, 12);
    char excerpt[JSON_EXCERPT];
    assert_string_equal(json_excerpt(&json, &json.node[4], excerpt), "\"x\"");
    assert_string_equal(json_key_excerpt(&json, &json.node[5], excerpt), "\"\\u0062\"");
    json_free(&json);
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } row[] = {{"0", true, 0},
               {"-0", true, 0},
               {"9007199254740993", true, 9007199254740993},
               {"9223372036854775807", true, INT64_MAX},
               {"9223372036854775808", false, 0},
               {"-9223372036854775808", true, INT64_MIN},
               {"-9223372036854775809", false, 0},
               {"92233720368547758070", false, 0},
               {"18446744073709551617", false, 0},
               {"1.0", false, 0},
               {"1e2", false, 0},
               {"\"1\"", false, 0},
               {"true", false, 0}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct json json = scan(row[i].text);
        int64_t value = 0;
        assert_int_equal(json_integer(&json, json.node, &value), row[i].fits);
        assert_true(value == row[i].value);
        json_free(&json);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } row[] = {{"\"\"", ""},
               {"\"a\\n\\t\\/\\\\\\\"\"", "a\n\t/\\\""},
               {"\"\\b\\f\\r\"", "\b\f\r"},
               {"\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac"},
               {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
               {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct json json = scan(row[i].text);
        size_t size;
        assert_string_equal(json_string(&json, json.node, &size), row[i].value);
        assert_int_equal(size, strlen(row[i].value));
        json_free(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),    cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_cut_off),  cmocka_unit_test(test_tree),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_strings)};
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
