/* SHA-256 as in FIPS 180-4. For the runtime and the compiler; no program sees it. */
#ifndef SAN_SHA256_H
#define SAN_SHA256_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

/* Of bytes that come in parts: begin, add each, end. */
struct san_sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    bool by_instructions;
    uint8_t rest[64]; /* of a block that is not whole yet */
};

void san_sha256_begin(struct san_sha256 *hash);
void san_sha256_add(struct san_sha256 *hash, const void *data, size_t size);
void san_sha256_end(struct san_sha256 *hash, uint8_t digest[SHA256_BYTES]);

void san_sha256(const void *data, size_t size, uint8_t digest[SHA256_BYTES]);

#endif
