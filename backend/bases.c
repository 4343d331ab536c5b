/* Where a kernel's buffers begin, and which of them cannot overlap: the loop form names every
 * buffer, so LLVM is told that accesses to different ones are apart (alias scopes), unless the
 * plan of the workspace lays one over the other. */
#include "emit.h"
#include <stdio.h>

/* A GPU's kernel has weights where others have scratch. */
enum argument {
    ARGUMENT_INPUT,
    ARGUMENT_OUTPUT,
    ARGUMENT_WORKSPACE,
    ARGUMENT_SCRATCH,
    ARGUMENT_OUTSIDE = 6
};

const struct base *base_find(struct emitter *e, const struct buffer *buffer)
{
    for (int i = 0; i < e->bases; i++)
        if (e->base[i].buffer == buffer)
            return &e->base[i];
    emit_fail(e, "buffer %s is not its own", buffer->name);
    return NULL;
}

static LLVMValueRef add_bytes(struct emitter *e, LLVMValueRef from, int64_t bytes,
                              const struct buffer *buffer)
{
    LLVMValueRef offset = LLVMConstInt(e->i64, (unsigned long long)bytes, 0);
    return LLVMBuildInBoundsGEP2(e->builder, LLVMInt8TypeInContext(e->context), from, &offset, 1,
                                 buffer->name);
}

static LLVMValueRef at_offset(struct emitter *e, LLVMValueRef from, const struct buffer *buffer)
{
    if (buffer->offset < 0)
        emit_fail(e, "buffer %s has no place yet", buffer->name);
    return add_bytes(e, from, buffer->offset, buffer);
}

/* Of an x86: in the object or outside. */
static LLVMValueRef weights_of(struct emitter *e, const struct buffer *buffer)
{
    struct error error;
    const struct constant *constant = constants_find(e->constants, buffer, &error);
    if (!constant)
        emit_fail(e, "%s", error.text);
    if (!constant || constant->global)
        return constant ? constant->global : NULL;
    return add_bytes(e, LLVMGetParam(e->function, ARGUMENT_OUTSIDE), constant->offset, buffer);
}

/* One alloca per buffer; LLVM's sroa makes registers of it. A buffer of tiles has none. */
static LLVMValueRef registers(struct emitter *e, const struct buffer *buffer)
{
    if (tiles_have(e, buffer))
        return LLVMGetUndef(e->ptr);
    LLVMTypeRef element = buffer->dtype == DTYPE_F32 ? e->f32 : e->i32;
    LLVMTypeRef type = LLVMArrayType2(element, (uint64_t)shape_elements(&buffer->shape));
    LLVMValueRef pointer = LLVMBuildAlloca(e->builder, type, buffer->name);
    LLVMSetAlignment(pointer, ALIGNMENT);
    return pointer;
}

static LLVMValueRef pointer_of(struct emitter *e, const struct buffer *buffer)
{
    switch (buffer->place) {
    case PLACE_INPUT:
        return LLVMGetParam(e->function, ARGUMENT_INPUT);
    case PLACE_OUTPUT:
        return LLVMGetParam(e->function, ARGUMENT_OUTPUT);
    case PLACE_WORKSPACE:
        return at_offset(e, LLVMGetParam(e->function, ARGUMENT_WORKSPACE), buffer);
    case PLACE_STACK:
        if (e->target->gpu)
            break;
        return at_offset(e, LLVMGetParam(e->function, ARGUMENT_SCRATCH), buffer);
    case PLACE_REGISTERS:
        return registers(e, buffer);
    case PLACE_WEIGHTS:
        if (e->target->gpu)
            return at_offset(e, LLVMGetParam(e->function, ARGUMENT_SCRATCH), buffer);
        return weights_of(e, buffer);
    case PLACE_SHARED:
        if (!e->target->gpu)
            break;
        return at_offset(e, device_shared(e), buffer);
    case PLACE_COUNT:
        break;
    }
    emit_fail(e, "buffer %s is in %s, which %s does not have", buffer->name,
              place_name[buffer->place], e->target->name);
    return NULL;
}

static void add_base(struct emitter *e, const struct buffer *buffer)
{
    for (int i = 0; i < e->bases; i++)
        if (e->base[i].buffer == buffer)
            return;
    if (e->bases == MAX_LOCALS)
        emit_fail(e, "more than %d buffers", MAX_LOCALS);
    else if (!e->failed)
        e->base[e->bases++] = (struct base){.buffer = buffer,
                                            .pointer = pointer_of(e, buffer),
                                            .only_read = e->target->gpu != NULL};
}

static void add_index(struct emitter *e, const struct affine *index)
{
    for (int i = 0; i < index->count; i++) {
        if (index->term[i].kind == TERM_VAR)
            continue;
        if (index->term[i].kind == TERM_LOOKUP)
            add_base(e, index->term[i].table);
        add_index(e, index->term[i].inner);
    }
}

/* A bound on the absolute value of an index; *widest grows to that of any part of it. The verifier
 * has made sure of 64 bits. */
static int64_t reach(const struct affine *index, int64_t *widest)
{
    int64_t sum = index->constant < 0 ? -index->constant : index->constant;
    for (int i = 0; i < index->count; i++) {
        const struct term *term = &index->term[i];
        int64_t inner = term->kind == TERM_VAR ? term->var->extent : reach(term->inner, widest);
        int64_t most = term->kind == TERM_VAR   ? inner
                       : term->kind == TERM_DIV ? inner / term->divisor + 1
                                                : term->divisor;
        sum += (term->factor < 0 ? -term->factor : term->factor) * most;
    }
    *widest = sum > *widest ? sum : *widest;
    return sum;
}

static void add_access(struct emitter *e, const struct buffer *buffer,
                       const struct affine *const *index)
{
    int64_t widest = 0;
    add_base(e, buffer);
    reach(affine_linearize(e->arena, &buffer->shape, index), &widest);
    if (widest > INT32_MAX / 4)
        e->index = e->i64;
    for (int i = 0; i < buffer->shape.rank; i++)
        add_index(e, index[i]);
}

static void add_expr(struct emitter *e, const struct expr *expr)
{
    if (expr->op == SCALAR_load)
        add_access(e, expr->buffer, expr->index);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            add_expr(e, expr->in[i]);
}

static void add_body(struct emitter *e, const struct stmt *body)
{
    for (const struct stmt *stmt = body; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR) {
            add_body(e, stmt->body);
        } else if (stmt->kind == STMT_STORE) {
            add_access(e, stmt->buffer, stmt->index);
            add_expr(e, stmt->value);
        } else if (stmt->kind == STMT_PREFETCH) {
            add_expr(e, stmt->value);
        }
    }
}

static bool in_memory(const struct buffer *buffer)
{
    return buffer->place != PLACE_REGISTERS && buffer->place != PLACE_WEIGHTS;
}

static bool overlap(const struct buffer *a, const struct buffer *b)
{
    if (a->place != b->place)
        return false;
    return a->offset < b->offset + buffer_bytes(b) && b->offset < a->offset + buffer_bytes(a);
}

static LLVMMetadataRef node(struct emitter *e, LLVMMetadataRef *item, size_t count)
{
    return LLVMMDNodeInContext2(e->context, item, count);
}

static LLVMMetadataRef scope_of(struct emitter *e, const struct base *base)
{
    char own[32];
    int own_length = snprintf(own, sizeof own, "%d", (int)(base - e->base));
    size_t length;
    const char *kernel = LLVMGetValueName2(e->function, &length);
    LLVMMetadataRef text = LLVMMDStringInContext2(e->context, kernel, length);
    LLVMMetadataRef item[2];
    item[0] = LLVMMDStringInContext2(e->context, own, (size_t)own_length);
    item[1] = node(e, &text, 1);
    return node(e, item, 2);
}

static void set_scopes(struct emitter *e, struct base *base)
{
    LLVMMetadataRef others[MAX_LOCALS], own = scope_of(e, base);
    size_t count = 0;
    for (int i = 0; i < e->bases; i++)
        if (in_memory(e->base[i].buffer) && !overlap(e->base[i].buffer, base->buffer))
            others[count++] = scope_of(e, &e->base[i]);
    base->scope = LLVMMetadataAsValue(e->context, node(e, &own, 1));
    if (count)
        base->not_scopes = LLVMMetadataAsValue(e->context, node(e, others, count));
}

/* Buffers that the kernel stores to, and those that overlap them, are not read-only. */
static void find_stored(struct emitter *e, const struct stmt *body)
{
    for (const struct stmt *stmt = body; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            find_stored(e, stmt->body);
        if (stmt->kind != STMT_STORE)
            continue;
        for (int i = 0; i < e->bases; i++)
            if (e->base[i].buffer == stmt->buffer || overlap(e->base[i].buffer, stmt->buffer))
                e->base[i].only_read = false;
    }
}

/* The caller's memory is aligned as its elements are. */
static int64_t alignment_of(const struct buffer *buffer)
{
    bool callers = buffer->place == PLACE_INPUT || buffer->place == PLACE_OUTPUT;
    if (callers)
        return dtype_bytes[buffer->dtype];
    return buffer->offset % ALIGNMENT ? 4 : ALIGNMENT;
}

void emit_bases(struct emitter *e)
{
    e->index = e->target->gpu ? e->i32 : e->i64;
    add_body(e, e->kernel->body);
    find_stored(e, e->kernel->body);
    for (int i = 0; i < e->bases; i++)
        e->base[i].alignment = alignment_of(e->base[i].buffer);
    for (int i = 0; i < e->bases && !e->failed; i++)
        if (in_memory(e->base[i].buffer))
            set_scopes(e, &e->base[i]);
}
