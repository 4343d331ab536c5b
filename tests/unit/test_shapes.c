/* The shapes of graph ops, and the errors where operands or attributes do not fit. */
#include "ir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A graph form of one op: its inputs are parameters of the shapes that stand before it.
 *   "[1, 4, 4, 8] [8, 3] = linear" : "[1, 4, 4, 3]" */
static const struct {
    const char *inputs, *op, *result; /* the result's dimensions, or what is wrong */
} cases[] = {
    {"", "input { shape = [1, 3, 8, 8] }", "[1, 3, 8, 8]"},
    {"", "input { shape = [1, 3, 8] }",
     "shape has 3 dimensions, must have the 4 of the module's input"},
    {"", "parameter { name = \"w\", shape = [3] }", "[3]"},
    {"", "parameter { name = \"w\" }", "shape has 0 dimensions, must have 1 to 8"},
    {"", "parameter { shape = [3] }", "name must have 1 to 128 bytes"},
    {"", "parameter { name = \"\", shape = [3] }", "name must have 1 to 128 bytes"},
    {"", "parameter { name = \"w\", shape = [2147483648] }",
     "shape[0] is 2147483648, must be from 1 to 2147483647"},
    {"", "fill { value = -inf, shape = [2, 2] }", "[2, 2]"},
    {"", "coordinates { height = 5, width = 7 }", "[1, 5, 7, 2]"},
    {"", "coordinates { height = 0, width = 7 }", "height is 0, must be from 1 to 4096"},
    {"", "coordinates { height = 1, width = 4097 }", "width is 4097, must be from 1 to 4096"},
    {"[4, 8] [8, 3]", "linear", "[4, 3]"},
    {"[8] [8, 3]", "linear", "[3]"},
    {"[1, 2, 4, 8] [8, 3] [3]", "linear", "[1, 2, 4, 3]"},
    {"[1, 2, 4, 8] [8, 3] [2, 1, 3]", "linear", "[1, 2, 4, 3]"},
    {"[1, 2, 4, 8] [8, 3] [1]", "linear", "[1, 2, 4, 3]"},
    {"[1, 2, 4, 8] [8, 3] [4]", "linear", "input 2 is [4], must broadcast to [1, 2, 4, 3]"},
    {"[8] [8, 3] [2, 3]", "linear", "input 2 is [2, 3], must broadcast to [3]"},
    {"[4, 8] [7, 3]", "linear", "input 1 is [7, 3], must have the 8 rows that input 0 has columns"},
    {"[4, 8] [8]", "linear", "input 1 is [8], must have 2 dimensions"},
    {"[4, 8]", "linear", "1 inputs, must be 2 to 3"},
    {"[4, 8] [8] [8] [8] [8]", "batch_norm { eps = 0 }", "[4, 8]"},
    {"[4, 8] [8] [8] [8] [1]", "batch_norm", "input 4 is [1], must be [8]"},
    {"[4, 8] [8] [8] [8] [8]", "batch_norm { eps = -1 }", "eps is -1, must be from 0 to 1"},
    {"[4, 8] [8] [8] [8]", "batch_norm", "4 inputs, must be 5"},
    {"[4, 8]", "relu", "[4, 8]"},
    {"[4, 8]", "sqrt", "[4, 8]"},
    {"", "relu", "0 inputs, must be 1"},
    {"[4, 8] [8]", "add", "[4, 8]"},
    {"[8] [4, 8]", "sub", "[4, 8]"},
    {"[4, 1] [1, 8]", "mul", "[4, 8]"},
    {"[4, 1] [2, 8]", "div",
     "inputs [4, 1] and [2, 8] do not broadcast: dimensions, counted from the last, must be equal "
     "or 1"},
    {"[1, 9, 8, 3]", "max_pool", "[1, 4, 4, 3]"},
    {"[1, 9, 8, 3]", "max_pool { size = 3, stride = 3 }", "[1, 3, 2, 3]"},
    {"[1, 9, 8, 3]", "max_pool { size = 3, stride = 2, padding = 1 }", "[1, 5, 4, 3]"},
    {"[1, 1, 1, 3]", "max_pool { size = 3, stride = 2, padding = 1 }", "[1, 1, 1, 3]"},
    {"[1, 9, 8, 3]", "max_pool { size = 3, padding = 3 }",
     "padding is 3, must be below the size 3"},
    {"[1, 9, 1, 3]", "max_pool", "input 0 is [1, 9, 1, 3], must have at least 2 by 2 pixels"},
    {"[9, 8, 3]", "max_pool", "input 0 is [9, 8, 3], must have 4 dimensions"},
    {"[1, 9, 8, 3]", "max_pool { size = 17 }", "size is 17, must be from 1 to 16"},
    {"[2, 9, 8, 3]", "mean", "[2, 3]"},
    {"[2, 3]", "mean", "input 0 is [2, 3], must have 4 dimensions"},
    {"[1, 4, 4, 3]", "pad { size = 3 }", "[1, 10, 10, 3]"},
    {"[1, 4, 4, 3]", "pad { size = 4 }",
     "a border of 4 pixels cannot be reflected in a map of 4 by 4, at most 3 can"},
    {"[1, 4, 4, 3]", "pad { size = 4, padding = zero }", "[1, 12, 12, 3]"},
    {"[1, 4, 4, 3]", "pad { size = 1, padding = valid }",
     "padding is valid, must be from reflect to lowest"},
    {"[2, 9, 8, 6] [6, 5]", "grouped_linear { groups = 3 }", "[2, 9, 8, 15]"},
    {"[6] [6, 5]", "grouped_linear", "[5]"},
    {"[] [6, 5]", "grouped_linear", "input 0 is [], must have 1 to 7 dimensions"},
    {"[1, 1, 1, 1, 1, 1, 1, 6] [6, 5]", "grouped_linear",
     "input 0 is [1, 1, 1, 1, 1, 1, 1, 6], must have 1 to 7 dimensions"},
    {"[2, 6] [3, 2, 5]", "grouped_linear { groups = 3 }",
     "input 1 is [3, 2, 5], must have 2 dimensions"},
    {"[2, 6] [2, 5]", "grouped_linear { groups = 3 }",
     "input 1 is [2, 5], must have the 6 rows that input 0 has columns"},
    {"[2, 6] [6, 5]", "grouped_linear { groups = 4 }",
     "input 1 is [6, 5], its rows must be a multiple of the 4 groups"},
    {"[2, 6] [6, 5]", "grouped_linear { groups = 0 }", "groups is 0, must be from 1 to 4096"},
    {"[2, 9, 8, 3] [27, 5]", "convolution", "[2, 7, 6, 5]"},
    {"[2, 9, 8, 3] [27, 5] [5]", "convolution { padding = 1 }", "[2, 9, 8, 5]"},
    {"[2, 9, 8, 3] [147, 5]", "convolution { size = 7, stride = 2, padding = 3 }", "[2, 5, 4, 5]"},
    {"[1, 9, 8, 3] [3, 5]", "convolution { size = 1, stride = 2 }", "[1, 5, 4, 5]"},
    {"[1, 1, 1, 3] [27, 5]", "convolution { stride = 2, padding = 1 }", "[1, 1, 1, 5]"},
    {"[1, 9, 2, 3] [27, 5]", "convolution",
     "input 0 is [1, 9, 2, 3], must have at least 3 by 3 pixels"},
    {"[9, 8, 3] [27, 5]", "convolution", "input 0 is [9, 8, 3], must have 4 dimensions"},
    {"[1, 9, 8, 3] [3, 5]", "convolution",
     "input 1 is [3, 5], must have the 27 rows that input 0 has numbers in a window"},
    {"[1, 9, 8, 3] [27, 5] [4]", "convolution", "input 2 is [4], must broadcast to [1, 7, 6, 5]"},
    {"[1, 9, 8, 3] [27, 5]", "convolution { size = 16 }", "size is 16, must be from 1 to 15"},
    {"[1, 9, 8, 3] [27, 5]", "convolution { stride = 0 }", "stride is 0, must be from 1 to 16"},
    {"[1, 9, 8, 3] [27, 5]", "convolution { padding = 15 }", "padding is 15, must be from 0 to 14"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation", "[1, 8, 8, 49, 4]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { kind = summation, footprint = 3 }",
     "[1, 8, 8, 9, 4]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { kind = hadamard, footprint = 1 }", "[1, 8, 8, 1, 4]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { kind = dot, footprint = 3 }", "[1, 8, 8, 9, 1]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { kind = concatenation, footprint = 3 }",
     "[1, 8, 8, 9, 8]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { kind = patch_concatenation, footprint = 3 }",
     "[1, 8, 8, 40]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { kind = star, footprint = 3 }", "[1, 8, 8, 9]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { kind = clique, footprint = 3 }", "[1, 8, 8, 81]"},
    {"[1, 8, 8, 4] [1, 12, 12, 4]", "relation { footprint = 3, dilation = 2, padding = valid }",
     "[1, 8, 8, 9, 4]"},
    {"[1, 12, 12, 4] [1, 12, 12, 4]",
     "relation { kind = clique, footprint = 3, dilation = 2, padding = valid }", "[1, 8, 8, 81]"},
    {"[1, 4, 12, 4] [1, 4, 12, 4]",
     "relation { kind = clique, footprint = 3, dilation = 2, padding = valid }",
     "input 0 has no pixels within its border of 2"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { footprint = 3, dilation = 2, padding = valid }",
     "input 1 is [1, 8, 8, 4], must be [1, 12, 12, 4]"},
    {"[1, 8, 8, 4] [1, 8, 8, 5]", "relation", "input 1 is [1, 8, 8, 5], must be [1, 8, 8, 4]"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { footprint = 4 }", "footprint is 4, must be odd"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { footprint = 17 }",
     "footprint is 17, must be from 1 to 15"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { footprint = 3, dilation = 8 }",
     "a border of 8 pixels cannot be reflected in a map of 8 by 8, at most 7 can"},
    {"[1, 8, 8, 4] [1, 8, 8, 4]", "relation { footprint = 3, dilation = 8, padding = zero }",
     "[1, 8, 8, 9, 4]"},
    {"[1, 32768, 32768, 64] [1, 32768, 32768, 64]", "relation",
     "the result [1, 32768, 32768, 49, 64] has 2^40 elements or more"},
    {"[1, 8, 8, 9, 4]", "softmax { axis = 3 }", "[1, 8, 8, 9, 4]"},
    {"[8, 9]", "softmax { axis = 2 }", "axis is 2, the input has 2 dimensions"},
    {"[8, 9]", "softmax { axis = 8 }", "axis is 8, must be from 0 to 7"},
    {"[1, 8, 8, 9, 4] [1, 8, 8, 12]", "aggregate { footprint = 3 }", "[1, 8, 8, 12]"},
    {"[1, 8, 8, 9, 4] [1, 10, 10, 12]", "aggregate { footprint = 3, padding = valid }",
     "[1, 8, 8, 12]"},
    {"[1, 8, 8, 9, 4] [1, 8, 8, 10]", "aggregate { footprint = 3 }",
     "input 1 has 10 channels, must be a multiple of input 0's 4"},
    {"[1, 8, 8, 8, 4] [1, 8, 8, 12]", "aggregate { footprint = 3 }",
     "input 0 has 8 neighbours, must have footprint * footprint = 9"},
    {"[1, 8, 8, 9, 4] [1, 8, 9, 12]", "aggregate { footprint = 3 }",
     "input 1 is [1, 8, 9, 12], must be [1, 8, 8, 12]"},
    {"[1, 8, 8, 12] [1, 8, 8, 12]", "aggregate { footprint = 3 }",
     "input 0 is [1, 8, 8, 12], must have 5 dimensions"},
    {"[4, 6]", "reshape { shape = [3, 8] }", "[3, 8]"},
    {"[4, 6]", "reshape { shape = [3, 7] }",
     "shape is [3, 7], must have as many elements as the input's [4, 6]"},
    {"[4, 6, 2]", "transpose { order = [2, 0, 1] }", "[2, 4, 6]"},
    {"[4, 6]", "transpose { order = [0, 0] }",
     "order is [0, 0], must name each of the input's 2 dimensions once"},
    {"[4, 6]", "transpose { order = [0, 2] }",
     "order is [0, 2], must name each of the input's 2 dimensions once"},
    {"[4, 6]", "transpose { order = [0] }",
     "order is [0], must name each of the input's 2 dimensions once"},
    {"[4, 6]", "transpose { order = [0, 1, 1] }",
     "order is [0, 1, 1], must name each of the input's 2 dimensions once"},
    {"[4, 6]", "slice { axis = 1, begin = 2, end = 6 }", "[4, 4]"},
    {"[4, 6]", "slice { axis = 1, begin = 2, end = 7 }",
     "[2, 7) is no part of dimension 1, [0, 6)"},
    {"[4, 6]", "slice { axis = 1, begin = 2, end = 2 }",
     "[2, 2) is no part of dimension 1, [0, 6)"},
    {"[4, 6]", "slice { axis = 1, begin = -1, end = 2 }",
     "begin is -1, must be from 0 to 2147483647"},
    {"[4, 6] [4, 2]", "concat { axis = 1 }", "[4, 8]"},
    {"[4, 6] [1, 2] [4, 1]", "concat { axis = 1 }", "[4, 9]"},
    {"[1, 6] [4, 2]", "concat { axis = 1 }", "[4, 8]"},
    {"[4, 6] [3, 2]", "concat { axis = 1 }",
     "input 1 is [3, 2], must broadcast with [4, 6] along all but dimension 1"},
    {"[4, 6] [6]", "concat { axis = 1 }",
     "input 1 is [6], must broadcast with [4, 6] along all but dimension 1"},
    {"[4, 6]", "concat { axis = 2 }", "axis is 2, the input has 2 dimensions"},
    {"[1, 10]", "output", "[1, 10]"},
    {"[1, 10, 1]", "output", "input 0 is [1, 10, 1], must have 2 dimensions"},
};

/* The module's text: parameters of the inputs' shapes, then the op with the type f32[1]. */
static void write_case(char *text, size_t size, const char *inputs, const char *op)
{
    int count = 0;
    char operands[100] = "";
    size_t used = (size_t)snprintf(text, size,
                                   "sanir 1 model \"m\" input f32[1, 1, 1, 1] classes 1 "
                                   "targets threads 1 graph {\n");
    for (const char *at = inputs; (at = strchr(at, '[')); at++, count++) {
        int length = (int)strcspn(at, "]") + 1;
        used += (size_t)snprintf(text + used, size - used,
                                 "%%%d = parameter { name = \"p\", shape = %.*s } : f32%.*s\n",
                                 count, length, at, length, at);
        snprintf(operands + strlen(operands), 20, "%s %%%d", count ? "," : "", count);
    }
    int length = (int)strcspn(op, " ");
    snprintf(text + used, size - used, "%%%d = %.*s%s%s : f32[1] }", count, length, op, operands,
             op + length);
}

static void test_cases(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2000], result[ERROR_TEXT] = "[";
        struct error error, why;
        write_case(text, sizeof text, cases[i].inputs, cases[i].op);
        struct module *module = module_parse(text, strlen(text), &error);
        if (!module)
            fail_msg("%s\n%d:%d: %s", text, error.at.line, error.at.column, error.text);
        const struct shape *shape = &module->last->shape;
        if (!inst_finish(module->last, &why)) {
            strcpy(result, why.text);
        } else {
            for (int j = 0; j < shape->rank; j++)
                snprintf(result + strlen(result), 30, "%s%lld", j ? ", " : "",
                         (long long)shape->dim[j]);
            strcat(result, "]");
        }
        if (strcmp(result, cases[i].result)) {
            printf("%s = %s\n  gives     %s\n  should be %s\n", cases[i].inputs, cases[i].op,
                   result, cases[i].result);
            failed++;
        }
        module_free(module);
    }
    assert_int_equal(failed, 0);
}

static struct inst *fill_of(struct module *module, double value)
{
    struct error why;
    struct inst *inst = inst_new(module, NULL, OP_fill, 0, NULL);
    inst->attr[SLOT_fill_value].real = value;
    inst->attr[SLOT_fill_shape].shape = (struct shape){1, {4}};
    assert_true(inst_finish(inst, &why));
    return inst;
}

static void test_defaults(void **state)
{
    (void)state;
    struct module *module = module_new();
    struct inst *inst = inst_new(module, NULL, OP_relation, 0, NULL);
    assert_int_equal(inst->attr[SLOT_relation_footprint].integer, 7);
    assert_int_equal(inst->attr[SLOT_relation_padding].integer, padding_kind_reflect);
    struct inst *norm = inst_new(module, NULL, OP_batch_norm, 0, NULL);
    assert_true(norm->attr[SLOT_batch_norm_eps].real == 1e-5);
    assert_int_equal(op_info[OP_relation].attrs, 4);
    assert_int_equal(op_info[OP_relu].attrs, 0);
    assert_string_equal(op_info[OP_slice].attr[SLOT_slice_end].name, "end");
    assert_string_equal(attr_enum_name(ATTR_TYPE_padding_kind, padding_kind_zero), "zero");
    assert_null(attr_enum_name(ATTR_TYPE_padding_kind, relation_kind_dot));
    assert_null(attr_enum_name(ATTR_TYPE_padding_kind, -1));
    assert_null(attr_enum_name(ATTR_TYPE_padding_kind, ENUM_COUNT));
    module_free(module);
}

static struct inst *finished(struct inst *inst)
{
    struct error why;
    assert_true(inst_finish(inst, &why));
    return inst;
}

/* Inserting, replacing and removing; what is constant. */
static void test_list(void **state)
{
    (void)state;
    struct module *module = module_new();
    struct inst *a = fill_of(module, 1), *b = fill_of(module, 2);
    struct inst *sum = finished(inst_new(module, NULL, OP_add, 2, (struct inst *[]){a, a}));
    struct buffer *buffer =
        buffer_new(module, &module->buffers, "w", PLACE_WEIGHTS, (struct shape){1, {4}});
    buffer_set_value(buffer, a);
    assert_int_equal(inst_count_uses(module, a), 3);
    struct inst *relu = inst_new(module, a, OP_relu, 1, (struct inst *[]){a});
    assert_ptr_equal(a->next, relu);
    assert_ptr_equal(relu->next, b);
    inst_replace_uses(module, a, relu); /* but not in relu itself */
    assert_ptr_equal(relu->in[0], a);
    assert_ptr_equal(sum->in[1], relu);
    assert_ptr_equal(buffer->value, relu);
    assert_int_equal(inst_count_uses(module, a), 1);
    assert_true(inst_is_constant(sum));
    inst_remove(module, b);
    assert_ptr_equal(relu->next, sum);
    assert_ptr_equal(sum->prev, relu);
    struct inst *input = inst_new(module, a, OP_input, 0, NULL);
    input->attr[SLOT_input_shape].shape = (struct shape){4, {1, 1, 1, 4}};
    inst_set_input(relu, 0, finished(input));
    assert_int_equal(inst_count_uses(module, a), 0);
    assert_int_equal(inst_count_uses(module, input), 1);
    assert_false(inst_is_constant(input));
    assert_false(inst_is_constant(finished(relu)));
    assert_false(inst_is_constant(finished(sum)));
    assert_true(inst_is_constant(a));
    module_free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
