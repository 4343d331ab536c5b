/* Loops of a GPU to LLVM's NVPTX:
 *
 *   kernel          a ptx_kernel; its arguments are pointers to global memory
 *   block loops     their variables are digits of the block's number, ctaid.x
 *   thread loop     its body where tid.x is below the extent
 *   warp loop       its body where tid.x is below 32 times the extent; see matrix.c
 *   barrier         bar.sync of all threads of the block
 *   async           cp.async where there is one (from sm_80 on), which barriers then wait for
 *   shared buffers  places in the block's dynamic shared memory */
#include "emit.h"
#include <stdio.h>
#include <string.h>

LLVMValueRef device_call(struct emitter *e, const char *const *names, LLVMValueRef *argument)
{
    unsigned id = 0;
    while (*names && !(id = LLVMLookupIntrinsicID(*names, strlen(*names))))
        names++;
    if (!id) {
        emit_fail(e, "LLVM does not have what a GPU needs");
        return LLVMConstInt(e->i32, 0, 0);
    }
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->out, id, NULL, 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, NULL, 0);
    return LLVMBuildCall2(e->builder, type, function, argument, LLVMCountParamTypes(type), "");
}

static LLVMValueRef special(struct emitter *e, const char *name)
{
    LLVMValueRef value = device_call(e, (const char *const[]){name, NULL}, NULL);
    return LLVMBuildZExt(e->builder, value, e->index, "");
}

/* Gives the kernel a number, such as its most threads. LLVM 19 reads it from annotations, 22 from
 * an attribute. */
static void annotate(struct emitter *e, const char *key, const char *annotation, int64_t value)
{
    char number[24];
    int length = snprintf(number, sizeof number, "%lld", (long long)value);
    LLVMAddAttributeAtIndex(e->function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->context, key, (unsigned)strlen(key),
                                                      number, (unsigned)length));
    LLVMMetadataRef item[3] = {
        LLVMValueAsMetadata(e->function),
        LLVMMDStringInContext2(e->context, annotation, strlen(annotation)),
        LLVMValueAsMetadata(LLVMConstInt(e->i32, (unsigned long long)value, 0))};
    LLVMAddNamedMetadataOperand(
        e->out, "nvvm.annotations",
        LLVMMetadataAsValue(e->context, LLVMMDNodeInContext2(e->context, item, 3)));
}

/* The registers of a multiprocessor, and the least that a thread is left with: at 32, ptxas was seen
 * to spill. */
enum { REGISTERS = 65536, LEAST_REGISTERS = 128 };

/* Blocks that a multiprocessor should hold at once: those that there are, for which its shared
 * memory suffices, and its registers. Without a number ptxas gives a thread up to 168 registers,
 * and a second block of 256 threads finds none left. */
static int64_t blocks_at_once(const struct gpu *gpu, const struct launch *launch)
{
    int64_t blocks = (launch->blocks + gpu->processors - 1) / gpu->processors;
    int64_t by_shared = gpu_blocks_in_shared(gpu, launch->shared_bytes);
    int64_t by_registers = REGISTERS / LEAST_REGISTERS / launch->threads;
    blocks = blocks < by_shared ? blocks : by_shared;
    blocks = blocks < by_registers ? blocks : by_registers;
    return blocks > 1 ? blocks : 1;
}

static void set_launch(struct emitter *e, const struct launch *launch)
{
    annotate(e, "nvvm.maxntid", "maxntidx", launch->threads);
    annotate(e, "nvvm.minctasm", "minctasm", blocks_at_once(e->target->gpu, launch));
}

static bool has_copies(const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR ? has_copies(stmt->body) : stmt->async)
            return true;
    return false;
}

void device_begin(struct emitter *e, const char *name)
{
    LLVMTypeRef global = LLVMPointerTypeInContext(e->context, SPACE_GLOBAL);
    LLVMTypeRef parameter[4] = {global, global, global, global};
    e->function = LLVMAddFunction(
        e->out, name, LLVMFunctionType(LLVMVoidTypeInContext(e->context), parameter, 4, 0));
    LLVMSetFunctionCallConv(e->function, LLVMPTXKernelCallConv);
    static const char denormals[] = "denormal-fp-math-f32", zeros[] = "preserve-sign,preserve-sign";
    LLVMAddAttributeAtIndex(e->function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->context, denormals, sizeof denormals - 1,
                                                      zeros, sizeof zeros - 1));
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(e->function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, nounwind, 0));
    struct launch launch = kernel_launch(e->kernel);
    e->threads = launch.threads;
    e->thread = NULL;
    e->copies = target_has_matrix_units(e->target) && has_copies(e->kernel->body);
    set_launch(e, &launch);
    LLVMPositionBuilderAtEnd(e->builder,
                             LLVMAppendBasicBlockInContext(e->context, e->function, "entry"));
}

LLVMValueRef device_shared(struct emitter *e)
{
    static const char name[] = "san_shared";
    LLVMValueRef shared = LLVMGetNamedGlobal(e->out, name);
    if (!shared) {
        LLVMTypeRef type = LLVMArrayType2(LLVMInt8TypeInContext(e->context), 0);
        shared = LLVMAddGlobalInAddressSpace(e->out, type, name, SPACE_SHARED);
        LLVMSetAlignment(shared, ALIGNMENT);
    }
    return shared;
}

/* The number of blocks in the loops inside `loop`. */
static int64_t blocks_inside(const struct stmt *loop)
{
    const struct stmt *stmt = loop->body;
    int64_t blocks = 1;
    for (; stmt && stmt->kind == STMT_FOR && stmt->loop == LOOP_BLOCK; stmt = stmt->body)
        blocks *= stmt->var->extent;
    return blocks;
}

void device_block(struct emitter *e, const struct stmt *loop)
{
    LLVMValueRef number = special(e, "llvm.nvvm.read.ptx.sreg.ctaid.x");
    int64_t inside = blocks_inside(loop);
    if (inside > 1)
        number = LLVMBuildUDiv(e->builder, number,
                               LLVMConstInt(e->index, (unsigned long long)inside, 0), "");
    if (loop->var->extent * inside < kernel_launch(e->kernel).blocks)
        number =
            LLVMBuildURem(e->builder, number,
                          LLVMConstInt(e->index, (unsigned long long)loop->var->extent, 0), "");
    emit_enter(e, loop->var, number);
    emit_body(e, loop->body);
    emit_leave(e);
}

/* The code that follows runs in threads below `extent`. Returns the block where all threads go on.
 */
static LLVMBasicBlockRef begin_threads(struct emitter *e, LLVMValueRef thread, int64_t extent)
{
    if (extent == e->threads)
        return NULL;
    LLVMBasicBlockRef some = LLVMAppendBasicBlockInContext(e->context, e->function, "threads");
    LLVMBasicBlockRef all = LLVMAppendBasicBlockInContext(e->context, e->function, "all");
    LLVMValueRef most = LLVMConstInt(e->index, (unsigned long long)extent, 0);
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntULT, thread, most, ""), some, all);
    LLVMPositionBuilderAtEnd(e->builder, some);
    return all;
}

static void end_threads(struct emitter *e, LLVMBasicBlockRef all)
{
    if (!all)
        return;
    LLVMBuildBr(e->builder, all);
    LLVMMoveBasicBlockAfter(all, LLVMGetInsertBlock(e->builder));
    LLVMPositionBuilderAtEnd(e->builder, all);
}

void device_thread(struct emitter *e, const struct stmt *loop)
{
    bool warp = loop->loop == LOOP_WARP;
    LLVMValueRef thread = special(e, "llvm.nvvm.read.ptx.sreg.tid.x");
    LLVMBasicBlockRef all = begin_threads(e, thread, (warp ? WARP_THREADS : 1) * loop->var->extent);
    e->thread = loop->var;
    if (warp) {
        matrix_warp(e, loop, thread);
    } else {
        emit_enter(e, loop->var, thread);
        emit_body(e, loop->body);
        emit_leave(e);
    }
    e->thread = NULL;
    end_threads(e, all);
}

void device_store(struct emitter *e, const struct stmt *store)
{
    LLVMBasicBlockRef all = NULL;
    if (store->buffer->place != PLACE_REGISTERS)
        all = begin_threads(e, special(e, "llvm.nvvm.read.ptx.sreg.tid.x"), 1);
    emit_store(e, store->buffer, store->index, emit_expr(e, access_stored(e, store)));
    end_threads(e, all);
}

void device_barrier(struct emitter *e)
{
    static const char *const names[] = {"llvm.nvvm.barrier.cta.sync.aligned.all",
                                        "llvm.nvvm.barrier0", NULL};
    static const char *const wait[] = {"llvm.nvvm.cp.async.wait.all", NULL};
    LLVMValueRef number = LLVMConstInt(e->i32, 0, 0);
    if (e->target->gpu && e->copies)
        device_call(e, wait, NULL);
    if (!e->target->gpu)
        emit_fail(e, "a barrier, which %s does not have", e->target->name);
    else
        device_call(e, names, &number);
}
