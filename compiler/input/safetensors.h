/* The safetensors format: eight bytes of header length, a header in JSON, the tensors' bytes. */
#ifndef COMPILER_SAFETENSORS_H
#define COMPILER_SAFETENSORS_H
#include "arena.h"
#include "weights.h"

/* DTYPE(name, bytes of an element, whether it can be converted to float64 here) */
#define SAFETENSORS_DTYPES                                                                         \
    DTYPE(F64, 8, true)                                                                            \
    DTYPE(F32, 4, true)                                                                            \
    DTYPE(F16, 2, true)                                                                            \
    DTYPE(BF16, 2, true)                                                                           \
    DTYPE(F8_E4M3, 1, false)                                                                       \
    DTYPE(F8_E5M2, 1, false)                                                                       \
    DTYPE(F8_E8M0, 1, false)                                                                       \
    DTYPE(C64, 8, false)                                                                           \
    DTYPE(I64, 8, false)                                                                           \
    DTYPE(I32, 4, false)                                                                           \
    DTYPE(I16, 2, false)                                                                           \
    DTYPE(I8, 1, false)                                                                            \
    DTYPE(U64, 8, false)                                                                           \
    DTYPE(U32, 4, false)                                                                           \
    DTYPE(U16, 2, false)                                                                           \
    DTYPE(U8, 1, false)                                                                            \
    DTYPE(BOOL, 1, false)

enum tensor_dtype {
#define DTYPE(name, bytes, real) TENSOR_##name,
    SAFETENSORS_DTYPES
#undef DTYPE
        TENSOR_OTHER, /* a dtype not known here: its tensor cannot be read, nor its size checked */
    TENSOR_DTYPE_COUNT
};

struct tensor_dtype_info {
    const char *name;
    int bytes;
    bool real;
};
extern const struct tensor_dtype_info tensor_dtype_info[TENSOR_DTYPE_COUNT];

struct tensor {
    const char *name; /* as the file has it */
    enum tensor_dtype dtype;
    const char *dtype_name; /* as the file has it, cut off where it is long */
    int rank;
    int64_t dim[MAX_TENSOR_RANK];
    int64_t elements;
    uint64_t begin, end; /* in the file's data */
    uint64_t at;         /* where it begins in the file: little-endian, row-major */
};

/* The first bytes of a file, which say how long its header is. */
enum { SAFETENSORS_START = 8 };

/* How many bytes of a file of `size` bytes safetensors_parse needs, by its first ones (all of them
 * where it has fewer). */
size_t safetensors_head(const char *start, size_t size);

/* Checks a file of `size` bytes, of which the first are at `head`. The tensors, sorted by name,
 * come to lie in the arena. STATUS_INPUT on errors, printed with `path`. */
enum status safetensors_parse(const char *path, const char *head, size_t size, struct arena *arena,
                              struct tensor **tensors, size_t *count);

/* Elements of a real dtype, or U8, as float64: exact. */
void tensor_convert(enum tensor_dtype dtype, const unsigned char *from, int64_t count, double *to);

#endif
