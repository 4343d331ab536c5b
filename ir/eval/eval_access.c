/* Lanes from memory and to memory. */
#include "eval_loops.h"
#include <assert.h>
#include <string.h>

static int64_t nonlinear_value(const struct nonlinear *term, const int64_t *value)
{
    int64_t inner = index_value(&term->inner, value);
    assert(inner >= 0);
    switch (term->kind) {
    case TERM_DIV:
        return inner / term->divisor;
    case TERM_MOD:
        return inner % term->divisor;
    default:
        return (int64_t)term->table[inner];
    }
}

int64_t index_value(const struct index *index, const int64_t *value)
{
    int64_t sum = index->constant;
    for (int i = 0; i < index->linears; i++)
        sum += index->linear[i].factor * value[index->linear[i].slot];
    for (int i = 0; i < index->nonlinears; i++)
        sum += index->nonlinear[i].factor * nonlinear_value(&index->nonlinear[i], value);
    return sum;
}

/* ---- gathers --------------------------------------------------------------------------------- */

static bool gather_is_current(const struct gather *gather, const struct frame *frame)
{
    bool current = gather->valid;
    for (int i = 0; i < gather->watched; i++) {
        int64_t value = frame->value[gather->slot[i]];
        current = current && gather->seen[i] == value;
        gather->seen[i] = value;
    }
    return current;
}

/* The offsets of all lanes; those beyond the last chunk's are not asked for. */
static const int64_t *gather_offsets(struct gather *gather, const struct frame *frame)
{
    if (gather_is_current(gather, frame))
        return gather->offset;
    const struct lanes *lanes = frame->lanes;
    int64_t first = frame->value[lanes->slot[0]];
    for (int64_t lane = 0; lane < frame->count; lane++) {
        int64_t rest = lane;
        for (int i = lanes->loops - 1; i > 0; i--) {
            frame->value[lanes->slot[i]] = rest % lanes->extent[i];
            rest /= lanes->extent[i];
        }
        frame->value[lanes->slot[0]] = first + rest;
        gather->offset[lane] = index_value(&gather->index, frame->value);
    }
    for (int i = 1; i < lanes->loops; i++)
        frame->value[lanes->slot[i]] = 0;
    frame->value[lanes->slot[0]] = first;
    gather->valid = true;
    return gather->offset;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int64_t extent_of(const struct access *access, const struct frame *frame, int dim)
{
    return access->extent[dim] * (dim ? 1 : frame->head);
}

/* What follows the lanes written at `to`. */
static double *load_rows(const struct access *access, const struct frame *frame, int dim,
                         const double *from, double *to)
{
    int64_t extent = extent_of(access, frame, dim), stride = access->stride[dim];
    if (dim + 1 < access->dims)
        for (int64_t i = 0; i < extent; i++)
            to = load_rows(access, frame, dim + 1, from + i * stride, to);
    else if (stride == 1)
        for (int64_t i = 0; i < extent; i++)
            *to++ = from[i];
    else if (stride == 0)
        for (int64_t i = 0; i < extent; i++)
            *to++ = *from;
    else
        for (int64_t i = 0; i < extent; i++)
            *to++ = from[i * stride];
    return to;
}

static const double *store_rows(const struct access *access, const struct frame *frame, int dim,
                                const double *from, double *to)
{
    int64_t extent = extent_of(access, frame, dim), stride = access->stride[dim];
    if (dim + 1 < access->dims)
        for (int64_t i = 0; i < extent; i++)
            from = store_rows(access, frame, dim + 1, from, to + i * stride);
    else
        for (int64_t i = 0; i < extent; i++)
            to[i * stride] = *from++;
    return from;
}

bool access_is_within(const struct access *access, const struct frame *frame, int64_t base)
{
    int64_t least = base, most = base;
    for (int dim = 0; dim < access->dims; dim++) {
        int64_t reach = access->stride[dim] * (extent_of(access, frame, dim) - 1);
        *(reach < 0 ? &least : &most) += reach;
    }
    return least >= 0 && most < access->elements;
}

/* The lanes in a row: in `room`, or where they already lie so. */
const double *access_load(const struct access *access, const struct frame *frame, double *room)
{
    int64_t base = index_value(&access->index, frame->value);
    if (access->gather) {
        const int64_t *offset = gather_offsets(access->gather, frame);
        for (int64_t i = 0; i < frame->count; i++) {
            assert(base + offset[i] >= 0 && base + offset[i] < access->elements);
            room[i] = access->data[base + offset[i]];
        }
        return room;
    }
    assert(access_is_within(access, frame, base));
    if (access->dims == 1 && access->stride[0] == 1)
        return access->data + base;
    load_rows(access, frame, 0, access->data + base, room);
    return room;
}

void access_store(const struct access *access, const struct frame *frame, const double *from)
{
    int64_t base = index_value(&access->index, frame->value);
    if (access->gather) {
        const int64_t *offset = gather_offsets(access->gather, frame);
        for (int64_t i = 0; i < frame->count; i++) {
            assert(base + offset[i] >= 0 && base + offset[i] < access->elements);
            access->data[base + offset[i]] = from[i];
        }
        return;
    }
    assert(access_is_within(access, frame, base));
    store_rows(access, frame, 0, from, access->data + base);
}
