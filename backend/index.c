/* Addresses: one getelementptr per loop level, the outermost first and the constant last, so that
 * LLVM moves each out to its loop and folds the constant into the instruction. They are not
 * inbounds: sums in between may lie outside of the buffer. */
#include "index.h"
#include <string.h>

static LLVMValueRef emit_affine(struct emitter *e, const struct affine *a);

static const struct binding *binding_find(struct emitter *e, const struct var *var)
{
    for (int i = e->depth; i-- > 0;)
        if (e->binding[i].var == var)
            return &e->binding[i];
    emit_fail(e, "variable %s has no loop around it", var->name);
    return &e->binding[0];
}

static LLVMValueRef constant(struct emitter *e, int64_t value)
{
    return LLVMConstInt(e->index, (unsigned long long)value, 1);
}

static LLVMValueRef emit_lookup(struct emitter *e, const struct term *term)
{
    const struct base *base = base_find(e, term->table);
    if (!base)
        return constant(e, 0);
    LLVMValueRef address = index_address(e, base, term->inner, 0);
    LLVMValueRef load = LLVMBuildLoad2(e->builder, e->i32, address, "");
    LLVMSetAlignment(load, 4);
    access_mark_read(e, load, base);
    return LLVMBuildZExt(e->builder, load, e->index, "");
}

/* Without its factor. What a div or mod is applied to is never negative. */
static LLVMValueRef emit_term(struct emitter *e, const struct term *term)
{
    switch (term->kind) {
    case TERM_VAR: {
        const struct binding *binding = binding_find(e, term->var);
        return binding->known || !binding->value ? constant(e, binding->constant) : binding->value;
    }
    case TERM_DIV:
        return LLVMBuildUDiv(e->builder, emit_affine(e, term->inner), constant(e, term->divisor),
                             "");
    case TERM_MOD:
        return LLVMBuildURem(e->builder, emit_affine(e, term->inner), constant(e, term->divisor),
                             "");
    case TERM_LOOKUP:
        break;
    }
    return emit_lookup(e, term);
}

static LLVMValueRef emit_scaled(struct emitter *e, const struct term *term)
{
    LLVMValueRef value = emit_term(e, term);
    if (term->factor == 1)
        return value;
    return LLVMBuildNSWMul(e->builder, value, constant(e, term->factor), "");
}

static LLVMValueRef emit_sum(struct emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    return a ? LLVMBuildNSWAdd(e->builder, a, b, "") : b;
}

static LLVMValueRef emit_affine(struct emitter *e, const struct affine *a)
{
    LLVMValueRef sum = NULL;
    for (int i = 0; i < a->count; i++)
        sum = emit_sum(e, sum, emit_scaled(e, &a->term[i]));
    if (!sum || a->constant)
        sum = emit_sum(e, sum, constant(e, a->constant));
    return sum;
}

/* The innermost loop that a term depends on, as a place in e->binding; -1 for none. */
static int term_depth(struct emitter *e, const struct term *term)
{
    if (term->kind == TERM_VAR) {
        const struct binding *binding = binding_find(e, term->var);
        return binding->known ? -1 : (int)(binding - e->binding);
    }
    int depth = -1;
    for (int i = 0; i < term->inner->count; i++) {
        int inner = term_depth(e, &term->inner->term[i]);
        depth = inner > depth ? inner : depth;
    }
    return depth;
}

LLVMTypeRef index_element(const struct emitter *e, const struct buffer *buffer)
{
    return buffer->dtype == DTYPE_U8 ? e->i8 : buffer->dtype == DTYPE_BF16 ? e->i16 : e->f32;
}

static LLVMValueRef advance(struct emitter *e, const struct base *base, LLVMValueRef pointer,
                            LLVMValueRef elements)
{
    LLVMTypeRef type = index_element(e, base->buffer);
    return LLVMBuildGEP2(e->builder, type, pointer, &elements, 1, "");
}

LLVMValueRef index_address(struct emitter *e, const struct base *base, const struct affine *linear,
                           int64_t extra)
{
    LLVMValueRef level[MAX_DEPTH + 1] = {0}; /* [0]: known, but only in LLVM */
    extra += linear->constant;
    for (int i = 0; i < linear->count; i++) {
        const struct term *term = &linear->term[i];
        int depth = term_depth(e, term);
        if (depth < 0 && term->kind == TERM_VAR)
            extra += term->factor * binding_find(e, term->var)->constant;
        else
            level[depth + 1] = emit_sum(e, level[depth + 1], emit_scaled(e, term));
    }
    LLVMValueRef pointer = base->pointer;
    for (int i = 0; i <= e->depth; i++)
        if (level[i])
            pointer = advance(e, base, pointer, level[i]);
    return extra ? advance(e, base, pointer, constant(e, extra)) : pointer;
}

bool index_known(struct emitter *e, const struct affine *linear, int64_t *value)
{
    *value = linear->constant;
    for (int i = 0; i < linear->count; i++) {
        const struct term *term = &linear->term[i];
        if (term_depth(e, term) >= 0 || term->kind != TERM_VAR)
            return false;
        *value += term->factor * binding_find(e, term->var)->constant;
    }
    return true;
}

int64_t index_remainder(struct emitter *e, const struct affine *linear, int64_t divisor)
{
    int64_t left = linear->constant;
    for (int i = 0; i < linear->count; i++) {
        const struct term *term = &linear->term[i];
        if (term->kind == TERM_VAR && term_depth(e, term) < 0)
            left += term->factor * binding_find(e, term->var)->constant;
        else if (term->factor % divisor)
            return -1;
    }
    return (left % divisor + divisor) % divisor;
}

/* x86 reads unaligned vectors at full speed, so that only a float's alignment is promised. A GPU
 * takes one instruction for neighbours whose alignment is known, up to 16 bytes; LLVM finds those
 * of scalars. */
unsigned index_alignment(struct emitter *e, const struct base *base, const struct affine *linear,
                         int64_t extra)
{
    enum { MOST_BYTES = 16 };
    enum dtype dtype = base->buffer->dtype;
    int64_t bytes = dtype_bytes[dtype], constant = linear->constant + extra;
    int64_t together = e->target->gpu && dtype != DTYPE_U8 ? MOST_BYTES / bytes : 1;
    int64_t factors = base->alignment / bytes;
    for (int i = 0; i < linear->count; i++) {
        const struct term *term = &linear->term[i];
        if (term->kind == TERM_VAR && term_depth(e, term) < 0)
            constant += term->factor * binding_find(e, term->var)->constant;
        else
            factors |= term->factor;
    }
    while ((factors | constant) % together)
        together /= 2;
    return (unsigned)(bytes * together);
}

static bool uses_inside(const struct affine *a, const struct var *var)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind != TERM_VAR && affine_uses(a->term[i].inner, var))
            return true;
    return false;
}

static bool is_thread(const struct emitter *e, const struct affine *index)
{
    return e->thread && e->target->gpu && affine_uses(index, e->thread);
}

/* Where a matrix loop runs over a dimension of a registers buffer, a thread has `PARTS` elements of
 * that dimension. */
static const struct affine *own_part(struct emitter *e, const struct affine *index, int64_t *extent)
{
    enum { PARTS = 2 };
    for (int i = 0; i < e->parts; i++)
        if (affine_uses(index, e->part[i].var)) {
            *extent = PARTS;
            return affine_constant(e->arena, e->part[i].number);
        }
    return index;
}

/* Every thread has registers of its own. */
static const struct affine *linear_registers(struct emitter *e, const struct buffer *buffer,
                                             const struct affine *const *index)
{
    const struct affine *own[MAX_RANK];
    struct shape shape = {0};
    for (int i = is_thread(e, index[0]); i < buffer->shape.rank; i++) {
        shape.dim[shape.rank] = buffer->shape.dim[i];
        own[shape.rank] = own_part(e, index[i], &shape.dim[shape.rank]);
        shape.rank++;
    }
    return affine_linearize(e->arena, &shape, own);
}

const struct affine *index_linear(struct emitter *e, const struct buffer *buffer,
                                  const struct affine *const *index)
{
    const struct affine *linear = buffer->place == PLACE_REGISTERS
                                      ? linear_registers(e, buffer, index)
                                      : affine_linearize(e->arena, &buffer->shape, index);
    for (int i = 0; i < e->parts; i++)
        linear = affine_substitute(e->arena, linear, e->part[i].var, e->part[i].as);
    for (int i = 0; i < e->depth; i++)
        if (e->binding[i].known && uses_inside(linear, e->binding[i].var))
            linear = affine_substitute(e->arena, linear, e->binding[i].var,
                                       affine_constant(e->arena, e->binding[i].constant));
    return linear;
}

static const struct affine *at_lane(struct emitter *e, const struct affine *linear, int lane)
{
    return affine_substitute(e->arena, linear, e->vector, affine_constant(e->arena, lane));
}

void index_lanes(struct emitter *e, const struct affine *linear, struct lanes *lanes)
{
    lanes->kind = LANES_UNIFORM;
    lanes->origin = linear;
    if (!e->vector || !affine_uses(linear, e->vector))
        return;
    lanes->kind = LANES_CONSTANT;
    lanes->origin = lanes->lane[0] = at_lane(e, linear, 0);
    const struct affine *minus = affine_scale(e->arena, lanes->origin, -1);
    bool same = true;
    for (int i = 0; i < e->lanes; i++) {
        lanes->lane[i] = at_lane(e, linear, i);
        const struct affine *offset = affine_add(e->arena, lanes->lane[i], minus);
        lanes->offset[i] = offset->constant;
        same = same && !offset->constant;
        if (!affine_is_constant(offset))
            lanes->kind = LANES_FREE;
    }
    if (same && lanes->kind == LANES_CONSTANT)
        lanes->kind = LANES_UNIFORM;
}
