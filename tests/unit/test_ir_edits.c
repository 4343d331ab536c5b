/* Errors in kernels that a person changes: the order of a nest's loops; threads that would have to
 * wait for each other. */
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "sanir 1 model \"m\" input f32[1, 1, 4, 4] classes 3 targets \"a\" threads 2 graph { %0 = "    \
    "parameter { name = \"w\", shape = [16] } : f32[16] } in : input f32[16] out : output f32[3] " \
    "rows : weights i32[16] = %0 x : workspace f32[64] y : workspace f32[8, 8] "
#define BODY(lines) HEAD "kernel k { " lines "\n}"

static struct module *parse(const char *text)
{
    struct error error;
    struct module *module = module_parse(text, strlen(text), &error);
    if (!module)
        fail_msg("%s\n%d:%d: %s", text, error.at.line, error.at.column, error.text);
    return module;
}

static bool says(const char *text, bool right, const char *why, const char *expected)
{
    if (right == !*expected && strcmp(why, expected) == 0)
        return true;
    printf("%s\n  says:      %s\n  should be: %s\n", text, why, expected);
    return false;
}

/* The nest is the kernel's last statement; order: its loops by letters, as they come to be. */
static const struct {
    const char *text, *order, *why; /* "": allowed */
} orders[] = {
    {BODY("for i in 8, j in 8 y[i, j] = 1"), "ji", ""},
    {BODY("for i in 8, j in 8 y[i, j] = y[i, j] + 1"), "ji", ""},
    /* a dependence between iterations of one loop, which stay in order */
    {BODY("for i in 7, j in 8 y[i, j] = y[i + 1, j]"), "ji", ""},
    {BODY("for i in 7, j in 8 y[i + 1, j] = y[i, j]"), "ji", ""},
    /* (i, j) before (i + 1, j - 1) and the like: iterations of both */
    {BODY("for i in 7, j in 7 y[i, j + 1] = y[i + 1, j]"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to y"},
    {BODY("for i in 7, j in 7 x[i + j] = in[i]"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to x"},
    {BODY("for i in 7, j in 8 x[8*i + j] = in[i]"), "ji", ""},
    {BODY("for i in 8, j in 7, k in 2 x[7*i + j] = in[k]"), "kij", ""},
    {BODY("for i in 8, j in 7, k in 2 x[6*i + j] = in[k]"), "ijk", ""},
    {BODY("for i in 8, j in 7, k in 2 x[6*i + j] = in[k]"), "kij",
     "kernel k: loops i and k must keep their order: iterations of both depend on others by what "
     "they write to x"},
    /* sums and maxima add up in any order, but not what is done in between */
    {BODY("for i in 4, j in 4 x[0] = x[0] + in[4*i + j]"), "ji", ""},
    {BODY("for i in 4, j in 4 x[0] = max(in[4*i + j], x[0])"), "ji", ""},
    {BODY("for i in 4, j in 4 x[0] = fma(in[i], in[j], x[0])"), "ji", ""},
    {BODY("for i in 4, j in 4 x[0] = fma(x[0], in[j], in[i])"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to x"},
    {BODY("for i in 4, j in 4 x[0] = x[0] + x[0]"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to x"},
    {BODY("for i in 4, j in 4 x[0] = x[1] + in[4*i + j]"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to x"},
    {BODY("for i in 4, j in 4 { x[0] = in[j] y[i, j] = x[0] }"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to x"},
    {BODY("for i in 4, j in 4 { x[0] = x[0] + in[j] x[0] = max(x[0], in[i]) }"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to x"},
    /* what begins anew in each iteration carries nothing, what is read after the nest does */
    {BODY("t : stack f32[4] for i in 4, j in 4 { for k in 4 t[k] = in[k] for l in 4 y[i, j] = "
          "t[j] }"),
     "ji", ""},
    {BODY("t : stack f32[4] t[0] = 0 for i in 4, j in 4 { t[0] = in[i] y[i, j] = t[0] }"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to t"},
    /* what a table holds may be anything */
    {BODY("for i in 4, j in 4 x[rows{64}[4*i + j]] = in[i]"), "ji",
     "kernel k: loops i and j must keep their order: iterations of both depend on others by what "
     "they write to x"},
};

static void test_order(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct error error = {0};
        struct module *module = parse(orders[i].text);
        const struct stmt *loop[MAX_RANK], *stmt = module->kernels->body;
        int loops = (int)strlen(orders[i].order), order[MAX_RANK];
        while (stmt->next)
            stmt = stmt->next;
        for (int j = 0; j < loops; j++, stmt = stmt->body) {
            loop[j] = stmt;
            order[strchr(orders[i].order, stmt->var->name[0]) - orders[i].order] = j;
        }
        bool right = kernel_verify_order(module, module->kernels, loops, loop, order, &error);
        failed += !says(orders[i].text, right, error.text, orders[i].why);
        module_free(module);
    }
    assert_int_equal(failed, 0);
}

/* `changed` is the loop's or the buffer's name. */
static const struct {
    const char *text, *changed, *why;
} edits[] = {
    {BODY("for b in 4 block, t in 16 thread x[16*b + t] = in[t]"), "t", ""},
    {BODY("for b in 4 block, t in 16 thread x[15*b + t] = in[t]"), "b",
     "kernel k: loop b: block, but one iteration writes what another writes: an element of x"},
    /* of a loop that was changed a race has to be seen, of others not */
    {BODY("for b in 4 block, t in 16 thread x[16*b + rows{16}[t]] = in[t]"), "t",
     "kernel k: loop t: thread, but one iteration writes what another writes: an element of x"},
    /* barriers */
    {BODY("s : shared f32[16] for b in 4 block { for t in 16 thread s[t] = in[t] barrier for u in "
          "16 thread x[16*b + u] = s[-u + 15] }"),
     "t", ""},
    {BODY("s : shared f32[16] for b in 4 block { for t in 16 thread s[t] = in[t] for u in 16 "
          "thread x[16*b + u] = s[-u + 15] }"),
     "t",
     "kernel k: s: one thread writes an element that another one reads without a barrier between"},
    {BODY("s : shared f32[16] for b in 4 block { for t in 16 thread s[t] = in[t] for u in 16 "
          "thread x[16*b + u] = s[u] }"),
     "t", ""},
    {BODY("s : shared f32[16] for b in 4 block { for t in 16 s[t] = in[t] for u in 16 thread "
          "x[16*b + u] = s[u] }"),
     "t",
     "kernel k: s: one thread writes an element that another one reads without a barrier between"},
    {BODY("s : shared f32[16] for b in 4 block { for t in 16 s[t] = in[t] for u in 16 "
          "x[16*b + u] = s[u] }"),
     "t", ""},
    {BODY("s : shared f32[16] for b in 4 block { for t in 8 thread s[t] = in[t] for u in 8 thread "
          "s[u + 8] = in[u] }"),
     "t", ""},
    {BODY("s : shared f32[16] for b in 4 block { for t in 8 thread s[t] = in[t] for u in 8 thread "
          "s[u + 7] = in[u] }"),
     "t",
     "kernel k: s: one thread writes an element that another one writes without a barrier between"},
    /* from one iteration of a loop around to the next */
    {BODY("s : shared f32[16] for b in 4 { for t in 16 thread s[t] = in[t] barrier for u in "
          "16 thread x[16*b + u] = s[-u + 15] }"),
     "t",
     "kernel k: s: one thread writes an element that another one reads without a barrier between"},
    {BODY("s : shared f32[16] for b in 4 { for t in 16 thread s[t] = in[t] barrier for u in "
          "16 thread x[16*b + u] = s[-u + 15] barrier }"),
     "t", ""},
    {BODY("for b in 4, t in 16 thread x[16*b + t] = in[t]"), "t", ""},
    {BODY("for b in 4, t in 16 thread x[15*b + t] = in[t]"), "t",
     "kernel k: x: one thread writes an element that another one writes without a barrier between"},
    /* what one thread wrote alone, all threads read into registers */
    {BODY("s : shared f32[1] r : registers f32[1] for b in 1 block { s[0] = in[0] r[0] = s[0] x[0] "
          "= r[0] }"),
     "r",
     "kernel k: s: one thread writes an element that another one reads without a barrier between"},
    {BODY("s : shared f32[1] r : registers f32[1] for b in 1 block { s[0] = in[0] barrier r[0] = "
          "s[0] for t in 8 thread x[t] = r[0] }"),
     "r", ""},
    /* registers that one thread alone wrote */
    {BODY("r : registers f32[1] for b in 1 block { for t in 1 thread r[0] = in[t] for u in 8 "
          "thread x[u] = r[0] }"),
     "r",
     "kernel k: r: registers that threads write, which others do not see: the first index of each "
     "access must be the thread"},
    {BODY("r : registers f32[8, 1] for b in 1 block { for t in 8 thread r[t, 0] = in[t] x[0] = "
          "r[3, 0] }"),
     "r",
     "kernel k: r: registers that threads write, which others do not see: the first index of each "
     "access must be the thread"},
    {BODY("r : registers f32[8, 1] for b in 1 block { for t in 8 thread r[t, 0] = in[t] for u in 8 "
          "thread x[u] = r[u, 0] }"),
     "r", ""},
    /* what the verifier asks in any case */
    {BODY("t : stack f32[8] for i in 8 { for j in 8 t[j] = in[j] for l in 7 x[l] = t[l + 1] }"),
     "t", ""},
    {BODY("t : stack f32[8] for i in 8 { for j in 7 t[j] = in[j] for l in 7 x[l] = t[l + 1] }"),
     "t", "kernel k: t[7] is read before it is written"},
};

static const struct stmt *find_loop(const struct stmt *stmt, const char *name)
{
    const struct stmt *found = NULL;
    for (; stmt && !found; stmt = stmt->next)
        if (stmt->kind == STMT_FOR)
            found = strcmp(stmt->var->name, name) == 0 ? stmt : find_loop(stmt->body, name);
    return found;
}

static void test_edits(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct error error = {0};
        struct module *module = parse(edits[i].text);
        const struct kernel *kernel = module->kernels;
        const struct buffer *buffer = kernel->locals;
        while (buffer && strcmp(buffer->name, edits[i].changed) != 0)
            buffer = buffer->next;
        struct edit edit = {buffer ? NULL : find_loop(kernel->body, edits[i].changed), buffer};
        bool right = kernel_verify_kinds(module, kernel, &edit, &error);
        failed += !says(edits[i].text, right, error.text, edits[i].why);
        module_free(module);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_edits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
