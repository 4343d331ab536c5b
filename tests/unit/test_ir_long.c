/* Errors of the parser in texts too long to write down; for others see ir/text.sanir. */
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN                                                                                      \
    "sanir 1 model \"m\" input f32[1, 1, 4, 4] classes 3 targets threads 1\n"                      \
    "graph { %0 = parameter { name = \"w\", shape = [16] } : f32[16] }\n"                          \
    "rows : weights i32[16] = %0\n"                                                                \
    "x : workspace f32[64]\n"                                                                      \
    "kernel k {\n"

/* Chains and sums of any length are refused, not overflowed. */
static void test_long(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *part, *message;
    } chain[] = {
        {"x[0] = 1", " + 1", "an expression of more than 200 operations in a row"},
        {"x[0] = 1", " - x[0] * 2", "an expression of more than 200 operations in a row"},
        {"x[0] = ", "max(1, ", "nested more than 200 deep"},
        {"x[0] = ", "sum c in 3 (", "a second loop variable of the name c in this kernel"},
        {"", "for c in 3 ", "a second loop variable of the name c in this kernel"},
        {"for i in 999 x[i", " + i mod 3 div 2", "found 'div', must be ']': x has 1 dimensions"},
        {"for i in 999 x[", "1 + rows{9}[", "nested more than 200 deep"},
        {"for i in 999 x[", "1 - 3*(", "nested more than 200 deep"},
    };
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
        struct error error = {0};
        static char text[200000];
        strcpy(text, BEGIN);
        strcat(text, chain[i].begin);
        size_t used = strlen(text), part = strlen(chain[i].part);
        for (int j = 0; j < 10000; j++, used += part)
            memcpy(text + used, chain[i].part, part);
        assert_null(module_parse(text, used, &error));
        assert_string_equal(error.text, chain[i].message);
    }
    char text[4000] = BEGIN "for i in 99999 x[0";
    for (int i = 3; i < 40; i++)
        snprintf(text + strlen(text), 40, " + i mod %d", i);
    struct error error = {0};
    assert_null(module_parse(text, strlen(text), &error));
    assert_string_equal(error.text, "an index of 34 terms, at most 32 are allowed");
}

static void test_bytes(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(module_parse("sanir 1 \x01", 9, &error));
    assert_string_equal(error.text, "found the byte 0x01, which begins nothing");
    assert_null(module_parse("sanir 1 \xff", 9, &error));
    assert_string_equal(error.text, "found the byte 0xff, which begins nothing");
    assert_int_equal(error.at.column, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long), cmocka_unit_test(test_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
