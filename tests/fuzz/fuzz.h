/* A fuzz target: libFuzzer calls it with any bytes, or, without libFuzzer, replay.c. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_expect(int condition)
{
    if (!condition)
        abort();
}

#endif
