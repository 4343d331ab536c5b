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

/* NaN where one of them is: one instruction on GPUs from sm_80 on, max.NaN; elsewhere where the first
 * or the second is certainly a number. */
static LLVMValueRef max_of(struct emitter *e, bool wide, LLVMValueRef a, LLVMValueRef b)
{
    if (e->target->gpu && e->target->gpu->capability >= 80)
        return call(e, "llvm.maximum", wide, (LLVMValueRef[]){a, b}, 2);
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

/* exp(x) = 2^n p(r): n is an integer next to x / ln 2, r is the rest of x, p a polynomial. On every
 * target: within 1.1 ULP where the result is a normal number, infinity above, 0 below, exp(0) = 1,
 * NaN stays NaN. */
enum { EXP_DEGREE = 6 };
struct exponential {
    double ln2_high, ln2_low;           /* their sum is ln 2; few digits in ln2_high */
    double coefficient[EXP_DEGREE + 1]; /* the highest first */
};

/* p(x - n ln 2) */
static LLVMValueRef exp_reduced(struct emitter *e, bool wide, const struct exponential *by,
                                LLVMValueRef x, LLVMValueRef n)
{
    LLVMValueRef r = fma_of(e, wide, n, number(e, -by->ln2_high, wide), x);
    r = fma_of(e, wide, n, number(e, -by->ln2_low, wide), r);
    LLVMValueRef p = number(e, by->coefficient[0], wide);
    for (int i = 1; i <= EXP_DEGREE; i++)
        p = fma_of(e, wide, p, r, number(e, by->coefficient[i], wide));
    return p;
}

/* AVX-512's instruction that multiplies by 2^n; NULL: none for so many lanes. */
static const char *scale_intrinsic(const struct emitter *e, bool wide)
{
    if (e->target->lanes < 16)
        return NULL;
    return !wide            ? "llvm.x86.avx512.mask.scalef.ss"
           : e->lanes == 16 ? "llvm.x86.avx512.mask.scalef.ps.512"
           : e->lanes == 8  ? "llvm.x86.avx512.mask.scalef.ps.256"
           : e->lanes == 4  ? "llvm.x86.avx512.mask.scalef.ps.128"
                            : NULL;
}

/* A scalar as the first lane of four: the scalar instruction takes it so. */
static LLVMValueRef first_of_four(struct emitter *e, LLVMValueRef x)
{
    LLVMValueRef none = LLVMGetPoison(LLVMVectorType(e->f32, 4));
    return LLVMBuildInsertElement(e->builder, none, x, LLVMConstInt(e->i32, 0, 0), "");
}

static LLVMValueRef scale(struct emitter *e, bool wide, LLVMValueRef p, LLVMValueRef n)
{
    enum { CURRENT_ROUNDING = 4 };
    const char *intrinsic = scale_intrinsic(e, wide);
    bool full = wide && e->lanes == 16, rounding = full || !wide; /* these take a rounding mode */
    LLVMTypeRef mask = LLVMIntTypeInContext(e->context, full ? 16 : 8);
    LLVMValueRef from = wide ? p : first_of_four(e, p), by = wide ? n : first_of_four(e, n);
    LLVMValueRef in[5] = {from, by, LLVMGetPoison(LLVMTypeOf(from)), LLVMConstAllOnes(mask),
                          LLVMConstInt(e->i32, CURRENT_ROUNDING, 0)};
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->out, id, NULL, 0);
    LLVMTypeRef signature = LLVMIntrinsicGetType(e->context, id, NULL, 0);
    LLVMValueRef all = LLVMBuildCall2(e->builder, signature, function, in, rounding ? 5 : 4, "");
    LLVMValueRef first = LLVMConstInt(e->i32, 0, 0);
    return wide ? all : LLVMBuildExtractElement(e->builder, all, first, "");
}

/* With that instruction n is the nearest integer, and p(r) is exp(r) for |r| <= ln(2) / 2: the
 * polynomial of least relative error (1.9e-9), by Remez' algorithm in float64, its coefficients
 * rounded to float. 1.06 ULP at most, over all floats. */
static const struct exponential exp_to_scale = {
    0x1.62e43p-1,
    -0x1.05c61p-29,
    {0x1.6ab928p-10, 0x1.126d64p-7, 0x1.55589cp-5, 0x1.55540ap-3, 0x1.fffffap-2, 1, 1}};

static LLVMValueRef exp_scaled(struct emitter *e, bool wide, LLVMValueRef x)
{
    LLVMValueRef log2_e = number(e, 0x1.715476p0, wide);
    LLVMValueRef magic = number(e, 0x1.8p23, wide); /* added, it rounds to an integer */
    x = larger_or_second(e, number(e, -104, wide), x);
    x = min_of(e, number(e, 89, wide), x);
    LLVMValueRef n = LLVMBuildFSub(e->builder, fma_of(e, wide, x, log2_e, magic), magic, "");
    return scale(e, wide, exp_reduced(e, wide, &exp_to_scale, x, n), n);
}

/* Without it, 2^n is made from its exponent. A float's exponent is from -126 to 127. That is enough
 * for all normal results only if p(r) is in [1, 2): so n is x / ln 2, rounded down. r is small by
 *
 *     p(r) = s exp(r),   r = x - (n + EXP_LOG2_S) ln 2,   s = 2^EXP_LOG2_S, near the root of 2
 *
 * This s is a float, all but 1e-9 of it. The coefficients are those of least relative error (4e-9),
 * rounded, then changed in their last places for the least error over all floats: 1.04 ULP. The
 * highest one is ln2_low, too: AVX2 has registers for twelve constants, but not for thirteen. */
#define EXP_LOG2_S (1037 * 0x1p-11)
static const struct exponential exp_to_multiply = {0x1.61ep-1,
                                                   0x1.042ffp-9,
                                                   {0x1.042ffp-9, 0x1.85e32ep-7, 0x1.e4d646p-5,
                                                    0x1.e4d702p-3, 0x1.6ba298p-1, 0x1.6ba296p0,
                                                    0x1.6ba296p0}};

/* x / ln 2 + 639, at most 767, is a float from 512 to 768. After its leading bits come 8 bits that
 * are n + 127, the exponent of 2^n, and 14 bits of a fraction, which are cleared. The exponent 0,
 * of n = -127, makes a 0; 255, of n = 128, makes infinity. log2(e) is rounded towards 0, so that
 * rounding to 14 bits never takes the largest normal results to n = 128. */
static LLVMValueRef exp_multiplied(struct emitter *e, bool wide, LLVMValueRef x)
{
    enum { FRACTION = 14, EXPONENT_AT = 23, BITS_OF_767 = 0x443fc000 };
    LLVMTypeRef f32 = type_like(e, e->f32, wide), i32 = type_like(e, e->i32, wide);
    x = larger_or_second(e, number(e, -88, wide), x);
    LLVMValueRef n = fma_of(e, wide, x, number(e, 0x1.71547p0, wide), number(e, 639, wide));
    LLVMValueRef bits = LLVMBuildBitCast(e->builder, n, i32, "");
    LLVMValueRef most = integer(e, BITS_OF_767, wide); /* has every bit that n + 639 may have */
    LLVMValueRef less = LLVMBuildICmp(e->builder, LLVMIntSLT, bits, most, "");
    bits = LLVMBuildSelect(e->builder, less, bits, most, "");
    bits = LLVMBuildAnd(e->builder, bits, most, "");
    n = LLVMBuildBitCast(e->builder, bits, f32, "");
    n = LLVMBuildFSub(e->builder, n, number(e, 639 - EXP_LOG2_S, wide), "");
    bits = LLVMBuildShl(e->builder, bits, integer(e, EXPONENT_AT - FRACTION, wide), "");
    LLVMValueRef power = LLVMBuildBitCast(e->builder, bits, f32, "");
    return LLVMBuildFMul(e->builder, exp_reduced(e, wide, &exp_to_multiply, x, n), power, "");
}

static LLVMValueRef exp_of(struct emitter *e, bool wide, LLVMValueRef x)
{
    return scale_intrinsic(e, wide) ? exp_scaled(e, wide, x) : exp_multiplied(e, wide, x);
}

/* To the nearest, ties away from zero (tf32) or to even (bf16), in the bits of a float: adds half
 * of what is then cut off. */
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

/* So have they for bf16, and processors with a unit for it. */
static LLVMValueRef round_bf16(struct emitter *e, bool wide, LLVMValueRef x)
{
    return halves_have(e)                       ? halves_round(e, x)
           : e->target->pairs || e->target->amx ? pairs_round(e, x)
                                                : round_bits(e, true, wide, x);
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
        return round_bf16(e, wide, in[0]);
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
