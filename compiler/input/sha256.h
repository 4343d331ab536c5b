/* SHA-256 as in FIPS 180-4. */
#ifndef COMPILER_SHA256_H
#define COMPILER_SHA256_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

/* Of bytes that come in parts: begin, add each, end. */
struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    bool by_instructions;
    uint8_t rest[64]; /* of a block that is not whole yet */
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

void sha256(const void *data, size_t size, uint8_t digest[SHA256_BYTES]);

#endif
