/* Loops to LLVM:
 *
 *   kernel -> function        its parallel loop runs from argument begin to argument end
 *   serial loop               header with a phi, body, test at the bottom (an extent is at least 1)
 *   unrolled loop             its body, once per value of the variable
 *   vector loop               its body, once, on vectors of `extent` lanes
 *   block and thread loop     see device.c
 *   warp and matrix loop      see matrix.c; on a processor see pairs.c and tiles.c
 *
 * Nothing is decided here: what the loop form says is written down. */
#include "emit.h"
#include "cpu.h"
#include "matrix.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void emit_fail(struct emitter *e, const char *format, ...)
{
    if (e->failed)
        return;
    e->failed = true;
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    error_set_at(e->error, e->kernel->at, "kernel %s: %s", e->kernel->name, message);
}

static void add_attribute(LLVMContextRef context, LLVMValueRef function, const char *key,
                          const char *value)
{
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(context, key, (unsigned)strlen(key), value,
                                                      (unsigned)strlen(value)));
}

static void add_flag(LLVMContextRef context, LLVMValueRef function, unsigned index,
                     const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    if (kind)
        LLVMAddAttributeAtIndex(function, index, LLVMCreateEnumAttribute(context, kind, 0));
}

/* Instructions are scheduled for the processor's level: what LLVM knows of a Zen 4 itself made code
 * no faster. Which ones may be used, plain x86-64 and the feature string say, so that the object's
 * check covers all of them. */
void emit_attributes(LLVMContextRef context, LLVMValueRef function, const struct target *target,
                     int precision)
{
    add_flag(context, function, (unsigned)LLVMAttributeFunctionIndex, "nounwind");
    add_attribute(context, function, "target-cpu", "x86-64");
    if (!target)
        return;
    add_attribute(context, function, "target-features", cpu_features(target, precision));
    add_attribute(context, function, "tune-cpu", target_level_of(target, precision)->cpu);
    add_attribute(context, function, "prefer-vector-width", target->lanes > 8 ? "512" : "256");
}

static void push(struct emitter *e, const struct var *var)
{
    if (e->depth == MAX_DEPTH) {
        emit_fail(e, "loops nested more than %d deep", MAX_DEPTH);
        e->depth--;
    }
    e->binding[e->depth++] = (struct binding){.var = var};
}

static struct binding *top(struct emitter *e)
{
    return &e->binding[e->depth - 1];
}

void emit_enter(struct emitter *e, const struct var *var, LLVMValueRef value)
{
    push(e, var);
    top(e)->value = value;
}

void emit_leave(struct emitter *e)
{
    e->depth--;
}

/* Tells LLVM the trip count, so that it keeps in registers what the busiest loops use. Otherwise it
 * guesses that all loops of a depth run equally often, and spills accumulators. */
static void set_weights(struct emitter *e, LLVMValueRef branch, int64_t extent)
{
    int64_t again = extent - 1 < INT32_MAX ? extent - 1 : INT32_MAX;
    LLVMMetadataRef item[3];
    item[0] = LLVMMDStringInContext2(e->context, "branch_weights", 14);
    item[1] = LLVMValueAsMetadata(LLVMConstInt(e->i32, (unsigned long long)again, 0));
    item[2] = LLVMValueAsMetadata(LLVMConstInt(e->i32, 1, 0));
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(e->context, "prof", 4),
                    LLVMMetadataAsValue(e->context, LLVMMDNodeInContext2(e->context, item, 3)));
}

/* Assembly names the blocks: for.k is the body of loop k, end.k what follows it. */
static LLVMBasicBlockRef append_block(struct emitter *e, const char *what, const struct var *var)
{
    char name[160];
    snprintf(name, sizeof name, "%s.%s", what, var->name);
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

/* From begin to end - 1, at least once. */
static void emit_range(struct emitter *e, const struct stmt *loop, LLVMValueRef begin,
                       LLVMValueRef end)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef body = append_block(e, "for", loop->var);
    LLVMBasicBlockRef after = append_block(e, "end", loop->var);
    LLVMBuildBr(e->builder, body);
    LLVMPositionBuilderAtEnd(e->builder, body);
    LLVMValueRef phi = LLVMBuildPhi(e->builder, e->index, loop->var->name);
    emit_enter(e, loop->var, phi);
    emit_body(e, loop->body);
    emit_leave(e);
    LLVMValueRef next = LLVMBuildNUWAdd(e->builder, phi, LLVMConstInt(e->index, 1, 0), "");
    LLVMSetNSW(next, 1);
    LLVMValueRef value[2] = {begin, next};
    LLVMBasicBlockRef from[2] = {before, LLVMGetInsertBlock(e->builder)};
    LLVMAddIncoming(phi, value, from, 2);
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntULT, next, end, "");
    set_weights(e, LLVMBuildCondBr(e->builder, more, body, after), loop->var->extent);
    LLVMMoveBasicBlockAfter(after, from[1]);
    LLVMPositionBuilderAtEnd(e->builder, after);
}

static void emit_unrolled(struct emitter *e, const struct stmt *loop)
{
    push(e, loop->var);
    int level = e->depth - 1;
    for (int64_t i = 0; i < loop->var->extent && !e->failed; i++) {
        e->binding[level].known = true;
        e->binding[level].constant = i;
        emit_body(e, loop->body);
    }
    e->depth--;
}

static void emit_vector(struct emitter *e, const struct stmt *loop)
{
    if (e->vector || loop->var->extent > MAX_LANES) {
        emit_fail(e, "vector loop %s of %lld lanes: allowed are up to %d, and none within another",
                  loop->var->name, (long long)loop->var->extent, MAX_LANES);
        return;
    }
    e->vector = loop->var;
    e->lanes = (int)loop->var->extent;
    emit_body(e, loop->body);
    e->vector = NULL;
    e->lanes = 0;
}

/* Loop over the terms that a processor adds to each lane at once, around a vector loop. */
static void emit_pairs(struct emitter *e, const struct stmt *loop)
{
    const struct stmt *vector = loop->body;
    push(e, loop->var);
    top(e)->known = true; /* as 0; the other term lies next to it */
    e->vector = vector->var;
    e->lanes = (int)vector->var->extent;
    pairs_add(e, vector->body);
    e->vector = NULL;
    e->lanes = 0;
    e->depth--;
}

static void emit_loop(struct emitter *e, const struct stmt *loop)
{
    if ((loop->loop == LOOP_THREAD || loop->loop == LOOP_WARP) && e->target->gpu)
        device_thread(e, loop);
    else if (loop->loop == LOOP_MATRIX && e->target->gpu)
        matrix_loops(e, loop);
    else if (loop->loop == LOOP_MATRIX && matrix_is_tile(loop))
        tiles_loops(e, loop);
    else if (loop->loop == LOOP_MATRIX)
        emit_pairs(e, loop);
    else if (loop->loop == LOOP_BLOCK && e->target->gpu)
        device_block(e, loop);
    else if (loop->var->extent == 1 || loop->loop == LOOP_UNROLL)
        emit_unrolled(e, loop);
    else if (loop->loop == LOOP_VECTOR)
        emit_vector(e, loop);
    else
        emit_range(e, loop, LLVMConstInt(e->index, 0, 0),
                   LLVMConstInt(e->index, (unsigned long long)loop->var->extent, 0));
}

void emit_body(struct emitter *e, const struct stmt *body)
{
    for (const struct stmt *stmt = body; stmt && !e->failed; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            emit_loop(e, stmt);
        else if (stmt->kind == STMT_BARRIER)
            device_barrier(e);
        else if (stmt->kind == STMT_PREFETCH)
            emit_prefetch(e, stmt->value);
        else if (e->target->gpu && !e->thread)
            device_store(e, stmt);
        else if (stmt->async && e->copies)
            emit_copy(e, stmt);
        else {
            e->factors.block = NULL;
            emit_store(e, stmt->buffer, stmt->index, emit_expr(e, access_stored(e, stmt)));
        }
    }
}

const struct stmt *kernel_parallel(const struct kernel *kernel)
{
    const struct stmt *body = kernel->body;
    bool alone = body && !body->next && body->kind == STMT_FOR && body->loop == LOOP_PARALLEL;
    return alone ? body : NULL;
}

/* The loop that kernel_parallel found, from argument begin to argument end. These may be equal. */
static void emit_chunk(struct emitter *e, const struct stmt *loop)
{
    LLVMValueRef begin = LLVMGetParam(e->function, 4), end = LLVMGetParam(e->function, 5);
    LLVMBasicBlockRef some = LLVMAppendBasicBlockInContext(e->context, e->function, "some");
    LLVMBasicBlockRef out = LLVMAppendBasicBlockInContext(e->context, e->function, "out");
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntULT, begin, end, ""), some, out);
    LLVMPositionBuilderAtEnd(e->builder, some);
    emit_range(e, loop, begin, end);
    LLVMBuildBr(e->builder, out);
    LLVMMoveBasicBlockAfter(out, LLVMGetInsertBlock(e->builder));
    LLVMPositionBuilderAtEnd(e->builder, out);
}

/* Finds the declaration that the dispatcher made, or makes one. */
static void begin_function(struct emitter *e, const char *name)
{
    const bool outside = e->constants->outside;
    LLVMTypeRef parameter[7] = {e->ptr, e->ptr, e->ptr, e->ptr, e->i64, e->i64, e->ptr};
    LLVMTypeRef type =
        LLVMFunctionType(LLVMVoidTypeInContext(e->context), parameter, outside ? 7 : 6, 0);
    e->function = LLVMGetNamedFunction(e->out, name);
    if (e->function)
        LLVMSetLinkage(e->function, LLVMInternalLinkage);
    else
        e->function = LLVMAddFunction(e->out, name, type);
    LLVMSetVisibility(e->function, LLVMDefaultVisibility);
    emit_attributes(e->context, e->function, e->target, e->module->precision);
    for (unsigned i = 1; i <= 4; i++)
        add_flag(e->context, e->function, i, "noalias");
    if (outside) {
        add_flag(e->context, e->function, 7, "noalias");
        LLVMSetParamAlignment(LLVMGetParam(e->function, 6), ALIGNMENT);
    }
    LLVMPositionBuilderAtEnd(e->builder,
                             LLVMAppendBasicBlockInContext(e->context, e->function, "entry"));
}

bool emit_kernel(struct emitter *e, const struct kernel *kernel, const char *name)
{
    e->kernel = kernel;
    e->depth = e->bases = 0;
    e->failed = false;
    e->arena = arena_new();
    if (e->target->gpu)
        device_begin(e, name);
    else
        begin_function(e, name);
    tiles_begin(e);
    emit_bases(e);
    const struct stmt *parallel = e->target->gpu ? NULL : kernel_parallel(kernel);
    if (e->failed)
        ;
    else if (parallel)
        emit_chunk(e, parallel);
    else
        emit_body(e, kernel->body);
    tiles_end(e);
    LLVMBuildRetVoid(e->builder);
    arena_free(e->arena);
    return !e->failed;
}
