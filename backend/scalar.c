/* Expressions. What all lanes share is computed once as a scalar and spread where it meets a
 * vector. No fast-math flags: the loop form says what is fused and in which order things add. */
#include "emit.h"
#include <assert.h>
#include <string.h>

static LLVMTypeRef type_like(struct emitter *e, LLVMTypeRef element, bool wide)
{
    return wide ? LLVMVectorType(element, (unsigned)e->lanes) : element;
}

/* The same constant in every lane. */
static LLVMValueRef spread(struct emitter *e, LLVMValueRef constant, bool wide)
{
    LLVMValueRef lane[MAX_LANES];
    if (!wide)
        return constant;
    for (int i = 0; i < e->lanes; i++)
        lane[i] = constant;
    return LLVMConstVector(lane, (unsigned)e->lanes);
}

static LLVMValueRef number(struct emitter *e, double value, bool wide)
{
    return spread(e, LLVMConstReal(e->f32, single_of(value)), wide);
}

static LLVMValueRef integer(struct emitter *e, int32_t value, bool wide)
{
    return spread(e, LLVMConstInt(e->i32, (unsigned long long)value, 1), wide);
}

static LLVMValueRef call(struct emitter *e, const char *intrinsic, bool wide, LLVMValueRef *in,
                         unsigned count)
{
    LLVMTypeRef type = type_like(e, e->f32, wide);
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->out, id, &type, 1);
    LLVMTypeRef signature = LLVMIntrinsicGetType(e->context, id, &type, 1);
    return LLVMBuildCall2(e->builder, signature, function, in, count, "");
}

static LLVMValueRef fma_of(struct emitter *e, bool wide, LLVMValueRef a, LLVMValueRef b,
                           LLVMValueRef c)
{
    return call(e, "llvm.fma", wide, (LLVMValueRef[]){a, b, c}, 3);
}

/* a > b ? a : b, and so b where one is NaN: maxps with its operands in this order. */
static LLVMValueRef larger_or_second(struct emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef above = LLVMBuildFCmp(e->builder, LLVMRealOGT, a, b, "");
    return LLVMBuildSelect(e->builder, above, a, b, "");
}

/* NaN where one of them is. One instruction where the first or the second is a number for certain. */
static LLVMValueRef max_of(struct emitter *e, bool wide, LLVMValueRef a, LLVMValueRef b)
{
    if (LLVMIsConstant(b))
        return larger_or_second(e, b, a);
    LLVMValueRef most = larger_or_second(e, a, b);
    if (LLVMIsConstant(a))
        return most;
    /* All bits of a NaN's lane are set, which is NaN: two cheap instructions, no blend. */
    LLVMTypeRef bits = type_like(e, e->i32, wide);
    LLVMValueRef nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, a, a, "");
    nan = LLVMBuildSExt(e->builder, nan, bits, "");
    nan = LLVMBuildOr(e->builder, nan, LLVMBuildBitCast(e->builder, most, bits, ""), "");
    return LLVMBuildBitCast(e->builder, nan, type_like(e, e->f32, wide), "");
}

static LLVMValueRef min_of(struct emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef below = LLVMBuildFCmp(e->builder, LLVMRealOLT, a, b, "");
    return LLVMBuildSelect(e->builder, below, a, b, "");
}

/* exp(r) for |r| <= ln(2) / 2: the degree 6 polynomial of least relative error (1.9e-9), by Remez'
 * algorithm in float64, its coefficients rounded to float. */
static LLVMValueRef exp_reduced(struct emitter *e, bool wide, LLVMValueRef r)
{
    static const double coefficient[] = {
        0x1.6ab928p-10, 0x1.126d64p-7, 0x1.55589cp-5, 0x1.55540ap-3, 0x1.fffffap-2, 1, 1};
    LLVMValueRef p = number(e, coefficient[0], wide);
    for (size_t i = 1; i < sizeof coefficient / sizeof *coefficient; i++)
        p = fma_of(e, wide, p, r, number(e, coefficient[i], wide));
    return p;
}

/* Added, it rounds to an integer n and leaves n + 127, the exponent of 2^n, in the low eight bits. */
static const double round_magic = 0x1.8p23 + 127;

/* p * 2^n for n from -126 to 127; 0 for n = -127, infinity for 128: so the exponents 0 and 255 read. */
static LLVMValueRef scale_by_exponent(struct emitter *e, bool wide, LLVMValueRef p,
                                      LLVMValueRef shifted)
{
    LLVMValueRef bits = LLVMBuildBitCast(e->builder, shifted, type_like(e, e->i32, wide), "");
    bits = LLVMBuildShl(e->builder, bits, integer(e, 23, wide), "");
    LLVMValueRef power = LLVMBuildBitCast(e->builder, bits, type_like(e, e->f32, wide), "");
    return LLVMBuildFMul(e->builder, p, power, "");
}

/* The instruction that multiplies by 2^n and rounds once, as the two halves do. */
static const char *scale_intrinsic(const struct emitter *e, bool wide)
{
    if (!wide || e->target->lanes < 16)
        return NULL;
    return e->lanes == 16  ? "llvm.x86.avx512.mask.scalef.ps.512"
           : e->lanes == 8 ? "llvm.x86.avx512.mask.scalef.ps.256"
           : e->lanes == 4 ? "llvm.x86.avx512.mask.scalef.ps.128"
                           : NULL;
}

static LLVMValueRef scale(struct emitter *e, const char *intrinsic, LLVMValueRef p, LLVMValueRef n)
{
    enum { CURRENT_ROUNDING = 4 };
    LLVMTypeRef mask = LLVMIntTypeInContext(e->context, e->lanes == 16 ? 16 : 8);
    LLVMValueRef in[5] = {p, n, LLVMGetPoison(LLVMTypeOf(p)), LLVMConstAllOnes(mask),
                          LLVMConstInt(e->i32, CURRENT_ROUNDING, 0)};
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->out, id, NULL, 0);
    LLVMTypeRef signature = LLVMIntrinsicGetType(e->context, id, NULL, 0);
    return LLVMBuildCall2(e->builder, signature, function, in, e->lanes == 16 ? 5 : 4, "");
}

/* exp(x) = 2^n exp(x - n ln 2), n the integer next to x / ln 2. A softmax takes it of nothing above 0 and
 * adds the 1 of its largest element, so results below 2^-126.5 may be 0, as where there is no instruction
 * to scale, and are 0 below 2^-150; above 2^127.5 they may be infinity. NaN stays NaN. */
static LLVMValueRef exp_of(struct emitter *e, bool wide, LLVMValueRef x)
{
    const double ln2_high = 0x1.62e43p-1, ln2_low = -0x1.05c61p-29;
    const char *intrinsic = scale_intrinsic(e, wide);
    x = larger_or_second(e, number(e, intrinsic ? -104 : -88, wide), x);
    x = min_of(e, number(e, 89, wide), x);
    LLVMValueRef shifted =
        fma_of(e, wide, x, number(e, 0x1.715476p0, wide), number(e, round_magic, wide));
    LLVMValueRef n = LLVMBuildFSub(e->builder, shifted, number(e, round_magic, wide), "");
    LLVMValueRef r = fma_of(e, wide, n, number(e, -ln2_high, wide), x);
    r = fma_of(e, wide, n, number(e, -ln2_low, wide), r);
    LLVMValueRef p = exp_reduced(e, wide, r);
    return intrinsic ? scale(e, intrinsic, p, n) : scale_by_exponent(e, wide, p, shifted);
}

/* To the nearest, ties away from zero (tf32) or to even (bf16), in the bits of a float: adds half of
 * what is then cut off. */
static LLVMValueRef round_bits(struct emitter *e, bool even, bool wide, LLVMValueRef x)
{
    LLVMTypeRef f32 = type_like(e, e->f32, wide);
    LLVMValueRef bits = LLVMBuildBitCast(e->builder, x, type_like(e, e->i32, wide), "");
    LLVMValueRef half = integer(e, even ? 0x7fff : 0x1000, wide);
    if (even) {
        LLVMValueRef odd = LLVMBuildLShr(e->builder, bits, integer(e, 16, wide), "");
        odd = LLVMBuildAnd(e->builder, odd, integer(e, 1, wide), "");
        half = LLVMBuildAdd(e->builder, half, odd, "");
    }
    bits = LLVMBuildAdd(e->builder, bits, half, "");
    bits = LLVMBuildAnd(e->builder, bits, integer(e, even ? -0x10000 : -0x2000, wide), "");
    LLVMValueRef number = LLVMBuildFCmp(e->builder, LLVMRealORD, x, x, "");
    return LLVMBuildSelect(e->builder, number, LLVMBuildBitCast(e->builder, bits, f32, ""), x, "");
}

/* GPUs have an instruction for tf32. */
static LLVMValueRef round_tf32(struct emitter *e, bool wide, LLVMValueRef x)
{
    static const char *const names[] = {"llvm.nvvm.f2tf32.rna", NULL};
    if (!target_has_matrix_units(e->target))
        return round_bits(e, false, wide, x);
    if (!wide)
        return LLVMBuildBitCast(e->builder, device_call(e, names, &x), e->f32, "");
    LLVMValueRef all = LLVMGetPoison(LLVMTypeOf(x));
    for (int i = 0; i < e->lanes; i++) {
        LLVMValueRef lane = LLVMConstInt(e->i32, (unsigned long long)i, 0);
        LLVMValueRef one = LLVMBuildExtractElement(e->builder, x, lane, "");
        all = LLVMBuildInsertElement(e->builder, all, round_tf32(e, false, one), lane, "");
    }
    return all;
}

static LLVMValueRef operation(struct emitter *e, enum scalar_op op, bool wide, LLVMValueRef *in)
{
    switch (op) {
    case SCALAR_add:
        return LLVMBuildFAdd(e->builder, in[0], in[1], "");
    case SCALAR_sub:
        return LLVMBuildFSub(e->builder, in[0], in[1], "");
    case SCALAR_mul:
        return LLVMBuildFMul(e->builder, in[0], in[1], "");
    case SCALAR_div:
        return LLVMBuildFDiv(e->builder, in[0], in[1], "");
    case SCALAR_max:
        return max_of(e, wide, in[0], in[1]);
    case SCALAR_fma:
        return fma_of(e, wide, in[0], in[1], in[2]);
    case SCALAR_exp:
        return exp_of(e, wide, in[0]);
    case SCALAR_sqrt:
        return call(e, "llvm.sqrt", wide, in, 1);
    case SCALAR_tf32:
        return round_tf32(e, wide, in[0]);
    case SCALAR_bf16:
        return round_bits(e, true, wide, in[0]);
    default:
        assert(!"no operation on scalars");
        return in[0];
    }
}

struct value emit_expr(struct emitter *e, const struct expr *expr)
{
    if (expr->op == SCALAR_constant)
        return (struct value){.llvm = number(e, expr->value, false)};
    if (expr->op == SCALAR_load)
        return emit_load(e, expr->buffer, expr->index);
    if (expr->op == SCALAR_sum || expr->op == SCALAR_maximum) {
        emit_fail(e, "%s is left in the loops", scalar_info[expr->op].name);
        return (struct value){.llvm = LLVMGetPoison(e->f32)};
    }
    struct value in[3] = {{0}};
    LLVMValueRef llvm[3] = {0};
    int count = scalar_info[expr->op].inputs;
    bool wide = false;
    for (int i = 0; i < count && expr->in[i]; i++) {
        in[i] = emit_expr(e, expr->in[i]);
        wide = wide || in[i].wide;
    }
    for (int i = 0; i < count && expr->in[i]; i++)
        llvm[i] = wide ? emit_splat(e, in[i]) : in[i].llvm;
    return (struct value){.llvm = operation(e, expr->op, wide, llvm), .wide = wide};
}
