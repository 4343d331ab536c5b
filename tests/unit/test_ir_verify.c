/* What the verifier lets pass and what it says of the rest. */
#include "affine.h"
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "sanir 1 model \"m\" input f32[1, 1, 4, 4] classes 3 targets \"a\" \"b\" threads 1 "           \
    "workspace 1024 scratch 64 "
#define GRAPH(lines) HEAD "graph { " lines " }"
#define RECIPES                                                                                    \
    "graph { %0 = parameter { name = \"w\", shape = [16] } : f32[16] "                             \
    "%1 = parameter { name = \"v\", shape = [4, 4] } : f32[4, 4] } "
#define BUFFERS                                                                                    \
    "in : input f32[4, 4] out : output f32[3] rows : weights i32[16] = %0 "                        \
    "w : weights f32[16] = %1 x : workspace f32[64] at 0 y : workspace f32[8, 8] "
#define LOOPS(rest) HEAD RECIPES rest
/* writes all that the cases read */
#define FIRST                                                                                      \
    "kernel first { for o in 3 out[o] = 0 for a in 64 x[a] = 0 for b in 8, c in 8 y[b, c] = 0 } "
#define BODY(lines) HEAD RECIPES BUFFERS FIRST "kernel k { " lines "\n}"

#define IN "%0 = input { shape = [1, 1, 4, 4] } : f32[1, 1, 4, 4] "
#define OUT "%8 = fill { shape = [1, 3] } : f32[1, 3] %9 = output %8 : f32[1, 3] "

static const struct {
    const char *text, *why; /* "": right */
} cases[] = {
    /* the head */
    {GRAPH(IN OUT), ""},
    {"sanir 1 model \"m\" input f32[1, 1, 4, 4] classes 3 targets \"a\" \"a\" threads 1 "
     "graph { " IN OUT " }",
     "the target \"a\" is given twice"},
    {"sanir 1 model \"m\" input f32[1048576, 1, 4, 4] classes 1048576 targets threads 1 "
     "graph { " IN OUT " }",
     "turns, batch, channels, height, width and classes must be at least 1, input and output have "
     "fewer "
     "than 2^40 elements"},

    /* the graph */
    {GRAPH(""), "the graph has 0 inputs and 0 outputs, must have one of each"},
    {GRAPH(IN), "the graph has 1 inputs and 0 outputs, must have one of each"},
    {GRAPH(OUT), "the graph has 0 inputs and 1 outputs, must have one of each"},
    {GRAPH(IN OUT "%10 = output %8 : f32[1, 3]"),
     "the graph has 1 inputs and 2 outputs, must have one of each"},
    {GRAPH("%0 = input { shape = [1, 1, 4, 5] } : f32[1, 1, 4, 5] " OUT),
     "%0 = input: the shape is [1, 1, 4, 5], the module's head says [1, 1, 4, 4]"},
    {GRAPH(IN "%8 = fill { shape = [1, 4] } : f32[1, 4] %9 = output %8 : f32[1, 4] "),
     "%9 = output: the shape is [1, 4], the module's head says [1, 3]"},
    {GRAPH(IN OUT "%10 = relu %9 : f32[1, 3]"), "%10 = relu: input 0 is the output"},
    {GRAPH(IN "%1 = relu %0, %0 : f32[1, 1, 4, 4] " OUT), "%1 = relu: 2 inputs, must be 1"},
    {GRAPH(IN "%1 = relu %0 : f32[1, 1, 4, 3] " OUT),
     "%1 = relu: the shape is [1, 1, 4, 3], must be [1, 1, 4, 4]"},
    {GRAPH(IN "%1 = relu %0 : f32[1, 4, 4] " OUT),
     "%1 = relu: the shape is [1, 4, 4], must be [1, 1, 4, 4]"},
    {GRAPH(IN "%1 = max_pool %0 { size = 0 } : f32[1, 1, 4, 4] " OUT),
     "%1 = max_pool: size is 0, must be from 1 to 16"},
    {GRAPH(IN "%1 = pad %0 { size = 1, padding = valid } : f32[1, 3, 6, 4] " OUT),
     "%1 = pad: padding is valid, must be from reflect to zero"},
    {GRAPH(IN "%1 = parameter { shape = [1] } : f32[1] " OUT),
     "%1 = parameter: name must have 1 to 128 bytes"},
    {GRAPH(IN "%1 = add %0, %8 : f32[1, 1, 4, 4] " OUT), NULL},

    /* buffers */
    {BODY(""), ""},
    {LOOPS("in : input f32[4, 4] out : output f32[3] in2 : input f32[16] kernel k { }"),
     "2 buffers in input, kernels need one"},
    {LOOPS("in : input f32[4, 4] kernel k { }"), "0 buffers in output, kernels need one"},
    {LOOPS("in : input f32[4, 5] out : output f32[3] kernel k { }"),
     "buffer in: 20 elements, the module's input has 16"},
    {LOOPS("in : input f32[4, 4] out : output f32[4] kernel k { }"),
     "buffer out: 4 elements, the module's output has 3"},
    {LOOPS("in : input i32[4, 4] out : output f32[3] kernel k { }"),
     "buffer in: of another type than f32, which only weights may be"},
    {LOOPS("in : input f32[4, 4] at 0 out : output f32[3] kernel k { }"),
     "buffer in: in input, must have no offset"},
    {LOOPS("w : weights f32[15] = %0 "),
     "the graph has 0 inputs and 0 outputs, must have one of each"},
    {LOOPS("w : weights f32[15] = %0 kernel k { }"),
     "buffer w: [15], its value %0 is [16] of another number of elements"},
    {HEAD "graph { " IN "} w : weights f32[16] = %0 kernel k { }",
     "buffer w: its value %0 is not constant"},
    {HEAD "graph { " IN "%1 = fill { shape = [4] } : f32[4] %2 = mul %0, %1 : f32[1, 1, 4, 4] } "
          "w : weights f32[16] = %2 kernel k { }",
     "buffer w: its value %2 is not constant"},
    {LOOPS("x : workspace f32[256] at 0 in : input f32[16] out : output f32[3] "
           "kernel k { for i in 3 out[i] = 0 }"),
     ""},
    {LOOPS("x : workspace f32[256] at 4 kernel k { }"),
     "buffer x: bytes 4 to 1028 of a workspace of 1024"},
    {LOOPS("x : workspace f32[1] at 2 kernel k { }"),
     "buffer x: the offset 2, must be a multiple of 4 up to 2^42"},
    {LOOPS("x : workspace f32[1] at 4398046511104 kernel k { }"),
     "buffer x: bytes 4398046511104 to 4398046511108 of a workspace of 1024"},
    {BODY("t : stack f32[16] at 0"), ""},
    {BODY("t : stack f32[16] at 4"), "kernel k: buffer t: bytes 4 to 68 of a scratch of 64"},
    {BODY("t : registers f32[4] at 0"), "kernel k: buffer t: in registers, must have no offset"},
    {BODY("t : stack i32[16]"),
     "kernel k: buffer t: of another type than f32, which only weights may be"},

    /* kernels and schedules */
    {BODY("} kernel k {"), "kernel k: another kernel has this name"},
    {BODY("} kernel l target \"a\" { } kernel l target \"b\" {"), ""},
    {BODY("} kernel l target \"a\" { } kernel l target \"a\" {"),
     "kernel l: another kernel has this name"},
    {BODY("} kernel l target \"a\" { } kernel l {"), "kernel l: another kernel has this name"},
    {BODY("} kernel l target \"c\" {"), "kernel l: \"c\" is none of the module's targets"},
    {BODY("schedule \"c\" { }"), "kernel k: \"c\" is none of the module's targets"},
    {BODY("schedule \"a\" {\n tile m 2\n }"), ""},

    /* loops */
    {BODY("for i in 8 parallel, j in 8 y[i, j] = 0 for k in 8 parallel x[k] = 0"), ""},
    {BODY("for i in 8, j in 8 parallel y[i, j] = 0"),
     "kernel k: loop j: parallel, must be outermost"},
    {BODY("for i in 8 vector, j in 8 y[i, j] = 0"), "kernel k: loop i: vector, must be innermost"},
    {BODY("for i in 8 vector { x[i] = 0 x[i + 8] = sum c in 3 (y[0, c]) }"), ""},
    {BODY("for i in 8 vector { x[i] = 0 for j in 3 x[j] = 0 }"),
     "kernel k: loop i: vector, must be innermost"},
    {BODY("for i in 8 { }"), ""},

    /* loops of a GPU */
    {BODY(
         "s : shared f32[8] at 1048544 for b in 4 block, c in 2 block { for t in 8 thread s[t] = 0 "
         "barrier for t1 in 4 thread x[16*b + 8*c + t1] = s[t1 + 4] }"),
     ""},
    {BODY("s : shared f32[8] at 1048548"),
     "kernel k: buffer s: bytes 1048548 to 1048580, a block shares at most 1048576"},
    {LOOPS("s : shared f32[8] kernel k { }"), NULL},
    {BODY("for i in 8, j in 8 block y[i, j] = 0"),
     "kernel k: loop j: block, must be outermost, alone, and fewer than 2^31 blocks"},
    {BODY("for i in 8 block x[i] = 0 x[9] = 0"),
     "kernel k: loop i: block, must be outermost, alone, and fewer than 2^31 blocks"},
    {BODY("for i in 65536 block, j in 65536 block x[0] = 0"),
     "kernel k: loop j: block, must be outermost, alone, and fewer than 2^31 blocks"},
    {BODY("for j in 16, i in 1024 thread { }"), ""},
    {BODY("for i in 1025 thread x[0] = 0"),
     "kernel k: loop i: 1025 threads, at most 1024 are allowed"},
    {BODY("for i in 8 thread, k in 2, j in 8 thread y[i, j] = 0"),
     "kernel k: loop j: thread, must not be in a thread loop"},
    {BODY("for i in 8 parallel, j in 8 thread y[i, j] = 0"),
     "kernel k: loop j: thread, must not be in a parallel loop"},
    {BODY("for i in 8 thread { x[i] = 0 barrier }"), "kernel k: a barrier in a thread loop"},
    {BODY("for i in 8 barrier"), ""},
    {BODY("r : registers f32[8, 2] for i in 8 thread, j in 2 unroll r[i, j] = 0"), ""},
    {BODY("r : registers f32[2, 8] for i in 8 thread, j in 2 unroll r[j, i] = 0"),
     "kernel k: r: index 1 of registers depends on a loop that is not unrolled, or on a table"},
    {BODY("r : registers f32[9] for i in 8 thread r[i + 1] = 0"),
     "kernel k: r: index 0 of registers depends on a loop that is not unrolled, or on a table"},
    {BODY("r : registers f32[8] for i in 8 block r[i] = 0"),
     "kernel k: r: index 0 of registers depends on a loop that is not unrolled, or on a table"},

    /* accesses */
    {BODY("for i in 64 x[i] = 0"), ""},
    {BODY("for i in 65 x[i] = 0"),
     "kernel k: x: index 0 may be from 0 to 64, must be from 0 to 63"},
    {BODY("for i in 8 x[i - 1] = 0"),
     "kernel k: x: index 0 may be from -1 to 6, must be from 0 to 63"},
    {BODY("for i in 8, j in 8 x[8*i + j] = y[j, i]"), ""},
    {BODY("for i in 8, j in 9 x[8*i] = y[i, j]"),
     "kernel k: y: index 1 may be from 0 to 8, must be from 0 to 7"},
    {BODY("for i in 64 x[i] = y[i div 8, i mod 8]"), ""},
    {BODY("for i in 65 x[0] = y[i div 8, i mod 8]"),
     "kernel k: y: index 0 may be from 0 to 8, must be from 0 to 7"},
    {BODY("x[64] = 0"), "kernel k: x: index 0 may be from 64 to 64, must be from 0 to 63"},
    {BODY("for i in 16 x[rows{64}[i]] = 0"), ""},
    {BODY("for i in 16 x[rows{65}[i]] = 0"),
     "kernel k: x: index 0 may be from 0 to 64, must be from 0 to 63"},
    {BODY("for i in 17 x[rows{64}[i]] = 0"),
     "kernel k: rows: index 0 may be from 0 to 16, must be from 0 to 15"},
    {BODY("x[0] = rows[0]"), "kernel k: rows: a table, must be used as NAME{LIMIT}[...] in an "
                             "index"},
    {BODY("in[0, 0] = 0"), "kernel k: in: a store into input, which is only read"},
    {BODY("w[0] = 0"), "kernel k: w: a store into weights, which is only read"},
    {BODY("x[0] = sum c in 65 (x[c])"),
     "kernel k: x: index 0 may be from 0 to 64, must be from 0 to 63"},
    {BODY("x[0] = sum c in 64 (x[c]) from x[64]"),
     "kernel k: x: index 0 may be from 64 to 64, must be from 0 to 63"},

    /* registers */
    {BODY("r : registers f32[4, 8] for i in 4 unroll, v in 8 vector r[i, v] = 0"), ""},
    {BODY("r : registers f32[4, 8] for i in 4, v in 8 vector r[i, v] = 0"),
     "kernel k: r: index 0 of registers depends on a loop that is not unrolled, or on a table"},
    {BODY("r : registers f32[4] for i in 4 parallel x[i] = r[i]"),
     "kernel k: r: index 0 of registers depends on a loop that is not unrolled, or on a table"},
    {BODY("r : registers f32[4] for i in 4 unroll x[i] = r[rows{4}[i]]"),
     "kernel k: r: index 0 of registers depends on a loop that is not unrolled, or on a table"},
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
        if (!cases[i].why) { /* the parser refuses it already */
            assert_null(module);
            continue;
        }
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

/* ---- what no text can say -------------------------------------------------------------------- */

struct built {
    struct module *module;
    struct buffer *x, *local;
    struct kernel *kernel, *other;
    struct var *i, *j;
    struct stmt *store, *loop;
    const struct affine *zero;
    struct inst *recipe;
};

/* for i in 8: x[i] = 1, in a module where all is right */
static struct built build(void)
{
    static const char text[] =
        HEAD RECIPES BUFFERS FIRST "kernel k { t : stack f32[4] } kernel l { }";
    struct error error;
    struct built b = {.module = module_parse(text, sizeof text - 1, &error)};
    assert_non_null(b.module);
    b.kernel = b.module->kernels->next;
    b.other = b.kernel->next;
    b.local = b.kernel->locals;
    for (b.x = b.module->buffers; strcmp(b.x->name, "x") != 0;)
        b.x = b.x->next;
    b.i = var_new(b.module, "i", 8);
    b.j = var_new(b.module, "j", 8);
    b.zero = affine_constant(b.module->arena, 0);
    const struct affine *index[1] = {affine_var(b.module->arena, b.i)};
    b.store = stmt_store(b.module, b.x, index, expr_constant(b.module, 1));
    b.loop = stmt_for(b.module, b.i, LOOP_SERIAL, b.store);
    b.kernel->body = b.loop;
    b.recipe = b.module->first;
    return b;
}

static void check(struct built *b, const char *expected)
{
    struct error error = {0};
    bool right = module_verify(b->module, &error);
    assert_string_equal(error.text, expected);
    assert_int_equal(right, !expected[0]);
    module_free(b->module);
    *b = build();
}

static void test_built_loops(void **state)
{
    (void)state;
    struct built b = build();
    check(&b, "");
    b.loop->var = b.j;
    check(&b, "kernel k: x: index 0 uses i outside of its loop");
    b.i->extent = 0;
    check(&b, "kernel k: loop i: the extent is 0, must be from 1 to 2^40 - 1");
    b.i->name = "for";
    check(&b, "kernel k: loop for: the name is no identifier, or a word of the language");
    b.loop->next = stmt_for(b.module, var_new(b.module, "i", 2), LOOP_SERIAL, NULL);
    check(&b, "kernel k: loop i: another loop of the kernel has this name");
    b.loop->loop = LOOP_KIND_COUNT;
    check(&b, "kernel k: a loop of no kind");
    b.store->kind = (enum stmt_kind)7;
    check(&b, "kernel k: a statement of no kind");
    b.store->index[0] = NULL;
    check(&b, "kernel k: x: index 0 is missing");
    b.store->index[1] = b.zero;
    check(&b, "kernel k: x: more than its 1 indices");
    b.other->body = stmt_store(b.module, b.local, &b.zero, expr_constant(b.module, 1));
    check(&b, "kernel l: a buffer that is neither the module's nor the kernel's");
    b.store->buffer = NULL;
    check(&b, "kernel k: a buffer that is neither the module's nor the kernel's");
    b.local->name = "x";
    check(&b, "kernel k: buffer x: another buffer has this name");
    b.local->place = PLACE_WORKSPACE;
    check(&b, "kernel k: buffer t: stack, registers and shared belong into a kernel, the other "
              "places into "
              "the module");
    b.local->shape.dim[0] = 0;
    check(&b, "kernel k: buffer t: its dimensions must be at least 1 and its elements fewer than "
              "2^40");
    b.kernel->name = "a b";
    check(&b, "kernel a b: the name is no identifier, or a word of the language");
    module_free(b.module);
}

static void test_built_exprs(void **state)
{
    (void)state;
    char number[80];
    struct built b = build();
    b.store->value = NULL;
    check(&b, "kernel k: an expression with an operand missing");
    b.store->value = expr_constant(b.module, NAN);
    check(&b, "kernel k: a constant that is not a number");
    struct expr no_op = {.op = SCALAR_COUNT};
    b.store->value = &no_op;
    snprintf(number, sizeof number, "kernel k: no scalar op has the number %d", SCALAR_COUNT);
    check(&b, number);
    struct expr no_vars = {.op = SCALAR_sum};
    b.store->value = &no_vars;
    check(&b, "kernel k: sum over 0 variables, must be 1 to 8");
    for (int i = 0; i < 300; i++)
        b.store->value =
            expr_op(b.module, SCALAR_add, b.store->value, expr_constant(b.module, 1), NULL);
    check(&b, "kernel k: loops and operations more than 166 deep");
    /* the largest tree that passes also parses; test_ir_text has what is beyond */
    for (int i = 0; i < 164; i++)
        b.store->value =
            expr_op(b.module, SCALAR_add, expr_constant(b.module, 1), b.store->value, NULL);
    check(&b, "");
    for (int i = 3; i < 40; i++) {
        struct arena *arena = b.module->arena;
        b.i->extent = 99;
        b.store->index[0] =
            affine_add(arena, b.store->index[0], affine_mod(arena, affine_var(arena, b.i), i));
    }
    check(&b, "kernel k: x: index 0 has more than 32 terms, or may go beyond 2^40");
    module_free(b.module);
}

static void test_built_graph(void **state)
{
    (void)state;
    char number[80];
    struct built b = build();
    b.recipe->id = b.recipe->next->id;
    check(&b, "%1 = parameter: another value has this id");
    b.recipe->id = 99;
    check(&b, "%99 = parameter: the id must be from 0 to 16777215 and below next_id");
    b.recipe->op = OP_COUNT;
    snprintf(number, sizeof number, "%%0: no op has the number %d", OP_COUNT);
    check(&b, number);
    b.recipe->constant = false;
    check(&b, "%0 = parameter: said to be variable, which is wrong");
    struct inst *late = b.recipe->next;
    struct inst *relu = inst_new(b.module, b.recipe, OP_relu, 1, &late);
    relu->shape = late->shape;
    relu->constant = true;
    check(&b, "%2 = relu: input 0 is not defined above it");
    for (struct buffer *buffer = b.module->buffers; buffer; buffer = buffer->next)
        buffer->value = NULL;
    check(&b, "buffer rows: its value is not in the graph");
    b.x->value = b.recipe;
    check(&b, "buffer x: in workspace, must have no value");
    b.module->name = "a-b";
    check(&b, "the module's name is no identifier");
    b.module->threads = 0;
    check(&b, "threads is 0, must be from 1 to 65536");
    module_free(b.module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_built_loops),
        cmocka_unit_test(test_built_exprs),
        cmocka_unit_test(test_built_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
