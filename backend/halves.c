/* bf16 on GPUs with matrix units: one instruction rounds two floats to the halves of a register,
 *
 *   cvt.rn.bf16x2.f32 d, high, low
 *
 * and a register of two halves is what a product takes. So neighbours of a buffer of type bf16 are
 * loaded and stored as words of two, the first in the lower half; a float is its half with 16 zeros
 * below it. */
#include "emit.h"

static const int HALF_BITS = 16;
static const unsigned UPPER = 0xffff0000;

bool halves_have(const struct emitter *e)
{
    return target_has_matrix_units(e->target);
}

LLVMValueRef halves_join(struct emitter *e, LLVMValueRef low, LLVMValueRef high)
{
    static const char *const names[] = {"llvm.nvvm.ff2bf16x2.rn", NULL};
    LLVMValueRef argument[2] = {high, low};
    return LLVMBuildBitCast(e->builder, device_call(e, names, argument), e->i32, "");
}

static bool is_vector(LLVMTypeRef type)
{
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind;
}

static LLVMValueRef number(struct emitter *e, unsigned value)
{
    return LLVMConstInt(e->i32, value, 0);
}

static LLVMValueRef lane_of(struct emitter *e, LLVMValueRef vector, unsigned lane)
{
    return LLVMBuildExtractElement(e->builder, vector, number(e, lane), "");
}

LLVMValueRef halves_round(struct emitter *e, LLVMValueRef x)
{
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef zero = LLVMConstReal(e->f32, 0);
    if (!is_vector(type))
        return LLVMBuildBitCast(e->builder, halves_join(e, zero, x), e->f32, "");
    LLVMValueRef all = LLVMGetPoison(type);
    for (unsigned i = 0; i < LLVMGetVectorSize(type); i++)
        all = LLVMBuildInsertElement(e->builder, all, halves_round(e, lane_of(e, x, i)),
                                     number(e, i), "");
    return all;
}

LLVMTypeRef halves_words(const struct emitter *e, LLVMTypeRef type)
{
    unsigned words = is_vector(type) ? LLVMGetVectorSize(type) / PAIR : 0;
    if (!halves_have(e) || !words || LLVMGetVectorSize(type) % PAIR)
        return NULL;
    return words == 1 ? e->i32 : LLVMVectorType(e->i32, words);
}

LLVMValueRef halves_widen(struct emitter *e, LLVMTypeRef type, LLVMValueRef words)
{
    LLVMValueRef all = LLVMGetPoison(type);
    for (unsigned i = 0; i < LLVMGetVectorSize(type); i++) {
        LLVMValueRef word = is_vector(LLVMTypeOf(words)) ? lane_of(e, words, i / PAIR) : words;
        word = i % PAIR ? LLVMBuildAnd(e->builder, word, number(e, UPPER), "")
                        : LLVMBuildShl(e->builder, word, number(e, HALF_BITS), "");
        word = LLVMBuildBitCast(e->builder, word, e->f32, "");
        all = LLVMBuildInsertElement(e->builder, all, word, number(e, i), "");
    }
    return all;
}

LLVMValueRef halves_narrow(struct emitter *e, LLVMValueRef x)
{
    LLVMTypeRef type = LLVMTypeOf(x), words = halves_words(e, type);
    if (!is_vector(type))
        return LLVMBuildTrunc(e->builder, halves_join(e, x, LLVMConstReal(e->f32, 0)), e->i16, "");
    if (!words)
        return NULL;
    LLVMValueRef all = LLVMGetPoison(words);
    for (unsigned i = 0; i < LLVMGetVectorSize(type); i += PAIR) {
        LLVMValueRef low = lane_of(e, x, i), high = lane_of(e, x, i + 1);
        LLVMValueRef word = halves_join(e, low, high);
        all = is_vector(words)
                  ? LLVMBuildInsertElement(e->builder, all, word, number(e, i / PAIR), "")
                  : word;
    }
    return all;
}
