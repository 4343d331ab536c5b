/* Shapes of tensors. */
#include "rules.h"
#include <stdio.h>

int64_t shape_elements(const struct shape *shape)
{
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++)
        elements *= shape->dim[i];
    return elements;
}

struct shape module_input_shape(const struct module *m)
{
    if (m->layout == LAYOUT_NHWC)
        return (struct shape){4, {m->batch, m->height, m->width, m->channels}};
    return (struct shape){4, {m->batch, m->channels, m->height, m->width}};
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool shape_valid(const struct shape *shape)
{
    if (shape->rank < 0 || shape->rank > MAX_RANK)
        return false;
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1 || shape->dim[i] > (MOST_ELEMENTS - 1) / elements)
            return false;
        elements *= shape->dim[i];
    }
    return true;
}

const char *shape_text(const struct shape *shape, char text[SHAPE_TEXT])
{
    size_t used = 0;
    text[used++] = '[';
    for (int i = 0; i < shape->rank; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%lld", i ? ", " : "",
                                 (long long)shape->dim[i]);
    snprintf(text + used, SHAPE_TEXT - used, "]");
    return text;
}
