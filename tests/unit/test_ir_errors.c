/* What the parser says of texts that are wrong, and where. */
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "sanir 1\nmodel \"m\"\ninput f32[1, 1, 4, 4]\nclasses 3\ntargets \"a\" \"b\"\nthreads 1\n"
#define BUFFERS                                                                                    \
    "\ngraph {\n"                                                                                  \
    "  %0 = parameter { name = \"w\", shape = [16] } : f32[16]\n"                                  \
    "}\n\n"                                                                                        \
    "in   : input f32[1, 1, 4, 4]\n"                                                               \
    "out  : output f32[1, 3]\n"                                                                    \
    "rows : weights i32[16] = %0\n"                                                                \
    "x    : workspace f32[64]\n"                                                                   \
    "y    : workspace f32[8, 8]\n"
#define GRAPH(lines) HEAD "graph {\n" lines
#define BODY(lines) HEAD BUFFERS "kernel k {\n" lines
#define X10 "          "
#define PARENS20 "(((((((((((((((((((("

/* A GRAPH begins in line 8, a BODY in line 18. */
static const struct {
    const char *text, *place, *message;
} wrong[] = {
    {"", "1:1", "found the end of the text, must be 'sanir'"},
    {"sanir 2", "1:7", "found '2', must be the version of the language: an integer from 1 to 1"},
    {"sanir 1\nmodel m", "2:7", "found 'm', must be a string in double quotes"},
    {"sanir 1\nmodel \"3m\"", "2:7",
     "the name \"3m\" is no identifier: must have letters, digits and _, a letter or _ first"},
    {"sanir 1\nmodel \"m", "2:7", "a string that does not end on its line"},
    {"sanir 1\nmodel \"\\n\"", "2:7",
     "a string with a wrong escape, must be \\\\, \\\" or \\x01 to \\xff in small letters"},
    {"sanir 1 model \"m\" input i32[1]", "1:25", "found 'i32', must be the type f32"},
    {"sanir 1 model \"m\" input f32[1]", "1:25",
     "an input of 1 dimensions, must have 4: batch, channels, height, width"},
    {"sanir 1 model \"m\" input f32[1, 0, 1, 1]", "1:32",
     "found '0', must be a dimension: an integer from 1 to 1099511627775"},
    {"sanir 1 model \"m\" input f32[1 1]", "1:31", "found '1', must be ','"},
    {"sanir 1 model \"m\" input f32[1,1,1,1,1,1,1,1,1]", "1:44", "more than 8 dimensions"},
    {"sanir 1 model \"m\" input f32[1048576,1048576,1,1]", "1:28",
     "a shape of 2^40 elements or more"},
    {"sanir 1 model \"m\" input f32[1,1,1,99999999999999999999]", "1:35",
     "found '99999999999999999999', must be a dimension: an integer from 1 to 1099511627775"},
    {"sanir 1 model \"m\" input f32[1,1,1,1] classes -1", "1:46",
     "found '-', must be classes: an integer from 1 to 2147483647"},
    {"sanir 1 model \"m\" input f32[1,1,1,1] classes 1 targets"
     "\"1\"\"2\"\"3\"\"4\"\"5\"\"6\"\"7\"\"8\"\"9\"",
     "1:79", "more than 8 targets"},
    {"sanir 1 model \"m\" input f32[1,1,1,1] classes 1 targets threads 0", "1:64",
     "found '0', must be threads: an integer from 1 to 65536"},
    {"sanir 1 \x01", "1:9", "found the byte 0x01, which begins nothing"},
    {"sanir 1 \xff", "1:9", "found the byte 0xff, which begins nothing"},
    {HEAD "after 3", "7:7", "found '3', must be the name of the last pass done"},
    {HEAD "workspace 4 stack", "7:13", "found 'stack', must be 'scratch'"},
    {HEAD "kernel", "7:1", "found 'kernel', must be 'graph'"},
    {GRAPH("0 = relu"), "8:1", "found '0', must be a value as %1"},
    {GRAPH("% = relu"), "8:1", "found %, must be a value as %1"},
    {GRAPH("%99999999 = relu"), "8:1",
     "found '99999999', must be the number of a value: an integer from 0 to 16777215"},
    {GRAPH("%0 relu"), "8:4", "found 'relu', must be '='"},
    {GRAPH("%0 = frobnicate"), "8:6", "found 'frobnicate', must be the name of a graph op"},
    {GRAPH("%0 = relu %0"), "8:11", "%0 is not defined above"},
    {GRAPH("%0 = input { shap = [1] }"), "8:14", "found 'shap', must be an attribute: shape"},
    {GRAPH("%0 = input { shape = 1 }"), "8:22", "found '1', must be '['"},
    {GRAPH("%0 = input { shape = [1], shape = [1] }"), "8:27",
     "found 'shape', must be an attribute that was not given yet"},
    {GRAPH("%0 = relu { a = 1 }"), "8:13", "found 'a', must be an op without attributes"},
    {GRAPH("%0 = pad { padding = mirror }"), "8:22",
     "found 'mirror', must be one of valid, reflect, zero"},
    {GRAPH("%0 = pad { size = 1.5 }"), "8:19",
     "found '1.5', must be size: an integer from 0 to 1099511627776"},
    {GRAPH("%0 = fill { value = x }"), "8:21", "found 'x', must be a number"},
    {GRAPH("%0 = fill { value = 1e999 }"), "8:21",
     "found '1e999', must be a number that fits float64, or inf"},
    {GRAPH("%0 = fill { value = 0x10 }"), "8:21", "found '0x10', must be a decimal number"},
    {GRAPH("%0 = fill { value = 1 shape = [1] }"), "8:23", "found 'shape', must be '}'"},
    {GRAPH("%0 = fill : f32[1]\n%0 = fill : f32[1]"), "9:1", "%0 is defined twice"},
    {GRAPH("%0 = fill\n%1 = fill : f32[1]"), "9:1", "%1 is not defined above"},
    {GRAPH("%0 = fill : f32[1]"), "8:19", "found the end of the text, must be a value as %1"},
    {GRAPH("%0=fill:f32[1]\n%1=concat %0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0"), "9:59",
     "more than 16 inputs"},
    {GRAPH("%0 = parameter { name = \"" X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 "\" }"),
     "8:25", "a string of 130 bytes, at most 128 are allowed"},
    {GRAPH("}\nx stack"), "9:3", "found 'stack', must be ':'"},
    {GRAPH("}\nx : stack"), "9:5",
     "found 'stack', must be a place: input, output, weights, workspace"},
    {GRAPH("}\nx : input f64[1]"), "9:11", "found 'f64', must be a type: f32, i32"},
    {GRAPH("}\nx : weights f32[1] at 0"), "9:20", "found 'at', must be '='"},
    {GRAPH("}\nx : weights f32[1] = %3"), "9:22", "%3 is not defined above"},
    {GRAPH("}\nx : input f32[1] at -1"), "9:21",
     "found '-', must be an offset in bytes: an integer from 0 to 4398046511104"},
    {GRAPH("}\nx : input f32[1]\nx : output f32[1]"), "10:1", "a second buffer of the name x"},
    {GRAPH("}\nvector : input f32[1]"), "9:1",
     "found 'vector', must be the name of a buffer, or kernel"},
    {GRAPH("}\n}"), "9:1", "found '}', must be a buffer, a kernel, or the end of the text"},
    {HEAD BUFFERS "kernel {", "17:8", "found '{', must be the name of a kernel"},
    {BODY("cost 1"), "18:6", "found '1', must be '{'"},
    {BODY("cost { exps = 1"), "18:8", "found 'exps', must be 'flops'"},
    {BODY("cost { flops = -1"), "18:16",
     "found '-', must be flops: an integer from 0 to 9223372036854775807"},
    {BODY("cost { flops = 1, exps = 1, bytes = 1, l1 = 1, l2 = 1, memory = 1, cycles = 1, bound = "
          "x }"),
     "18:88", "found 'x', must be fma, vector, latency, l1, l2 or memory"},
    {HEAD BUFFERS "kernel k { } x : input f32[1]", "17:14",
     "found 'x', must be a kernel, or the end of the text"},
    {BODY("for i"), "18:6", "found the end of the text, must be 'in'"},
    {BODY("for div in 3"), "18:5", "found 'div', must be the name of a loop variable"},
    {BODY("for i in 0"), "18:10",
     "found '0', must be the extent of a loop: an integer from 1 to 1099511627775"},
    {BODY("for i in 3, i in 4"), "18:13", "a second loop variable of the name i in this kernel"},
    {BODY("for i in 3\n x[i] = 0\nx[i] = 0"), "20:3", "the loop of i ended above"},
    {BODY("x[i] = 0"), "18:3", "no loop has a variable i"},
    {BODY("nowhere[0] = 0"), "18:1", "no buffer has the name nowhere"},
    {BODY("x[0, 0] = 0"), "18:4", "found ',', must be ']': x has 1 dimensions"},
    {BODY("y[0] = 0"), "18:4", "found ']', must be ','"},
    {BODY("x[*] = 0"), "18:3",
     "found '*', must be an index: a variable, a number, a table, or '('"},
    {BODY("x[y{3}[0]] = 0"), "18:3", "y is no table: must be i32 of one dimension"},
    {BODY("x[rows{0}[0]] = 0"), "18:8",
     "found '0', must be the limit of a table's values: an integer from 1 to 2147483647"},
    {BODY("for i in 3 x[i div 0] = 0"), "18:20",
     "found '0', must be a divisor: an integer from 1 to 1099511627776"},
    {BODY("for i in 3 x[(i - 1) mod 2] = 0"), "18:14",
     "div or mod of an index that may be -1, must not be negative"},
    {BODY("for i in 3 x[1099511627776*i] = 0"), "18:14", "an index that may go beyond 2^40"},
    {BODY("x[99999999999999999999] = 0"), "18:3",
     "found '99999999999999999999', must be a number in an index: an integer from 0 to "
     "1099511627776"},
    {BODY("x[0] = "), "18:8",
     "found the end of the text, must be an expression: a number, a load, a function, sum, "
     "maximum, or '('"},
    {BODY("x[0] = x"), "18:9",
     "found the end of the text, must be '[' behind the name of a buffer, or '(' behind max, fma, "
     "exp, sqrt, tf32 or bf16"},
    {BODY("x[0] = max(1)"), "18:13", "found ')', must be ','"},
    {BODY("x[0] = exp(1, 2)"), "18:13", "found ',', must be ')'"},
    {BODY("x[0] = 1 + * 2"), "18:12",
     "found '*', must be an expression: a number, a load, a function, sum, maximum, or '('"},
    {BODY("x[0] = 12x"), "18:8", "found '12x', must be a decimal number"},
    {BODY("x[0] = sum 3"), "18:12", "found '3', must be the name of a loop variable"},
    {BODY("x[0] = sum c in 3 x[c]"), "18:19", "found 'x', must be '('"},
    {BODY("x[0] = sum c in 3 (x[c]) + x[c]"), "18:30", "the loop of c ended above"},
    {BODY("x[0] = " PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20
              PARENS20 "1"),
     "18:208", "nested more than 200 deep"},
    {BODY("x[" PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20
              PARENS20 "1"),
     "18:203", "nested more than 200 deep"},
    {BODY("t : workspace f32[1]"), "18:5",
     "found 'workspace', must be a place in a kernel: stack, registers, shared"},
    {BODY("x : stack f32[1]"), "18:1", "a second buffer of the name x"},
    {BODY("x[0] = 1\nt : stack f32[1]"), "19:1",
     "a buffer behind the first statement of its kernel"},
    {BODY("schedule a"), "18:10", "found 'a', must be a string in double quotes"},
    {BODY("schedule \"a\" {\ntile (m)\n}"), "19:6",
     "found '(', must be a command of words from letters, digits and _ . - + * =, or '}'"},
    {BODY("schedule \"a\" {\n1 2 3 4 5 6 7 8 9 10\n}"), "19:19", "more than 8 operands"},
    {BODY("schedule \"a\" {\n}\nx[0] = 1"), "20:1", "found 'x', must be a schedule, or '}'"},
    {BODY("for i in 3 {"), "18:13",
     "found the end of the text, must be a statement: a store, for, prefetch, async, or barrier"},
};

static void test_wrong(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error error = {0};
        char place[40];
        struct module *module = module_parse(wrong[i].text, strlen(wrong[i].text), &error);
        snprintf(place, sizeof place, "%d:%d", error.at.line, error.at.column);
        if (module || strcmp(place, wrong[i].place) || strcmp(error.text, wrong[i].message)) {
            printf("case %zu: %s: %s\n  should say: %s: %s\n", i, place, error.text, wrong[i].place,
                   wrong[i].message);
            failed++;
        }
        module_free(module);
    }
    assert_int_equal(failed, 0);
}

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
        strcpy(text, BODY(""));
        strcat(text, chain[i].begin);
        size_t used = strlen(text), part = strlen(chain[i].part);
        for (int j = 0; j < 10000; j++, used += part)
            memcpy(text + used, chain[i].part, part);
        assert_null(module_parse(text, used, &error));
        assert_string_equal(error.text, chain[i].message);
    }
    char text[4000] = BODY("for i in 99999 x[0");
    for (int i = 3; i < 40; i++)
        snprintf(text + strlen(text), 40, " + i mod %d", i);
    struct error error = {0};
    assert_null(module_parse(text, strlen(text), &error));
    assert_string_equal(error.text, "an index of 34 terms, at most 32 are allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong), cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
