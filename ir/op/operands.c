/* What shapes are checked with. */
#include "op.h"

bool want_rank(const struct inst *inst, int input, int rank, struct error *error)
{
    char text[SHAPE_TEXT];
    const struct shape *shape = &inst->in[input]->shape;
    if (shape->rank == rank)
        return true;
    return error_set(error, "input %d is %s, must have %d dimensions", input,
                     shape_text(shape, text), rank);
}

bool want_shape(const struct inst *inst, int input, const struct shape *shape, struct error *error)
{
    char found[SHAPE_TEXT], allowed[SHAPE_TEXT];
    if (shape_equal(&inst->in[input]->shape, shape))
        return true;
    return error_set(error, "input %d is %s, must be %s", input,
                     shape_text(&inst->in[input]->shape, found), shape_text(shape, allowed));
}

bool want_axis(const struct inst *inst, int64_t axis, struct error *error)
{
    int rank = inst->in[0]->shape.rank;
    if (axis < rank)
        return true;
    return error_set(error, "axis is %lld, the input has %d dimensions", (long long)axis, rank);
}

/* As NumPy does, into *shape, which starts as the first operand's. Skips `axis` (-1: none). */
bool shape_broadcast(struct shape *shape, const struct shape *other, int axis)
{
    int rank = shape->rank > other->rank ? shape->rank : other->rank;
    struct shape result = {rank, {0}};
    for (int i = 1; i <= rank; i++) {
        int64_t a = i <= shape->rank ? shape->dim[shape->rank - i] : 1;
        int64_t b = i <= other->rank ? other->dim[other->rank - i] : 1;
        if (a != b && a != 1 && b != 1 && rank - i != axis)
            return false;
        result.dim[rank - i] = a == 1 ? b : a;
    }
    *shape = result;
    return true;
}

/* A mirrored border of s pixels needs s + 1 pixels to mirror. */
bool want_reflectable(const struct shape *x, int64_t padding, int64_t s, struct error *error)
{
    int64_t least = x->dim[1] < x->dim[2] ? x->dim[1] : x->dim[2];
    if (padding != padding_kind_reflect || s < least)
        return true;
    return error_set(
        error,
        "a border of %lld pixels cannot be reflected in a map of %lld by %lld, at most "
        "%lld can",
        (long long)s, (long long)x->dim[1], (long long)x->dim[2], (long long)(least - 1));
}
