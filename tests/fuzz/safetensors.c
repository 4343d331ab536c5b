/* The reader of safetensors files on any bytes: tensors lie within the file, and can be read. */
#include "safetensors.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tensor *tensor = NULL;
    size_t count = 0;
    struct arena *arena = arena_new();
    if (safetensors_parse("fuzz", (const char *)data, size, arena, &tensor, &count) ==
        STATUS_DONE) {
        volatile double sum = 0;
        double value;
        for (size_t i = 0; i < count; i++) {
            const struct tensor *one = &tensor[i];
            int64_t bytes = tensor_dtype_info[one->dtype].bytes;
            fuzz_expect(one->name && one->rank <= MAX_TENSOR_RANK && one->elements >= 0);
            fuzz_expect(one->dtype == TENSOR_OTHER ||
                        (uint64_t)(one->elements * bytes) == one->end - one->begin);
            fuzz_expect(one->at <= size && one->end - one->begin <= size - one->at);
            for (int64_t j = 0; tensor_dtype_info[one->dtype].real && j < one->elements; j++) {
                tensor_convert(one->dtype, data + one->at + j * bytes, 1, &value);
                sum += value;
            }
        }
    }
    arena_free(arena);
    return 0;
}
