/* The text form: what prints reads back to the same bytes, and what is wrong is said with its
 * place.
 */
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
    struct ir_error error = {0};
    struct module *module = module_parse(text, strlen(text), &error);
    if (!module)
        fail_msg("%d:%d: %s", error.line, error.column, error.message);
    return module;
}

/* text -> module -> the same text; verifies it too */
static void check_same(const char *text)
{
    char why[300] = "";
    struct module *module = parse(text);
    if (!module_verify(module, why, sizeof why))
        fail_msg("%s", why);
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
    "sanir 1\nmodel \"m\"\ninput f32[1, 1, 4, 4]\nclasses 3\ntargets \"a\" \"b\"\nthreads 1\n"     \
    "passes 0\n"
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
    HEAD BUFFERS "\nkernel k \"a \\\"b\\\" \\\\ \\x01\\x7f \xc3\xa9\" target \"a\" {\n}\n"
                 "\nkernel k target \"b\" {\n}\n",
};

static void test_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        check_same(same[i]);
}

/* Forms that are read, and what they come out as. */
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
        check_same(at);
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
    char why[200];
    struct inst *input = inst_new(module, NULL, OP_input, 0, NULL), *last = input;
    input->attr[SLOT_input_shape].shape = (struct shape){4, {1, 3, 8, 8}};
    assert_true(inst_finish(input, why, sizeof why));
    for (int i = 0; i < count; i++) {
        struct inst *in[2] = {last, random_below(2) ? input : last};
        enum op op = random_below(2) ? OP_add : OP_relu;
        last = inst_new(module, NULL, op, op == OP_add ? 2 : 1, in);
        last->label = random_below(3) ? NULL : "a \"label\"";
        assert_true(inst_finish(last, why, sizeof why));
    }
    struct inst *fill = inst_new(module, NULL, OP_fill, 0, NULL);
    fill->attr[SLOT_fill_value].real = 1.0 / 3;
    fill->attr[SLOT_fill_shape].shape = (struct shape){1, {1000}};
    assert_true(inst_finish(fill, why, sizeof why));
    buffer_new(module, &module->buffers, "x", PLACE_WORKSPACE, (struct shape){1, {1 << 20}});
    struct buffer *table =
        buffer_new(module, &module->buffers, "t", PLACE_WEIGHTS, (struct shape){1, {1000}});
    table->dtype = DTYPE_I32;
    table->value = fill;
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
        struct kernel *kernel = kernel_new(module, name);
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

/* ---- what is wrong --------------------------------------------------------------------------- */

#define GRAPH(lines) HEAD "graph {\n" lines
#define BODY(lines) HEAD BUFFERS "kernel k {\n" lines
#define X10 "          "
#define PARENS20 "(((((((((((((((((((("

/* Lines count from the text behind HEAD or BUFFERS as 1. */
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
    {HEAD "workspace 4 stack", "8:13", "found 'stack', must be 'scratch'"},
    {HEAD "kernel", "8:1", "found 'kernel', must be 'graph'"},
    {GRAPH("0 = relu"), "9:1", "found '0', must be a value as %1"},
    {GRAPH("% = relu"), "9:1", "found %, must be a value as %1"},
    {GRAPH("%99999999 = relu"), "9:1",
     "found '99999999', must be the number of a value: an integer from 0 to 16777215"},
    {GRAPH("%0 relu"), "9:4", "found 'relu', must be '='"},
    {GRAPH("%0 = frobnicate"), "9:6", "found 'frobnicate', must be the name of a graph op"},
    {GRAPH("%0 = relu %0"), "9:11", "%0 is not defined above"},
    {GRAPH("%0 = input { shap = [1] }"), "9:14", "found 'shap', must be an attribute: shape"},
    {GRAPH("%0 = input { shape = 1 }"), "9:22", "found '1', must be '['"},
    {GRAPH("%0 = input { shape = [1], shape = [1] }"), "9:27",
     "found 'shape', must be an attribute that was not given yet"},
    {GRAPH("%0 = relu { a = 1 }"), "9:13", "found 'a', must be an op without attributes"},
    {GRAPH("%0 = pad { padding = mirror }"), "9:22",
     "found 'mirror', must be one of valid, reflect, zero"},
    {GRAPH("%0 = pad { size = 1.5 }"), "9:19",
     "found '1.5', must be size: an integer from 0 to 1099511627776"},
    {GRAPH("%0 = fill { value = x }"), "9:21", "found 'x', must be a number"},
    {GRAPH("%0 = fill { value = 1e999 }"), "9:21",
     "found '1e999', must be a number that fits float64, or inf"},
    {GRAPH("%0 = fill { value = 0x10 }"), "9:21", "found '0x10', must be a decimal number"},
    {GRAPH("%0 = fill { value = 1 shape = [1] }"), "9:23", "found 'shape', must be '}'"},
    {GRAPH("%0 = fill : f32[1]\n%0 = fill : f32[1]"), "10:1", "%0 is defined twice"},
    {GRAPH("%0 = fill\n%1 = fill : f32[1]"), "10:1", "%1 is not defined above"},
    {GRAPH("%0 = fill : f32[1]"), "9:19", "found the end of the text, must be a value as %1"},
    {GRAPH("%0=fill:f32[1]\n%1=concat %0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0,%0"), "10:59",
     "more than 16 inputs"},
    {GRAPH("%0 = parameter { name = \"" X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10 "\" }"),
     "9:25", "a string of 130 bytes, at most 128 are allowed"},
    {GRAPH("}\nx stack"), "10:3", "found 'stack', must be ':'"},
    {GRAPH("}\nx : stack"), "10:5",
     "found 'stack', must be a place: input, output, weights, workspace"},
    {GRAPH("}\nx : input f64[1]"), "10:11", "found 'f64', must be a type: f32, i32"},
    {GRAPH("}\nx : weights f32[1] at 0"), "10:20", "found 'at', must be '='"},
    {GRAPH("}\nx : weights f32[1] = %3"), "10:22", "%3 is not defined above"},
    {GRAPH("}\nx : input f32[1] at -1"), "10:21",
     "found '-', must be an offset in bytes: an integer from 0 to 4398046511104"},
    {GRAPH("}\nx : input f32[1]\nx : output f32[1]"), "11:1", "a second buffer of the name x"},
    {GRAPH("}\nvector : input f32[1]"), "10:1",
     "found 'vector', must be the name of a buffer, or kernel"},
    {GRAPH("}\n}"), "10:1", "found '}', must be a buffer, a kernel, or the end of the text"},
    {HEAD BUFFERS "kernel {", "18:8", "found '{', must be the name of a kernel"},
    {HEAD BUFFERS "kernel k { } x : input f32[1]", "18:14",
     "found 'x', must be a kernel, or the end of the text"},
    {BODY("for i"), "19:6", "found the end of the text, must be 'in'"},
    {BODY("for div in 3"), "19:5", "found 'div', must be the name of a loop variable"},
    {BODY("for i in 0"), "19:10",
     "found '0', must be the extent of a loop: an integer from 1 to 1099511627775"},
    {BODY("for i in 3, i in 4"), "19:13", "a second loop variable of the name i in this kernel"},
    {BODY("for i in 3\n x[i] = 0\nx[i] = 0"), "21:3", "the loop of i ended above"},
    {BODY("x[i] = 0"), "19:3", "no loop has a variable i"},
    {BODY("nowhere[0] = 0"), "19:1", "no buffer has the name nowhere"},
    {BODY("x[0, 0] = 0"), "19:4", "found ',', must be ']': x has 1 dimensions"},
    {BODY("y[0] = 0"), "19:4", "found ']', must be ','"},
    {BODY("x[*] = 0"), "19:3",
     "found '*', must be an index: a variable, a number, a table, or '('"},
    {BODY("x[y{3}[0]] = 0"), "19:3", "y is no table: must be i32 of one dimension"},
    {BODY("x[rows{0}[0]] = 0"), "19:8",
     "found '0', must be the limit of a table's values: an integer from 1 to 2147483647"},
    {BODY("for i in 3 x[i div 0] = 0"), "19:20",
     "found '0', must be a divisor: an integer from 1 to 1099511627776"},
    {BODY("for i in 3 x[(i - 1) mod 2] = 0"), "19:14",
     "div or mod of an index that may be -1, must not be negative"},
    {BODY("for i in 3 x[1099511627776*i] = 0"), "19:14", "an index that may go beyond 2^40"},
    {BODY("x[99999999999999999999] = 0"), "19:3",
     "found '99999999999999999999', must be a number in an index: an integer from 0 to "
     "1099511627776"},
    {BODY("x[0] = "), "19:8",
     "found the end of the text, must be an expression: a number, a load, a function, sum, "
     "maximum, or '('"},
    {BODY("x[0] = x"), "19:9",
     "found the end of the text, must be '[' behind the name of a buffer, or '(' behind max, fma, "
     "exp or sqrt"},
    {BODY("x[0] = max(1)"), "19:13", "found ')', must be ','"},
    {BODY("x[0] = exp(1, 2)"), "19:13", "found ',', must be ')'"},
    {BODY("x[0] = 1 + * 2"), "19:12",
     "found '*', must be an expression: a number, a load, a function, sum, maximum, or '('"},
    {BODY("x[0] = 12x"), "19:8", "found '12x', must be a decimal number"},
    {BODY("x[0] = sum 3"), "19:12", "found '3', must be the name of a loop variable"},
    {BODY("x[0] = sum c in 3 x[c]"), "19:19", "found 'x', must be '('"},
    {BODY("x[0] = sum c in 3 (x[c]) + x[c]"), "19:30", "the loop of c ended above"},
    {BODY("x[0] = " PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20
              PARENS20 "1"),
     "19:208", "nested more than 200 deep"},
    {BODY("x[" PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20 PARENS20
              PARENS20 "1"),
     "19:203", "nested more than 200 deep"},
    {BODY("t : workspace f32[1]"), "19:5",
     "found 'workspace', must be a place in a kernel: stack, registers"},
    {BODY("x : stack f32[1]"), "19:1", "a second buffer of the name x"},
    {BODY("x[0] = 1\nt : stack f32[1]"), "20:1",
     "a buffer behind the first statement of its kernel"},
    {BODY("schedule a"), "19:10", "found 'a', must be a string in double quotes"},
    {BODY("schedule \"a\" {\ntile (m)\n}"), "20:6",
     "found '(', must be a command of words from letters, digits and _ . - + * =, or '}'"},
    {BODY("schedule \"a\" {\n1 2 3 4 5 6 7 8 9 10\n}"), "20:19", "more than 8 operands"},
    {BODY("schedule \"a\" {\n}\nx[0] = 1"), "21:1", "found 'x', must be a schedule, or '}'"},
    {BODY("for i in 3 {"), "19:13",
     "found the end of the text, must be a statement: a store, or for"},
};

static void test_wrong(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ir_error error = {0};
        char place[40];
        struct module *module = module_parse(wrong[i].text, strlen(wrong[i].text), &error);
        snprintf(place, sizeof place, "%d:%d", error.line, error.column);
        if (module || strcmp(place, wrong[i].place) || strcmp(error.message, wrong[i].message)) {
            printf("case %zu: %s: %s\n  should say: %s: %s\n", i, place, error.message,
                   wrong[i].place, wrong[i].message);
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
        struct ir_error error = {0};
        static char text[200000];
        strcpy(text, BODY(""));
        strcat(text, chain[i].begin);
        size_t used = strlen(text), part = strlen(chain[i].part);
        for (int j = 0; j < 10000; j++, used += part)
            memcpy(text + used, chain[i].part, part);
        assert_null(module_parse(text, used, &error));
        assert_string_equal(error.message, chain[i].message);
    }
    char text[4000] = BODY("for i in 99999 x[0");
    for (int i = 3; i < 40; i++)
        snprintf(text + strlen(text), 40, " + i mod %d", i);
    struct ir_error error = {0};
    assert_null(module_parse(text, strlen(text), &error));
    assert_string_equal(error.message, "an index of 34 terms, at most 32 are allowed");
}

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
            struct ir_error error = {0};
            char why[300], *copy = malloc(size);
            assert_non_null(copy);
            memcpy(copy, at, size);
            for (int j = random_below(3); j >= 0; j--)
                copy[random_below((int)size)] = at[random_below((int)size)];
            struct module *module = module_parse(copy, size - (size_t)random_below(4), &error);
            free(copy);
            if (!module) {
                assert_true(error.line > 0 && error.column > 0 && error.message[0]);
                continue;
            }
            parsed++;
            module_verify(module, why, sizeof why);
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
        cmocka_unit_test(test_wrong),   cmocka_unit_test(test_long),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
