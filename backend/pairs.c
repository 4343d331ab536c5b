/* A processor's unit for bf16 (vdpbf16ps): each lane of a sum gets two products at once.
 *
 *   for d in 2 matrix, v in 16 vector
 *     acc[v] = fma(a[2*k + d], b[k, v, d], acc[v])
 *
 * Two neighbours of a buffer are loaded as the bits of one float, so that one load brings both, and
 * spreads both where all lanes take the same two. */
#include "emit.h"
#include <string.h>

static const char *unit_name(const struct emitter *e)
{
    return e->lanes == 16  ? "llvm.x86.avx512bf16.dpbf16ps.512"
           : e->lanes == 8 ? "llvm.x86.avx512bf16.dpbf16ps.256"
           : e->lanes == 4 ? "llvm.x86.avx512bf16.dpbf16ps.128"
                           : NULL;
}

static struct value load_pairs(struct emitter *e, const struct expr *load)
{
    e->pairs = true;
    struct value value = emit_load(e, load->buffer, load->index);
    e->pairs = false;
    return value;
}

void pairs_add(struct emitter *e, const struct stmt *store)
{
    const char *name = unit_name(e);
    const struct expr *const *in = store->value->in;
    struct value a = load_pairs(e, in[0]), b = load_pairs(e, in[1]), sum = emit_expr(e, in[2]);
    if (!name)
        emit_fail(e, "%d lanes, pairs are added to 4, 8 or 16", e->lanes);
    if (e->failed)
        return;
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, NULL, 0), parameter[3];
    LLVMGetParamTypes(type, parameter);
    /* an instruction can spread its last operand while it loads it */
    LLVMValueRef first = emit_splat(e, a.wide ? a : b), last = emit_splat(e, a.wide ? b : a);
    LLVMValueRef argument[3] = {emit_splat(e, sum),
                                LLVMBuildBitCast(e->builder, first, parameter[1], ""),
                                LLVMBuildBitCast(e->builder, last, parameter[2], "")};
    LLVMValueRef unit = LLVMGetIntrinsicDeclaration(e->out, id, NULL, 0);
    struct value value = {LLVMBuildCall2(e->builder, type, unit, argument, 3, ""), true};
    emit_store(e, store->buffer, store->index, value);
}

LLVMValueRef pairs_round(struct emitter *e, LLVMValueRef x)
{
    LLVMTypeRef half = LLVMBFloatTypeInContext(e->context);
    LLVMTypeRef type = LLVMTypeOf(x);
    bool wide = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    unsigned lanes = wide ? LLVMGetVectorSize(type) : 1;
    LLVMValueRef rounded =
        LLVMBuildFPTrunc(e->builder, x, wide ? LLVMVectorType(half, lanes) : half, "");
    LLVMTypeRef bits = wide ? LLVMVectorType(e->i16, lanes) : e->i16;
    return access_widen(e, type, LLVMBuildBitCast(e->builder, rounded, bits, ""));
}
