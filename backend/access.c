/* Loads and stores. In a vector loop, by what the lanes touch:
 *
 *   the same element            a scalar load, spread where it meets a vector: folds into the FMA
 *   neighbours, in order        a vector load or store
 *   a few elements, repeated    a load of those elements and a shuffle (vbroadcastsd and the like)
 *   two vectors of registers    a shuffle of both (vpermt2ps)
 *   two elements far apart      each spread, and a blend (vbroadcastss, vblendps)
 *   one of four of each lane    all four of each and shuffles (vunpcklps), shared with the others
 *   one of two halves           both of each, and a shift or a mask (vpslld, vpandd)
 *   halves, on a GPU            words of two, as above (halves.c)
 *   anything else               lane by lane */
#include "index.h"
#include <string.h>

enum { FOUR = 4 /* floats of 128 bits */, HALF_BITS = 16 };

static LLVMTypeRef vector_type(struct emitter *e, int64_t lanes)
{
    return LLVMVectorType(e->f32, (unsigned)lanes);
}

static LLVMValueRef lane_number(struct emitter *e, int lane)
{
    return LLVMConstInt(e->i32, (unsigned long long)lane, 0);
}

void access_mark_read(struct emitter *e, LLVMValueRef load, const struct base *base)
{
    if (base->only_read)
        LLVMSetMetadata(load, LLVMGetMDKindIDInContext(e->context, "invariant.load", 14),
                        LLVMMetadataAsValue(e->context, LLVMMDNodeInContext2(e->context, NULL, 0)));
}

static void mark(struct emitter *e, LLVMValueRef access, const struct base *base,
                 unsigned alignment)
{
    LLVMSetAlignment(access, alignment);
    if (base->scope)
        LLVMSetMetadata(access, LLVMGetMDKindIDInContext(e->context, "alias.scope", 11),
                        base->scope);
    if (base->not_scopes)
        LLVMSetMetadata(access, LLVMGetMDKindIDInContext(e->context, "noalias", 7),
                        base->not_scopes);
}

/* A vector of as many elements, or one element, of another type. */
static LLVMTypeRef with_element(LLVMTypeRef type, LLVMTypeRef element)
{
    bool vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    return vector ? LLVMVectorType(element, LLVMGetVectorSize(type)) : element;
}

/* The number in every lane of a value of that type. */
static LLVMValueRef number_like(struct emitter *e, LLVMTypeRef type, unsigned number)
{
    LLVMValueRef one = LLVMConstInt(e->i32, number, 0), each[MAX_LANES];
    if (LLVMGetTypeKind(type) != LLVMVectorTypeKind)
        return one;
    unsigned lanes = LLVMGetVectorSize(type);
    for (unsigned i = 0; i < lanes; i++)
        each[i] = one;
    return LLVMConstVector(each, lanes);
}

LLVMValueRef access_widen(struct emitter *e, LLVMTypeRef type, LLVMValueRef halves)
{
    LLVMValueRef bits = LLVMBuildZExt(e->builder, halves, with_element(type, e->i32), "");
    bits = LLVMBuildShl(e->builder, bits, number_like(e, type, HALF_BITS), "");
    return LLVMBuildBitCast(e->builder, bits, type, "");
}

/* `type` is f32 or a vector of it, `extra` counts what one of its elements is. Bytes are turned into
 * floats here (vpmovzxbd, vcvtdq2ps). */
static LLVMValueRef load(struct emitter *e, LLVMTypeRef type, const struct base *base,
                         const struct affine *linear, int64_t extra)
{
    enum dtype dtype = base->buffer->dtype;
    if (e->pairs)
        extra *= PAIR;
    LLVMValueRef address = index_address(e, base, linear, extra);
    LLVMTypeRef words = dtype == DTYPE_BF16 && !e->pairs ? halves_words(e, type) : NULL;
    LLVMTypeRef stored = e->pairs ? type
                         : words  ? words
                                  : with_element(type, index_element(e, base->buffer));
    LLVMValueRef value = LLVMBuildLoad2(e->builder, stored, address, "");
    mark(e, value, base, index_alignment(e, base, linear, extra));
    access_mark_read(e, value, base);
    return e->pairs              ? value
           : words               ? halves_widen(e, type, value)
           : dtype == DTYPE_U8   ? LLVMBuildUIToFP(e->builder, value, type, "")
           : dtype == DTYPE_BF16 ? access_widen(e, type, value)
                                 : value;
}

const struct expr *access_stored(const struct emitter *e, const struct stmt *store)
{
    bool rounds = store->buffer->dtype == DTYPE_BF16 && halves_have(e);
    return rounds && store->value->op == SCALAR_bf16 ? store->value->in[0] : store->value;
}

/* To a buffer of type bf16 the upper halves of floats whose lower halves are zero; a GPU's
 * instruction rounds whatever they are. */
static LLVMValueRef narrowed(struct emitter *e, LLVMValueRef value)
{
    LLVMTypeRef type = LLVMTypeOf(value);
    LLVMValueRef narrow = halves_have(e) ? halves_narrow(e, value) : NULL;
    if (narrow)
        return narrow;
    if (halves_have(e))
        value = halves_round(e, value);
    value = LLVMBuildBitCast(e->builder, value, with_element(type, e->i32), "");
    value = LLVMBuildLShr(e->builder, value, number_like(e, type, HALF_BITS), "");
    return LLVMBuildTrunc(e->builder, value, with_element(type, e->i16), "");
}

static void store(struct emitter *e, LLVMValueRef value, const struct base *base,
                  const struct affine *linear, int64_t extra)
{
    LLVMValueRef address = index_address(e, base, linear, extra);
    if (base->buffer->dtype == DTYPE_BF16)
        value = narrowed(e, value);
    mark(e, LLVMBuildStore(e->builder, value, address), base,
         index_alignment(e, base, linear, extra));
}

LLVMValueRef emit_splat(struct emitter *e, struct value value)
{
    if (value.wide)
        return value.llvm;
    LLVMTypeRef type = vector_type(e, e->lanes);
    LLVMValueRef poison = LLVMGetPoison(type);
    LLVMValueRef one =
        LLVMBuildInsertElement(e->builder, poison, value.llvm, lane_number(e, 0), "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(e->i32, (unsigned)e->lanes));
    return LLVMBuildShuffleVector(e->builder, one, poison, mask, "");
}

static bool consecutive(const struct emitter *e, const struct lanes *lanes)
{
    for (int i = 0; i < e->lanes; i++)
        if (lanes->offset[i] != i)
            return false;
    return lanes->kind == LANES_CONSTANT;
}

/* Elements from the lowest to the highest that the lanes touch, the lowest in *least. */
static int64_t span(const struct emitter *e, const struct lanes *lanes, int64_t *least)
{
    int64_t most = *least = lanes->offset[0];
    for (int i = 1; i < e->lanes; i++) {
        *least = lanes->offset[i] < *least ? lanes->offset[i] : *least;
        most = lanes->offset[i] > most ? lanes->offset[i] : most;
    }
    return most - *least + 1;
}

static LLVMValueRef load_shuffled(struct emitter *e, const struct base *base,
                                  const struct lanes *lanes, int64_t least, int64_t count)
{
    LLVMValueRef mask[MAX_LANES];
    for (int i = 0; i < e->lanes; i++)
        mask[i] = lane_number(e, (int)(lanes->offset[i] - least));
    LLVMTypeRef type = vector_type(e, count);
    LLVMValueRef few = load(e, type, base, lanes->origin, least);
    return LLVMBuildShuffleVector(e->builder, few, LLVMGetPoison(type),
                                  LLVMConstVector(mask, (unsigned)e->lanes), "");
}

/* Lanes that lie in two neighbouring vectors of a registers buffer. NULL: they lie further apart,
 * or in memory. */
static LLVMValueRef load_pair(struct emitter *e, const struct buffer *buffer,
                              const struct base *base, const struct lanes *lanes)
{
    int64_t at, least, most = span(e, lanes, &least) - 1;
    if (buffer->place != PLACE_REGISTERS || !index_known(e, lanes->origin, &at))
        return NULL;
    most += least;
    int64_t begin = (at + least) / e->lanes * e->lanes - at;
    if (most >= begin + 2 * e->lanes || at + begin + 2 * e->lanes > shape_elements(&buffer->shape))
        return NULL;
    LLVMValueRef mask[MAX_LANES];
    for (int i = 0; i < e->lanes; i++)
        mask[i] = lane_number(e, (int)(lanes->offset[i] - begin));
    LLVMTypeRef type = vector_type(e, e->lanes);
    LLVMValueRef first = load(e, type, base, lanes->origin, begin);
    LLVMValueRef second = load(e, type, base, lanes->origin, begin + e->lanes);
    return LLVMBuildShuffleVector(e->builder, first, second,
                                  LLVMConstVector(mask, (unsigned)e->lanes), "");
}

/* Lanes that touch two elements, wherever these lie: each is spread by its load, and a blend costs
 * no more than a vector operation. NULL: the lanes touch more than two. */
static LLVMValueRef load_blended(struct emitter *e, const struct base *base,
                                 const struct lanes *lanes)
{
    LLVMValueRef mask[MAX_LANES];
    int64_t first = lanes->offset[0], second = first;
    if (e->lanes == 2)
        return NULL; /* nothing is repeated */
    for (int i = 0; i < e->lanes; i++) {
        bool other = lanes->offset[i] != first;
        if (other && second != first && lanes->offset[i] != second)
            return NULL;
        second = other ? lanes->offset[i] : second;
        mask[i] = lane_number(e, i + (other ? e->lanes : 0));
    }
    struct value one = {.llvm = load(e, e->f32, base, lanes->origin, first)};
    struct value two = {.llvm = load(e, e->f32, base, lanes->origin, second)};
    LLVMValueRef right = emit_splat(e, two), left = emit_splat(e, one);
    return LLVMBuildShuffleVector(e->builder, left, right,
                                  LLVMConstVector(mask, (unsigned)e->lanes), "");
}

/* For each lane the four neighbours around its element; vector i: those of lanes i, i + 4, ... */
static LLVMValueRef load_fours(struct emitter *e, const struct base *base,
                               const struct lanes *lanes, int i, int64_t remainder)
{
    LLVMValueRef mask[MAX_LANES], fours[MAX_LANES / FOUR];
    for (int j = 0; j < e->lanes; j++)
        mask[j] = lane_number(e, j);
    int count = e->lanes / FOUR;
    for (int j = 0; j < count; j++)
        fours[j] = load(e, vector_type(e, FOUR), base, lanes->origin,
                        lanes->offset[i + FOUR * j] - remainder);
    for (int width = 2 * FOUR; count > 1; count /= 2, width *= 2)
        for (int j = 0; j < count / 2; j++)
            fours[j] = LLVMBuildShuffleVector(e->builder, fours[2 * j], fours[2 * j + 1],
                                              LLVMConstVector(mask, (unsigned)width), "");
    return fours[0];
}

/* In each 128 bits, elements `at` and `at + 1` of both vectors, interleaved: `turn` elements of the
 * first, then `turn` of the second, and so on. */
static LLVMValueRef interleave(struct emitter *e, LLVMValueRef a, LLVMValueRef b, int at, int turn)
{
    LLVMValueRef mask[MAX_LANES];
    for (int i = 0; i < e->lanes; i++) {
        int in_four = i % FOUR, second = in_four / turn % 2;
        int element = at + (turn == 1 ? in_four / 2 : in_four % 2);
        mask[i] = lane_number(e, i - in_four + element + second * e->lanes);
    }
    return LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(mask, (unsigned)e->lanes), "");
}

/* One of four neighbouring channels, where lanes are pixels: a quarter of a transposition. LLVM
 * shares the shuffles with the other quarters. NULL: the lanes do not lie like this. */
static LLVMValueRef load_transposed(struct emitter *e, const struct buffer *buffer,
                                    const struct base *base, const struct lanes *lanes)
{
    int64_t remainder = index_remainder(e, lanes->origin, FOUR);
    if (e->target->gpu || e->pairs || e->lanes < 2 * FOUR || buffer->place == PLACE_REGISTERS ||
        remainder < 0 || shape_elements(&buffer->shape) % FOUR)
        return NULL;
    for (int i = 0; i < e->lanes; i++)
        if (lanes->offset[i] % FOUR)
            return NULL;
    LLVMValueRef pair[2];
    for (int i = 0; i < 2; i++) {
        LLVMValueRef second = load_fours(e, base, lanes, 2 * i + 1, remainder);
        LLVMValueRef first = load_fours(e, base, lanes, 2 * i, remainder);
        pair[i] = interleave(e, first, second, (int)remainder / 2 * 2, 1);
    }
    return interleave(e, pair[0], pair[1], (int)remainder % 2 * 2, 2);
}

static LLVMValueRef load_lanes(struct emitter *e, const struct base *base,
                               const struct lanes *lanes)
{
    LLVMValueRef vector = LLVMGetPoison(vector_type(e, e->lanes));
    for (int i = 0; i < e->lanes; i++) {
        LLVMValueRef one = lanes->kind == LANES_FREE
                               ? load(e, e->f32, base, lanes->lane[i], 0)
                               : load(e, e->f32, base, lanes->origin, lanes->offset[i]);
        vector = LLVMBuildInsertElement(e->builder, vector, one, lane_number(e, i), "");
    }
    return vector;
}

/* One of two neighbours of type bf16 of each lane, all of which lie together. NULL: the lanes do not
 * lie like this. */
static LLVMValueRef load_every_second(struct emitter *e, const struct base *base,
                                      const struct lanes *lanes)
{
    int64_t second = index_remainder(e, lanes->origin, PAIR);
    if (e->pairs || base->buffer->dtype != DTYPE_BF16 || second < 0)
        return NULL;
    for (int i = 0; i < e->lanes; i++)
        if (lanes->offset[i] != PAIR * i)
            return NULL;
    LLVMTypeRef type = vector_type(e, e->lanes), bits = with_element(type, e->i32);
    e->pairs = true;
    const struct affine *first = affine_offset(e->arena, lanes->origin, -second);
    LLVMValueRef both = LLVMBuildBitCast(e->builder, load(e, type, base, first, 0), bits, "");
    e->pairs = false;
    both = second ? LLVMBuildAnd(e->builder, both, number_like(e, type, 0xffff0000), "")
                  : LLVMBuildShl(e->builder, both, number_like(e, type, HALF_BITS), "");
    return LLVMBuildBitCast(e->builder, both, type, "");
}

/* Counts the lanes' offsets in pairs. */
static void count_pairs(const struct emitter *e, struct lanes *lanes)
{
    for (int i = 0; i < e->lanes && lanes->kind == LANES_CONSTANT; i++) {
        if (lanes->offset[i] % PAIR)
            lanes->kind = LANES_FREE;
        lanes->offset[i] /= PAIR;
    }
}

struct value emit_load(struct emitter *e, const struct buffer *buffer,
                       const struct affine *const *index)
{
    struct lanes lanes;
    int64_t least;
    const struct base *base = base_find(e, buffer);
    if (!base || e->failed)
        return (struct value){.llvm = LLVMGetPoison(e->f32)};
    if (buffer->dtype == DTYPE_I32)
        emit_fail(e, "load of %s, which holds no floats", buffer->name);
    index_lanes(e, index_linear(e, buffer, index), &lanes);
    if (e->pairs)
        count_pairs(e, &lanes);
    if (lanes.kind == LANES_UNIFORM)
        return (struct value){.llvm = load(e, e->f32, base, lanes.origin, 0)};
    struct value value = {.wide = true};
    if (lanes.kind == LANES_CONSTANT)
        value.llvm = load_every_second(e, base, &lanes);
    if (value.llvm)
        return value;
    if (consecutive(e, &lanes))
        value.llvm = load(e, vector_type(e, e->lanes), base, lanes.origin, 0);
    else if (lanes.kind == LANES_CONSTANT && span(e, &lanes, &least) <= e->lanes)
        value.llvm = load_shuffled(e, base, &lanes, least, span(e, &lanes, &least));
    else if (lanes.kind == LANES_CONSTANT)
        value.llvm = load_pair(e, buffer, base, &lanes);
    if (!value.llvm && lanes.kind == LANES_CONSTANT)
        value.llvm = load_blended(e, base, &lanes);
    if (!value.llvm && lanes.kind == LANES_CONSTANT)
        value.llvm = load_transposed(e, buffer, base, &lanes);
    if (!value.llvm)
        value.llvm = load_lanes(e, base, &lanes);
    return value;
}

void emit_store(struct emitter *e, const struct buffer *buffer, const struct affine *const *index,
                struct value value)
{
    struct lanes lanes;
    const struct base *base = base_find(e, buffer);
    if (!base || e->failed)
        return;
    index_lanes(e, index_linear(e, buffer, index), &lanes);
    if (!e->vector) {
        store(e, value.llvm, base, lanes.origin, 0);
        return;
    }
    if (lanes.kind == LANES_UNIFORM) {
        emit_fail(e, "all lanes of %s store to the same element of %s", e->vector->name,
                  buffer->name);
        return;
    }
    LLVMValueRef vector = emit_splat(e, value);
    if (consecutive(e, &lanes)) {
        store(e, vector, base, lanes.origin, 0);
        return;
    }
    for (int i = 0; i < e->lanes; i++) {
        LLVMValueRef one = LLVMBuildExtractElement(e->builder, vector, lane_number(e, i), "");
        if (lanes.kind == LANES_FREE)
            store(e, one, base, lanes.lane[i], 0);
        else
            store(e, one, base, lanes.origin, lanes.offset[i]);
    }
}

/* Neighbours of 16, 8 or 4 bytes. */
static void copy(struct emitter *e, const struct base *to, const struct affine *to_linear,
                 const struct base *from, const struct affine *from_linear, const int64_t extra[2],
                 int64_t bytes)
{
    static const char *const names[][2] = {{"llvm.nvvm.cp.async.ca.shared.global.4"},
                                           {"llvm.nvvm.cp.async.ca.shared.global.8"},
                                           {"llvm.nvvm.cp.async.cg.shared.global.16"}};
    LLVMValueRef argument[2] = {index_address(e, to, to_linear, extra[0]),
                                index_address(e, from, from_linear, extra[1])};
    device_call(e, names[bytes / 8], argument);
}

static unsigned vector_bytes(const struct emitter *e, const struct buffer *buffer)
{
    return (unsigned)(dtype_bytes[buffer->dtype] * e->lanes);
}

/* Whether the lanes are neighbours that one instruction takes. */
static bool is_whole(struct emitter *e, const struct base *base, const struct lanes *lanes)
{
    return consecutive(e, lanes) &&
           index_alignment(e, base, lanes->origin, 0) >= vector_bytes(e, base->buffer);
}

void emit_copy(struct emitter *e, const struct stmt *store)
{
    struct lanes to, from;
    const struct expr *load = store->value;
    const struct base *to_base = base_find(e, store->buffer),
                      *from_base = base_find(e, load->buffer);
    if (!to_base || !from_base || e->failed)
        return;
    index_lanes(e, index_linear(e, store->buffer, store->index), &to);
    index_lanes(e, index_linear(e, load->buffer, load->index), &from);
    unsigned bytes = e->vector ? vector_bytes(e, store->buffer) : 0;
    bool whole = (bytes == 16 || bytes == 8 || (bytes == 4 && e->lanes > 1)) &&
                 is_whole(e, to_base, &to) && is_whole(e, from_base, &from);
    if (!whole && store->buffer->dtype == DTYPE_BF16) { /* a copy has at least 4 bytes */
        emit_store(e, store->buffer, store->index, emit_expr(e, load));
        return;
    }
    int lanes = e->vector && !whole ? e->lanes : 1;
    for (int i = 0; i < lanes; i++) {
        int64_t extra[2] = {to.kind == LANES_CONSTANT ? to.offset[i] : 0,
                            from.kind == LANES_CONSTANT ? from.offset[i] : 0};
        copy(e, to_base, to.kind == LANES_FREE ? to.lane[i] : to.origin, from_base,
             from.kind == LANES_FREE ? from.lane[i] : from.origin, extra, whole ? bytes : 4);
    }
}

void emit_prefetch(struct emitter *e, const struct expr *load)
{
    enum { READ = 0, IN_L2 = 2, DATA = 1 };
    const struct base *base = base_find(e, load->buffer);
    unsigned id = LLVMLookupIntrinsicID("llvm.prefetch", strlen("llvm.prefetch"));
    if (!base || e->failed)
        return;
    LLVMValueRef argument[4] = {
        index_address(e, base, index_linear(e, load->buffer, load->index), 0),
        LLVMConstInt(e->i32, READ, 0), LLVMConstInt(e->i32, IN_L2, 0),
        LLVMConstInt(e->i32, DATA, 0)};
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->out, id, &e->ptr, 1);
    LLVMBuildCall2(e->builder, LLVMIntrinsicGetType(e->context, id, &e->ptr, 1), function, argument,
                   4, "");
}
