/* Errors of the verifier in modules that no text can express; for texts see the folder ir. */
#include "affine.h"
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Writes all that kernels may read. */
static const char text[] =
    "sanir 1 model \"m\" input f32[1, 1, 4, 4] classes 3 targets \"a\" \"b\" threads 1\n"
    "workspace 1024 scratch 64\n"
    "graph {\n"
    "  %0 = parameter { name = \"w\", shape = [16] } : f32[16]\n"
    "  %1 = parameter { name = \"v\", shape = [4, 4] } : f32[4, 4]\n"
    "}\n"
    "in : input f32[4, 4] out : output f32[3] rows : weights i32[16] = %0\n"
    "w : weights f32[16] = %1 x : workspace f32[64] at 0 y : workspace f32[8, 8]\n"
    "kernel first { for o in 3 out[o] = 0 for a in 64 x[a] = 0 for b in 8, c in 8 y[b, c] = 0 }\n"
    "kernel k { t : stack f32[4] }\n"
    "kernel l { }\n";

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
        cmocka_unit_test(test_built_loops),
        cmocka_unit_test(test_built_exprs),
        cmocka_unit_test(test_built_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
