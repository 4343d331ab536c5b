/* The tables made from ops.def. */
#include "ir.h"

/* A struct per op with one byte per attribute, so that sizeof counts the ATTR rows. */
struct attrs_of_none {
    char op;
#define OP(name, least, most, traits)                                                              \
    }                                                                                              \
    ;                                                                                              \
    struct attrs_of_##name {                                                                       \
        char op;
#define ATTR(op, type, name, init, least, most) char name;
#include "ops.def"
};

const struct op_info op_info[OP_COUNT] = {
#define OP(op, least, most, flags)                                                                 \
    [OP_##op].name = #op, [OP_##op].least_inputs = least, [OP_##op].most_inputs = most,            \
    [OP_##op].traits = flags, [OP_##op].attrs = (int)sizeof(struct attrs_of_##op) - 1,
#define ATTR(op, type, name, init, least, most)                                                    \
    [OP_##op].attr[SLOT_##op##_##name] = {OP_##op, ATTR_TYPE_##type, #name, init, least, most},
#include "ops.def"
};

const struct scalar_info scalar_info[SCALAR_COUNT] = {
#define SCALAR(name, inputs, infix) [SCALAR_##name] = {#name, inputs, infix},
#include "ops.def"
};

const char *const place_name[PLACE_COUNT] = {
    [PLACE_INPUT] = "input",         [PLACE_OUTPUT] = "output", [PLACE_WEIGHTS] = "weights",
    [PLACE_WORKSPACE] = "workspace", [PLACE_STACK] = "stack",   [PLACE_REGISTERS] = "registers",
    [PLACE_SHARED] = "shared",
};

const char *const dtype_name[DTYPE_COUNT] = {
    [DTYPE_F32] = "f32", [DTYPE_I32] = "i32", [DTYPE_U8] = "u8", [DTYPE_BF16] = "bf16"};

const int dtype_bytes[DTYPE_COUNT] = {[DTYPE_F32] = 4, [DTYPE_I32] = 4, [DTYPE_U8] = 1, [DTYPE_BF16] = 2};

const char *const layout_name[LAYOUT_COUNT] = {[LAYOUT_NCHW] = "nchw", [LAYOUT_NHWC] = "nhwc"};

const char *const bound_name[BOUND_COUNT] = {
    [BOUND_FMA] = "fma", [BOUND_VECTOR] = "vector", [BOUND_LATENCY] = "latency",
    [BOUND_L1] = "l1",   [BOUND_L2] = "l2",         [BOUND_MEMORY] = "memory",
};

const char *const loop_kind_name[LOOP_KIND_COUNT] = {
    [LOOP_SERIAL] = "serial", [LOOP_PARALLEL] = "parallel", [LOOP_UNROLL] = "unroll",
    [LOOP_VECTOR] = "vector", [LOOP_BLOCK] = "block",       [LOOP_THREAD] = "thread",
    [LOOP_WARP] = "warp",     [LOOP_MATRIX] = "matrix",
};

static const struct {
    enum attr_type type;
    const char *name;
} enum_value[ENUM_COUNT] = {
#define ENUM(type, value) [type##_##value] = {ATTR_TYPE_##type, #value},
#include "ops.def"
};

const char *attr_enum_name(enum attr_type type, int64_t value)
{
    if (value < 0 || value >= ENUM_COUNT || enum_value[value].type != type)
        return NULL;
    return enum_value[value].name;
}
