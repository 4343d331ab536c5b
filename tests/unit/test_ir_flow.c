/* What the verifier says of data: races, reads of what was not written, buffers in one place. */
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "sanir 1 model \"m\" input f32[1, 1, 4, 4] classes 3 targets \"a\" \"b\" threads 2 "           \
    "workspace 1024 scratch 1024 graph { %0 = parameter { name = \"w\", shape = [16] } : f32[16] " \
    "} in : input f32[16] out : output f32[3] rows : weights i32[16] = %0 "
#define BUFFERS "x : workspace f32[64] y : workspace f32[8, 8] z : workspace f32[12, 12] "
#define LAST "kernel last { for o in 3 out[o] = 0 } "
#define BODY(lines) HEAD BUFFERS LAST "kernel k { " lines "\n}"
/* x and y hold numbers */
#define FILLED(lines)                                                                              \
    HEAD BUFFERS LAST "kernel first { for a in 64 x[a] = 0 for b in 8, c in 8 y[b, c] = 0 } "      \
                      "kernel k { " lines "\n}"

/* A map with its columns, of `channels`, and then its rows; these read row `row`. */
#define BORDERED(channels, row)                                                                    \
    HEAD "p : workspace f32[64, 114, 114, 24] " LAST                                               \
         "kernel map { for t in 150528 block, th in 128 thread p[(128*t + th) div 301056, "        \
         "((128*t + th) div 2688) mod 112 + 1, ((128*t + th) div 24) mod 112 + 1, "                \
         "(128*t + th) mod 24] = 0 } "                                                             \
         "kernel columns { for t in 64 block, y in 112, c in " channels " thread { "               \
         "p[t, y + 1, 0, c] = p[t, y + 1, 2, c] p[t, y + 1, 113, c] = p[t, y + 1, 111, c] } } "    \
         "kernel rows { for t in 64 block, x in 114, c in 24 thread "                              \
         "p[t, 0, x, c] = p[t, " row ", x, c] }"

static const struct {
    const char *text, *why; /* "": right */
} cases[] = {
    /* parallel loops */
    {BODY("for i in 8 parallel, j in 8 y[i, j] = 0"), ""},
    {BODY("for i in 8 parallel, j in 8 y[j, 7] = 0"),
     "kernel k: loop i: parallel, but one iteration writes what another writes: an element of y"},
    {BODY("for i in 1 parallel, j in 8 y[j, 7] = 0"), ""},
    {BODY("for i in 8 parallel, j in 8 x[8*i + j] = 0"), ""},
    {BODY("for i in 8 parallel, j in 8 x[7*i + j] = 0"),
     "kernel k: loop i: parallel, but one iteration writes what another writes: an element of x"},
    {BODY("for i in 8, j in 8 x[7*i + j] = 0"), ""},
    {BODY("for i in 8 parallel, j in 8 x[-8*i - j + 63] = 0"), ""},
    /* tiles of 5 of 20 pixels of a map with a border */
    {BODY("for t in 20 parallel, p in 5 z[(5*t + p) div 10 + 1, (5*t + p) mod 10 + 1] = 0"), ""},
    {BODY("for t in 20 parallel, p in 6 z[(5*t + p) div 10, (5*t + p) mod 10] = 0"),
     "kernel k: loop t: parallel, but one iteration writes what another writes: an element of z"},
    {BODY("for t in 20 parallel { for p in 3 z[(5*t + p) div 10, (5*t + p) mod 10] = 0 "
          "for q in 2 z[(5*t + q + 3) div 10, (5*t + q + 3) mod 10] = 0 }"),
     ""},
    {BODY("for t in 20 parallel { for p in 3 z[(5*t + p) div 10, (5*t + p) mod 10] = 0 "
          "for q in 3 z[(5*t + q + 3) div 10, (5*t + q + 3) mod 10] = 0 }"),
     "kernel k: loop t: parallel, but one iteration writes what another writes: an element of z"},
    {FILLED("for i in 8 parallel, j in 8 x[8*i + j] = x[8*i + j] + y[j, i]"), ""},
    {FILLED("for i in 8 parallel, j in 8 x[8*i + j] = x[8*i - j + 7]"), ""},
    {FILLED("for i in 8 parallel, j in 8 x[8*i + j] = x[j]"),
     "kernel k: loop i: parallel, but one iteration writes what another reads: an element of x"},
    {FILLED("for i in 7 parallel, j in 8 y[i, j] = y[i + 1, j]"),
     "kernel k: loop i: parallel, but one iteration writes what another reads: an element of y"},
    {FILLED("for i in 7 parallel, j in 4 y[i, j] = y[i + 1, j + 4]"), ""},
    {FILLED("for i in 8 parallel, j in 8 x[8*i + j] = sum r in 8 (x[rows{64}[r]])"),
     "kernel k: loop i: parallel, but one iteration writes what another reads: an element of x"},
    {BODY("for i in 8 parallel x[rows{64}[i]] = 0"),
     "kernel k: loop i: parallel, but one iteration writes what another writes: an element of x"},
    /* tiles are the worker's own */
    {BODY("t : stack f32[8] for i in 8 parallel { for j in 8 t[j] = 1 for k in 8 y[i, k] = t[k] "
          "}"),
     ""},
    {BODY("t : stack f32[8] for j in 8 t[j] = 1 for i in 8 parallel, k in 8 y[i, k] = t[k]"),
     "kernel k: t[0] is read before it is written"},
    {BODY("t : stack f32[8] for i in 8 parallel, k in 8 t[k] = 1 for j in 8 x[j] = t[j]"),
     "kernel k: t[0] is read before it is written"},
    {BODY("t : stack f32[8] for i in 8 parallel { t[i] = 1 x[i] = t[0] }"),
     "kernel k: t[0] is read before it is written"},

    /* vector loops */
    {BODY("for i in 8, v in 8 vector y[i, v] = 0"), ""},
    {BODY("for i in 8, v in 8 vector y[i, 0] = 0"),
     "kernel k: loop v: vector, but one iteration writes what another writes: an element of y"},
    {BODY("for i in 4, v in 16 vector y[2*i + v div 8, v mod 8] = 0"), ""},
    {BODY("for i in 8, v in 16 vector y[i, v div 2] = 0"),
     "kernel k: loop v: vector, but one iteration writes what another writes: an element of y"},
    {FILLED("for i in 8, v in 8 vector y[i, v] = y[i, v] * 2"), ""},
    {FILLED("for i in 8, v in 8 vector y[i, v] = y[i, -v + 7]"),
     "kernel k: loop v: vector, but one iteration writes what another reads: an element of y"},
    {FILLED("for i in 7, v in 8 vector y[i, v] = y[i + 1, v]"), ""},
    {FILLED("for v in 8 vector x[v] = x[v + 8]"), ""},
    {FILLED("for v in 8 vector x[v] = x[v + 7]"),
     "kernel k: loop v: vector, but one iteration writes what another reads: an element of x"},
    {FILLED("for v in 8 vector x[2*v] = x[2*v + 1]"), ""},
    {BODY("r : registers f32[4] for i in 4 unroll, v in 4 vector r[i] = 0"),
     "kernel k: loop v: vector, but one iteration writes what another writes: an element of r"},

    /* blocks and threads */
    {BODY("for i in 8 block, t in 8 thread y[i, t] = 0"), ""},
    {BODY("for i in 8 block, t in 8 thread y[t, i div 2] = 0"),
     "kernel k: loop i: block, but one iteration writes what another writes: an element of y"},
    {BODY("for i in 4 block, l in 2 block, t in 8 thread x[16*i + 8*l + t] = 0"), ""},
    {BODY("for i in 4 block, l in 2 block, t in 8 thread x[16*i + 7*l + t] = 0"),
     "kernel k: loop l: block, but one iteration writes what another writes: an element of x"},
    {BODY("s : shared f32[8] for i in 8 block { for t in 8 thread s[t] = 0 barrier "
          "for u in 8 thread y[i, u] = s[-u + 7] }"),
     ""},
    {BODY("s : shared f32[8] for i in 8 block { for t in 8 thread { s[t] = 0 y[i, t] = s[0] } }"),
     "kernel k: loop t: thread, but one iteration writes what another reads: an element of s"},
    {BODY("s : shared f32[8] for i in 8 block { for t in 7 thread s[t] = 0 barrier "
          "for u in 8 thread y[i, u] = s[u] }"),
     "kernel k: s[7] is read before it is written"},
    {BODY("r : registers f32[8, 2] for i in 8 block { for t in 8 thread r[t, 1] = 0 "
          "for u in 8 thread y[i, u] = r[u, 1] }"),
     ""},
    {BODY("s : shared f32[8] at 0 t : shared f32[8] at 28 for i in 8 block { for t1 in 8 thread "
          "s[t1] = 0 for t2 in 8 thread t[t2] = 0 }"),
     "kernel k: buffers s and t share memory and are in use at once"},

    {BODY("s : shared f32[8] at 0 t : shared f32[8] at 28 for i in 8 block { for t1 in 8 thread "
          "s[t1] = 0 barrier for t2 in 8 thread t[t2] = 0 }"),
     ""},
    {BODY("s : shared f32[8] at 0 t : shared f32[8] at 28 for i in 8 block, j in 2 { for t1 in 8 "
          "thread s[t1] = 0 barrier for t2 in 8 thread t[t2] = 0 }"),
     "kernel k: buffers t and s share memory and are in use at once"},
    {BODY("s : shared f32[8] at 0 t : shared f32[8] at 28 for i in 8 block, j in 2 { for t1 in 8 "
          "thread s[t1] = 0 barrier for t2 in 8 thread t[t2] = 0 barrier }"),
     ""},

    /* reads of what was not written */
    {BODY("for i in 64 x[i] = x[i] + 1"), "kernel k: x[0] is read before it is written"},
    {BODY("x[0] = y[3, 4]"), "kernel k: y[3, 4] is read before it is written"},
    {BODY("for i in 8, j in 7 y[i, j] = 0 for k in 8 x[k] = y[k, k]"),
     "kernel k: y[7, 7] is read before it is written"},
    {BODY("for i in 8, j in 7 y[i, j] = 0 for k in 8 x[k] = y[k, 3*(k mod 3)]"), ""},
    {BODY("for i in 8, j in 7 y[i, j] = 0 for l in 8 y[l, 7] = 0 for k in 8 x[k] = y[k, k]"), ""},
    {BODY("for i in 8, j in 8 { x[8*i + j] = 0 y[i, j] = x[8*i + j] }"), ""},
    {BODY("for i in 8 { for j in 8 x[8*i + j] = 0 for k in 8 y[i, k] = x[8*i + k] }"), ""},
    {BODY("for i in 8 { for j in 8 x[8*i + j] = 0 for k in 8 y[i, k] = x[8*k] }"),
     "kernel k: x[8] is read before it is written"},
    {BODY("for i in 8 { for j in 8 y[i, j] = x[8*i + j] for k in 8 x[8*i + k] = 0 }"),
     "kernel k: x[0] is read before it is written"},
    {BODY("for i in 7, j in 8 x[8*i + j] = 0 for k in 64 y[k div 8, k mod 8] = x[k]"),
     "kernel k: x[56] is read before it is written"},
    {BODY("x[0] = 1 for i in 63 x[i + 1] = x[i] * 2"), ""},
    {BODY("x[0] = 1 for i in 62 x[i + 1] = x[i + 2] * 2"),
     "kernel k: x[2] is read before it is written"},
    {BODY("x[0] = 1 for i in 8 { y[i, 0] = x[i] x[i + 1] = y[i, 0] }"), ""},
    {BODY("x[0] = sum c in 3 (1) from x[0]"), "kernel k: x[0] is read before it is written"},
    {BODY("for i in 3 x[i] = 0 x[3] = sum c in 4 (x[c])"),
     "kernel k: x[3] is read before it is written"},
    {BODY("for i in 16 x[rows{64}[i]] = 0 y[0, 0] = x[0]"),
     "kernel k: x: too large to see whether it is read before it is written"},
    {BODY("for i in 63 x[i] = 0 y[0, 0] = x[rows{63}[0]]"), ""},
    {BODY("for i in 63 x[i] = 0 y[0, 0] = x[rows{64}[0]]"),
     "kernel k: x: too large to see whether it is read before it is written"},
    {BODY("r : registers f32[4] for i in 4 unroll r[i] = r[i] + 1"),
     "kernel k: r[0] is read before it is written"},
    {BODY("r : registers f32[4] for c in 9 { for i in 4 unroll r[i] = 0 for j in 4 unroll "
          "r[j] = r[j] + 1 }"),
     ""},
    /* a tile lives in the innermost loop that has all of its accesses */
    {BODY("t : stack f32[4] for i in 4 { t[i] = 0 x[i] = t[0] }"),
     "kernel k: t[0] is read before it is written"},
    {BODY("t : stack f32[4] t[0] = 0 for i in 3 { t[i + 1] = t[i] + 1 } x[0] = t[3]"), ""},
    /* borders: first columns, then whole rows */
    {BODY("for i in 10, j in 10 z[i + 1, j + 1] = 0 "
          "for k in 10 { z[k + 1, 0] = z[k + 1, 2] z[k + 1, 11] = z[k + 1, 9] } "
          "for l in 12 { z[0, l] = z[2, l] z[11, l] = z[9, l] } "
          "for m in 8, n in 8 y[m, n] = sum a in 5, b in 5 (z[m + a, n + b])"),
     ""},
    {BODY("for i in 10, j in 10 z[i + 1, j + 1] = 0 "
          "for l in 12 { z[0, l] = z[2, l] z[11, l] = z[9, l] } "
          "for k in 10 { z[k + 1, 0] = z[k + 1, 2] z[k + 1, 11] = z[k + 1, 9] } "),
     "kernel k: z[2, 0] is read before it is written"},
    /* the last tile, in a kernel of its own */
    {BODY("for t in 4 parallel, p in 14 x[14*t + p] = 0 } kernel rest { for p in 8 x[p + 56] = 0 "
          "} kernel l { for i in 8, j in 8 y[i, j] = x[8*i + j]"),
     ""},
    {BODY("for t in 4 parallel, p in 14 x[14*t + p] = 0 } kernel rest { for p in 7 x[p + 57] = 0 "
          "} kernel l { for i in 8, j in 8 y[i, j] = x[8*i + j]"),
     "kernel l: x[56] is read before it is written"},
    /* a target's kernels alone */
    {HEAD BUFFERS LAST "kernel k target \"a\" { x[0] = 0 } kernel l { x[1] = x[0] }",
     "kernel l: x[0] is read before it is written"},
    {HEAD BUFFERS LAST "kernel k target \"a\" { x[0] = 0 } kernel k target \"b\" { x[0] = 1 } "
                       "kernel l { x[1] = x[0] }",
     ""},
    {HEAD "kernel k { for i in 2 out[i] = 0 }", "out[2] is never written"},
    {HEAD "kernel k { for i in 2 out[i] = 0 } kernel l target \"b\" { out[2] = 0 }",
     "out[2] is never written"},

    /* memory that is shared */
    {HEAD LAST "p : workspace f32[8] at 0 q : workspace f32[8] at 32 kernel k { for i in 8 p[i] = "
               "0 for j in 8 q[j] = p[j] }",
     NULL},
    {HEAD "p : workspace f32[8] at 0 q : workspace f32[8] at 32 " LAST
          "kernel k { for i in 8 p[i] = 0 for j in 8 q[j] = p[j] }",
     ""},
    {HEAD "p : workspace f32[8] at 0 q : workspace f32[8] at 28 " LAST
          "kernel k { for i in 8 p[i] = 0 for j in 8 q[j] = p[j] }",
     "buffers p and q share memory and are in use at once"},
    {HEAD "p : workspace f32[8] at 0 q : workspace f32[8] at 0 r : workspace f32[8] at 64 " LAST
          "kernel k { for i in 8 p[i] = 0 } kernel l { for i in 8 r[i] = p[i] } "
          "kernel m { for i in 8 q[i] = r[i] }",
     ""},
    {HEAD "p : workspace f32[8] at 0 q : workspace f32[8] at 0 r : workspace f32[8] at 64 " LAST
          "kernel k { for i in 8 p[i] = 0 } kernel l { for i in 8 r[i] = p[i] } "
          "kernel m { for i in 8 q[i] = r[i] } kernel n { for i in 8 r[i] = p[i] }",
     "buffers p and q share memory and are in use at once"},
    {HEAD "p : workspace f32[8] at 0 q : workspace f32[8] at 0 " LAST
          "kernel k target \"a\" { for i in 8 p[i] = 0 } "
          "kernel k target \"b\" { for i in 8 q[i] = 0 }",
     ""},
    {BODY("s : stack f32[8] at 0 t : stack f32[8] at 16 for i in 8 s[i] = 0 "
          "for j in 8 t[j] = s[j]"),
     "kernel k: buffers s and t share memory and are in use at once"},
    {BODY("s : stack f32[8] at 0 t : stack f32[8] at 16 for i in 8 s[i] = 0 "
          "for j in 8 x[j] = s[j] for k in 8 t[k] = 0"),
     ""},
    {BODY("s : stack f32[8] at 0 t : stack f32[8] at 16 for a in 9 parallel { for i in 8 s[i] = 0 "
          "x[a] = s[a div 2] for k in 8 t[k] = 0 }"),
     ""},
    {BODY("s : stack f32[8] at 0 t : stack f32[8] at 16 for a in 9 { for i in 8 s[i] = 0 "
          "for k in 8 t[k] = s[k] }"),
     "kernel k: buffers s and t share memory and are in use at once"},
    /* s is written before the loop: it lives through all of its iterations */
    {BODY("s : stack f32[8] at 0 t : stack f32[8] at 16 for i in 8 s[i] = 0 "
          "for a in 9 { for j in 8 x[j] = s[j] for k in 8 t[k] = 0 }"),
     "kernel k: buffers s and t share memory and are in use at once"},

    /* 64 images with a border, in tiles of 128 pixels that pass from one to the next */
    {BORDERED("24", "2"), ""},
    {BORDERED("23", "2"), "kernel rows: p[0, 2, 0, 23] is read before it is written"},
    {BORDERED("24", "113"), "kernel rows: p[0, 113, 0, 0] is read before it is written"},

    /* indices that are too many to look at */
    {HEAD "p : workspace f32[1048576, 1048575] kernel k { for o in 3 out[o] = 0 "
          "for i in 1048576 parallel, j in 1048575 p[i, j] = 0 } "
          "kernel l { for i in 1048576, j in 1048575 p[i, j] = p[i, j] * 2 }",
     ""},
    {HEAD "p : workspace f32[1048576, 1048575] kernel k { for o in 3 out[o] = 0 "
          "for i in 1048576 parallel, j in 1048575 p[(i + j) mod 1048576, j] = 0 } ",
     "kernel k: loop i: parallel, but too large to see whether one iteration writes what another "
     "writes: an element of p"},
};

static void test_cases(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        struct module *module = module_parse(cases[i].text, strlen(cases[i].text), &error);
        if (!module && cases[i].why)
            fail_msg("%s\n%d:%d: %s", cases[i].text, error.at.line, error.at.column, error.text);
        if (!module)
            continue;
        bool right = module_verify(module, &error);
        if (right != !cases[i].why[0] || strcmp(error.text, cases[i].why)) {
            printf("%s\n  says:      %s\n  should be: %s\n", cases[i].text, error.text,
                   cases[i].why);
            failed++;
        }
        module_free(module);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
