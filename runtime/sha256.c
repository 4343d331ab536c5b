/* In C, and by the instructions that processors since 2016 have for it, six times as fast. */
#include "sha256.h"
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

enum { BLOCK = 64, ROUNDS = 64 };

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constant[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static void expand(const uint8_t block[BLOCK], uint32_t w[ROUNDS])
{
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < ROUNDS; i++) {
        uint32_t early = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t late = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + early + w[i - 7] + late;
    }
}

static void compress_plainly(uint32_t state[8], const uint8_t block[BLOCK])
{
    uint32_t w[ROUNDS];
    expand(block, w);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t choose = (e & f) ^ (~e & g);
        uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        uint32_t one =
            h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choose + round_constant[i] + w[i];
        uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
        h = g, g = f, f = e, e = d + one;
        d = c, c = b, b = a, a = one + two;
    }
    const uint32_t add[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++)
        state[i] += add[i];
}

#define WITH_SHA __attribute__((target("sha,sse4.1")))

/* The next four words of the schedule from the 16 before them. */
WITH_SHA static __m128i next_words(__m128i a, __m128i b, __m128i c, __m128i d)
{
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4));
    return _mm_sha256msg2_epu32(sum, d);
}

/* The instructions want the state as (a, b, e, f) and (c, d, g, h), from the last to the first. */
WITH_SHA static void compress_by_instructions(uint32_t state[8], const uint8_t block[BLOCK])
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i word[4];
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
    const __m128i abef_before = abef, cdgh_before = cdgh;
    for (int i = 0; i < 4; i++)
        word[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
    for (int i = 0; i < ROUNDS / 4; i++) {
        __m128i now = word[i % 4];
        __m128i sum =
            _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(round_constant + 4 * i)));
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        word[i % 4] = next_words(now, word[(i + 1) % 4], word[(i + 2) % 4], word[(i + 3) % 4]);
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

static bool has_instructions(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA) &&
           __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_SSE4_1);
}

static void compress(struct san_sha256 *hash, const uint8_t *block)
{
    if (hash->by_instructions)
        compress_by_instructions(hash->state, block);
    else
        compress_plainly(hash->state, block);
}

void san_sha256_begin(struct san_sha256 *hash)
{
    *hash = (struct san_sha256){.by_instructions = has_instructions(),
                                .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void san_sha256_add(struct san_sha256 *hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size) {
        size_t used = hash->size % BLOCK, count = size < BLOCK - used ? size : BLOCK - used;
        if (count == BLOCK) {
            compress(hash, bytes);
        } else {
            memcpy(hash->rest + used, bytes, count);
            if (used + count == BLOCK)
                compress(hash, hash->rest);
        }
        hash->size += count;
        bytes += count;
        size -= count;
    }
}

/* The end: a one bit, zeros, and the length in bits in the last eight bytes. */
void san_sha256_end(struct san_sha256 *hash, uint8_t digest[SHA256_BYTES])
{
    uint8_t tail[2 * BLOCK] = {0x80};
    uint64_t bits = hash->size * 8;
    size_t used = hash->size % BLOCK, pad = (used + 9 > BLOCK ? 2 * BLOCK : BLOCK) - used;
    for (size_t i = 0; i < 8; i++)
        tail[pad - 1 - i] = (uint8_t)(bits >> 8 * i);
    san_sha256_add(hash, tail, pad);
    for (int i = 0; i < SHA256_BYTES; i++)
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void san_sha256(const void *data, size_t size, uint8_t digest[SHA256_BYTES])
{
    struct san_sha256 hash;
    san_sha256_begin(&hash);
    san_sha256_add(&hash, data, size);
    san_sha256_end(&hash, digest);
}
