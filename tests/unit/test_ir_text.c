/* The text form: what prints reads back to the same bytes, and errors have their place. */
#include "affine.h"
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- helpers --------------------------------------------------------------------------------- */

static char *print(const struct module *module)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    module_print(module, file);
    fclose(file);
    return text;
}

static struct module *parse(const char *text)
{
    struct error error = {0};
    struct module *module = module_parse(text, strlen(text), &error);
    if (!module)
        fail_msg("%d:%d: %s", error.at.line, error.at.column, error.text);
    return module;
}

/* text -> module -> the same text */
static void check_same(const char *text, bool verifies)
{
    struct error error;
    struct module *module = parse(text);
    if (verifies && !module_verify(module, &error))
        fail_msg("%s", error.text);
    char *again = print(module);
    assert_string_equal(again, text);
    free(again);
    module_free(module);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

/* ---- what is right --------------------------------------------------------------------------- */

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
#define KERNEL(body) HEAD BUFFERS "\nkernel k {\n" body "}\n"

static const char *const same[] = {
    KERNEL(""),
    HEAD "turns 3\n" BUFFERS "\nkernel k {\n}\n",
    KERNEL("  for i in 3 {\n  }\n"),
    KERNEL("  for i in 3, j in 4 unroll {\n    x[i] = 0\n    x[j] = 1\n  }\n"),
    KERNEL("  x[0] = -0\n"),
    KERNEL("  x[0] = 0.1\n"),
    KERNEL("  x[0] = 0.10000000000000002\n"),
    KERNEL("  x[0] = 2.2250738585072009e-308\n"),
    KERNEL("  x[0] = 1.7976931348623157e+308\n"),
    KERNEL("  x[0] = inf - -inf\n"),
    KERNEL("  x[0] = 1 - 2 - 3\n"),
    KERNEL("  x[0] = 1 - (2 - 3)\n"),
    KERNEL("  x[0] = 1 + (2 + 3)\n"),
    KERNEL("  x[0] = (1 + 2) * 3 / (4 * 5)\n"),
    KERNEL("  x[0] = 1 + 2 * 3 - -4 / 5\n"),
    KERNEL("  x[0] = max(1, fma(2, x[1], 3)) * (4 - exp(sqrt(5)))\n"),
    KERNEL("  x[0] = sum c in 3 (x[c] + 1) from 2 + 3\n"),
    KERNEL("  x[0] = sum c in 3 (x[c]) from (2 + 3)\n"),
    KERNEL("  x[0] = sum c in 3 (1) from sum d in 4 (2) from x[5]\n"),
    KERNEL("  x[0] = maximum c in 3, d in 4 (sum e in 2 (x[c + d + e])) from -inf\n"),
    KERNEL("  for i in 60\n    x[i + 4] = x[i div 4 + 3] + x[i mod 7]\n"),
    KERNEL("  for i in 8, j in 8\n    x[8*i + j] = x[-j - 8*i + 63]\n"),
    KERNEL("  for i in 9, j in 8\n    x[(8*i + 3*j) mod 5] = x[3*((i + j) mod 5) + 1]\n"),
    KERNEL("  for i in 16\n    x[rows{16}[i] div 3] = x[4*rows{16}[i mod 5]]\n"),
    KERNEL("  for i in 8\n    y[i, -i + 7] = 2\n  x[1] = 1\n"),
    KERNEL("  z : stack f32[]\n  z[] = z[] + 1\n"),
    KERNEL("  a1 : stack f32[2]\n  schedule \"a\" {\n    tile m-1 2.5 x=3\n    go\n  }\n"
           "  schedule \"b\" {\n  }\n"),
    KERNEL("  cost { flops = 12, exps = 0, bytes = 48, intensity = 0.25 }\n  x[0] = 1\n"),
    KERNEL("  cost { flops = 0, exps = 3, bytes = 0 }\n  a1 : stack f32[2]\n  x[0] = 1\n"),
    KERNEL("  cost { flops = 1234567890123, exps = 5, bytes = 7, intensity = 1.76e+11, l1 = 1, l2 "
           "= 2, "
           "memory = 3, cycles = 4, bound = fma }\n  x[0] = 1\n"),
    HEAD BUFFERS "\nkernel k \"a \\\"b\\\" \\\\ \\x01\\x7f \xc3\xa9\" target \"a\" {\n}\n"
                 "\nkernel k target \"b\" {\n}\n",
};

static void test_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        check_same(same[i], false);
}

/* Forms that are read, and how they print. */
static const char *const becomes[][2] = {
    {"x[0] = ((1) + ((2)))", "x[0] = 1 + 2"},
    {"x[0] = 1e0 + 100.000", "x[0] = 1 + 100"},
    {"for i in 4 { x[i] = 0 }", "for i in 4\n    x[i] = 0"},
    {"for i in 4 for j in 4 x[i] = 0", "for i in 4, j in 4\n    x[i] = 0"},
    {"for i in 4 serial x[i] = 0 ; why", "for i in 4\n    x[i] = 0"},
    {"for i in 4 x[1 + i + 2 + i] = 0", "for i in 4\n    x[2*i + 3] = 0"},
    {"for i in 4 x[(8*i + 3) div 8] = 0", "for i in 4\n    x[i] = 0"},
    {"for i in 4 x[(8*i + 3) mod 8] = 0", "for i in 4\n    x[3] = 0"},
    {"for i in 4 x[4*(i div 4) + i mod 4] = 0", "for i in 4\n    x[i] = 0"},
    {"for i in 1 x[i + 5] = 0", "for i in 1\n    x[5] = 0"},
    {"for i in 4 x[i - i] = 0", "for i in 4\n    x[0] = 0"},
    {"for i in 4 x[7 - i] = 0", "for i in 4\n    x[-i + 7] = 0"},
    {"for i in 40 x[2*(3*(i div 7))] = 0", "for i in 40\n    x[6*(i div 7)] = 0"},
};

static void test_becomes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof becomes / sizeof *becomes; i++) {
        char text[4000];
        snprintf(text, sizeof text, "%s%s\n}\n", HEAD BUFFERS "kernel k { ", becomes[i][0]);
        struct module *module = parse(text);
        char *printed = print(module);
        snprintf(text, sizeof text, "%s%s\n}\n", HEAD BUFFERS "\nkernel k {\n  ", becomes[i][1]);
        assert_string_equal(printed, text);
        free(printed);
        module_free(module);
    }
}

/* The modules in ir/README.md are right as they stand there, and show the whole language. */
static void test_readme(void **state)
{
    (void)state;
    char *text = read_file("ir/README.md"), *at = text, all[20000] = "";
    if (!text) {
        puts("skipped: ir/README.md is not below the current folder");
        skip();
    }
    while ((at = strstr(at, "```sanir\n"))) {
        at += strlen("```sanir\n");
        char *end = strstr(at, "```");
        assert_non_null(end);
        *end = 0;
        check_same(at, true);
        strcat(all, at);
        at = end + 1;
    }
    char word[40];
    for (int op = 0; op < OP_COUNT; op++) {
        snprintf(word, sizeof word, " = %s", op_info[op].name);
        assert_non_null(strstr(all, word));
    }
    for (int kind = relation_kind_subtraction; kind <= relation_kind_clique; kind++)
        assert_non_null(strstr(all, attr_enum_name(ATTR_TYPE_relation_kind, kind)));
    for (int op = 0; op < SCALAR_COUNT; op++)
        if (scalar_info[op].inputs)
            assert_non_null(strstr(all, scalar_info[op].infix[0] ? scalar_info[op].infix
                                                                 : scalar_info[op].name));
    for (int place = 0; place < PLACE_COUNT; place++)
        assert_non_null(strstr(all, place_name[place]));
    for (int kind = LOOP_PARALLEL; kind < LOOP_KIND_COUNT; kind++)
        assert_non_null(strstr(all, loop_kind_name[kind]));
    free(text);
}

/* ---- large and random modules ---------------------------------------------------------------- */

static uint64_t random_state = 1;

static int random_below(int most)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 33) % (uint64_t)most);
}

static int names_made;

static struct var *random_var(struct module *module)
{
    char name[24];
    snprintf(name, sizeof name, "v%d", names_made++);
    return var_new(module, name, 1 + random_below(9));
}

static const struct affine *random_index(struct module *module, struct var **var, int vars,
                                         struct buffer *table, int depth)
{
    struct arena *arena = module->arena;
    const struct affine *sum = affine_constant(arena, random_below(5));
    for (int i = 0; i < 2; i++) {
        const struct affine *item = affine_var(arena, var[random_below(vars)]);
        int kind = depth ? random_below(4) : 3;
        if (kind < 3)
            item = random_index(module, var, vars, table, depth - 1);
        if (kind == 0)
            item = affine_div(arena, item, 1 + random_below(7));
        else if (kind == 1)
            item = affine_mod(arena, item, 1 + random_below(7));
        else if (kind == 2)
            item = affine_lookup(arena, table, item, 1 + random_below(20));
        sum = affine_add(arena, sum, affine_scale(arena, item, random_below(4)));
    }
    return sum;
}

static const struct expr *random_expr(struct module *module, struct var **var, int vars,
                                      struct buffer *x, struct buffer *table, int depth)
{
    const struct affine *index[1] = {random_index(module, var, vars, table, 1)};
    const struct expr *in[3] = {NULL};
    enum scalar_op op = (enum scalar_op)random_below(SCALAR_COUNT);
    if (op == SCALAR_load || (depth == 0 && op != SCALAR_constant))
        return expr_load(module, x, index);
    if (op == SCALAR_constant)
        return expr_constant(module, (random_below(2000) - 1000) / (1.0 + random_below(30)));
    struct var *inner[5] = {0};
    memcpy(inner, var, (size_t)vars * sizeof *var);
    if (op == SCALAR_sum || op == SCALAR_maximum) {
        inner[vars] = random_var(module);
        in[0] = random_expr(module, inner, vars < 4 ? vars + 1 : vars, x, table, depth - 1);
        if (random_below(2))
            in[1] = random_expr(module, var, vars, x, table, depth - 1);
        return expr_reduce(module, op, 1, &inner[vars], in[0], in[1]);
    }
    for (int i = 0; i < scalar_info[op].inputs; i++)
        in[i] = random_expr(module, var, vars, x, table, depth - 1);
    return expr_op(module, op, in[0], in[1], in[2]);
}

static void random_graph(struct module *module, int count)
{
    struct error why;
    struct inst *input = inst_new(module, NULL, OP_input, 0, NULL), *last = input;
    input->attr[SLOT_input_shape].shape = (struct shape){4, {1, 3, 8, 8}};
    assert_true(inst_finish(input, &why));
    for (int i = 0; i < count; i++) {
        struct inst *in[2] = {last, random_below(2) ? input : last};
        enum op op = random_below(2) ? OP_add : OP_relu;
        last = inst_new(module, NULL, op, op == OP_add ? 2 : 1, in);
        last->label = random_below(3) ? NULL : "a \"label\"";
        assert_true(inst_finish(last, &why));
    }
    struct inst *fill = inst_new(module, NULL, OP_fill, 0, NULL);
    fill->attr[SLOT_fill_value].real = 1.0 / 3;
    fill->attr[SLOT_fill_shape].shape = (struct shape){1, {1000}};
    assert_true(inst_finish(fill, &why));
    buffer_new(module, &module->buffers, "x", PLACE_WORKSPACE, (struct shape){1, {1 << 20}});
    struct buffer *table =
        buffer_new(module, &module->buffers, "t", PLACE_WEIGHTS, (struct shape){1, {1000}});
    table->dtype = DTYPE_I32;
    buffer_set_value(table, fill);
}

static struct module *random_module(int insts, int kernels)
{
    struct module *module = module_new();
    module->name = "random";
    module->channels = 3;
    module->height = module->width = 8;
    module->classes = 10;
    random_graph(module, insts);
    struct buffer *x = module->buffers, *table = x->next;
    for (int i = 0; i < kernels; i++) {
        char name[24];
        snprintf(name, sizeof name, "kernel_%d", i);
        struct kernel *kernel = kernel_new(module, &module->kernels, name);
        struct var *var[4] = {random_var(module), random_var(module), random_var(module), NULL};
        const struct affine *index[1] = {random_index(module, var, 3, table, 2)};
        struct stmt *body = stmt_store(module, x, index, random_expr(module, var, 3, x, table, 6));
        for (int j = 0; j < 3; j++)
            body = stmt_for(module, var[2 - j], j == 2 ? LOOP_PARALLEL : LOOP_UNROLL, body);
        kernel->body = body;
    }
    return module;
}

static void test_random(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct module *module = random_module(i == 0 ? 20000 : 20, i == 0 ? 400 : 20);
        char *once = print(module);
        struct module *second = parse(once);
        char *twice = print(second);
        assert_string_equal(once, twice);
        assert_int_equal(second->next_id, module->next_id);
        free(once);
        free(twice);
        module_free(module);
        module_free(second);
    }
}

/* ---- damaged texts --------------------------------------------------------------------------- */

/* Any byte of a right text changed: an error, or a module that prints and reads back. */
static void test_damaged(void **state)
{
    (void)state;
    char *text = read_file("ir/README.md");
    if (!text) {
        puts("skipped: ir/README.md is not below the current folder");
        skip();
    }
    int parsed = 0;
    for (char *at = text; (at = strstr(at, "```sanir\n"));) {
        at += strlen("```sanir\n");
        size_t size = (size_t)(strstr(at, "```") - at);
        for (int i = 0; i < 4000; i++) {
            struct error error = {0};
            char *copy = malloc(size);
            assert_non_null(copy);
            memcpy(copy, at, size);
            for (int j = random_below(3); j >= 0; j--)
                copy[random_below((int)size)] = at[random_below((int)size)];
            struct module *module = module_parse(copy, size - (size_t)random_below(4), &error);
            free(copy);
            if (!module) {
                assert_true(error.at.line > 0 && error.at.column > 0 && error.text[0]);
                continue;
            }
            parsed++;
            module_verify(module, &error);
            char *once = print(module);
            struct module *second = parse(once);
            char *twice = print(second);
            assert_string_equal(once, twice);
            free(once);
            free(twice);
            module_free(module);
            module_free(second);
        }
    }
    assert_true(parsed > 100);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),    cmocka_unit_test(test_becomes),
        cmocka_unit_test(test_readme),  cmocka_unit_test(test_random),

        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
