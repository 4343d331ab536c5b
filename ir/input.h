/* What elements buffers have, and how images lie in memory. */
#ifndef IR_INPUT_H
#define IR_INPUT_H
#include <stdint.h>

enum dtype {
    DTYPE_F32,
    DTYPE_I32,  /* of weights: a table for indices */
    DTYPE_U8,   /* of the input: bytes 0 to 255, which are loaded as floats */
    DTYPE_BF16, /* the upper half of a float, whose lower half is zero */
    DTYPE_COUNT
};
extern const char *const dtype_name[DTYPE_COUNT];
extern const int dtype_bytes[DTYPE_COUNT];

struct buffer;
int64_t buffer_bytes(const struct buffer *buffer);

enum layout {
    LAYOUT_NCHW, /* a plane for each channel */
    LAYOUT_NHWC, /* pixel by pixel */
    LAYOUT_COUNT
};
extern const char *const layout_name[LAYOUT_COUNT];

/* A batch of a module's images as it lies in memory. */
struct module;
struct shape module_input_shape(const struct module *module);

#endif
