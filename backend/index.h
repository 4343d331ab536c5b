/* Index arithmetic in LLVM. */
#ifndef BACKEND_INDEX_H
#define BACKEND_INDEX_H
#include "emit.h"

/* An access seen by the lanes of the vector loop around it. */
struct lanes {
    enum lanes_kind {
        LANES_UNIFORM,  /* every lane at origin */
        LANES_CONSTANT, /* lane i at origin + offset[i] elements */
        LANES_FREE      /* lane i at lane[i] */
    } kind;
    const struct affine *origin;
    int64_t offset[MAX_LANES];
    const struct affine *lane[MAX_LANES];
};

/* The element offset of an access. Known variables are replaced by their values where that makes
 * divisions simpler. */
const struct affine *index_linear(struct emitter *emitter, const struct buffer *buffer,
                                  const struct affine *const *index);
void index_lanes(struct emitter *emitter, const struct affine *linear, struct lanes *lanes);

/* Whether the offset is a number once unrolled loops are written out. */
bool index_known(struct emitter *emitter, const struct affine *linear, int64_t *value);

/* The offset modulo a divisor, where that is known; else -1. */
int64_t index_remainder(struct emitter *emitter, const struct affine *linear, int64_t divisor);

/* The type of a buffer's elements in memory. */
LLVMTypeRef index_element(const struct emitter *emitter, const struct buffer *buffer);

/* The address of the element at this offset, plus `extra` elements. */
LLVMValueRef index_address(struct emitter *emitter, const struct base *base,
                           const struct affine *linear, int64_t extra);

/* The known alignment of that address in bytes, as far as it is of use. */
unsigned index_alignment(struct emitter *emitter, const struct base *base,
                         const struct affine *linear, int64_t extra);

/* Marks a load of memory that nothing stores to while the kernel runs; does nothing for others. */
void access_mark_read(struct emitter *emitter, LLVMValueRef load, const struct base *base);

#endif
