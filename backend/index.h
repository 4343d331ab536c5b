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

/* The element offset of an access, with the variables that are known put in where that makes
 * divisions simpler. */
const struct affine *index_linear(struct emitter *emitter, const struct buffer *buffer,
                                  const struct affine *const *index);
void index_lanes(struct emitter *emitter, const struct affine *linear, struct lanes *lanes);

/* Whether the offset is a number once unrolled loops are written out. */
bool index_known(struct emitter *emitter, const struct affine *linear, int64_t *value);

/* What is left of the offset by a divisor, where that is known; else -1. */
int64_t index_remainder(struct emitter *emitter, const struct affine *linear, int64_t divisor);

/* Where that element lies; `extra` more elements on. */
LLVMValueRef index_address(struct emitter *emitter, const struct base *base,
                           const struct affine *linear, int64_t extra);

/* How that address is aligned, as far as it is known and of use: bytes. */
unsigned index_alignment(struct emitter *emitter, const struct base *base,
                         const struct affine *linear, int64_t extra);

/* Says of a load that nothing stores there while the kernel runs, where that is so. */
void access_mark_read(struct emitter *emitter, LLVMValueRef load, const struct base *base);

#endif
