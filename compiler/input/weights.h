/* A safetensors file, open and checked; tensors come out in float64. It is read in parts: a mapped
 * file that another program cuts off would end this one. */
#ifndef COMPILER_WEIGHTS_H
#define COMPILER_WEIGHTS_H
#include "diag.h"
#include <stddef.h>
#include <stdint.h>

struct weights;

enum { MAX_TENSOR_RANK = 8 };

/* Reads a safetensors file and checks its structure. STATUS_INPUT or STATUS_SYSTEM on errors, which
 * are printed. */
enum status weights_read(const char *path, struct weights **weights);
void weights_free(struct weights *weights);

/* A tensor the caller needs. */
struct tensor_need {
    const char *name;
    int rank;
    int64_t dim[MAX_TENSOR_RANK];
    bool nonnegative; /* a variance */
    bool spare;       /* it may be missing */
};

/* Checks that the file holds exactly these tensors (and num_batches_tracked), each with the right
 * shape, a float type, and numbers that are finite in float32 too. Prints every difference;
 * STATUS_INPUT if there is one. Drops the names' prefix (weights_drop_prefix). */
enum status weights_check(struct weights *weights, const struct tensor_need *needs, size_t count);

/* From now on leaves out a prefix that all names in the file share, if more of `names` are found
 * without it: "module." of DataParallel, "_orig_mod." of torch.compile, "model." of trainers, or
 * anything else. */
void weights_drop_prefix(struct weights *weights, const char *const *names, size_t count);

/* The tensor of that name in float64, row-major, owned by the weights until they are told to forget
 * it. NULL if there is none, or it has no float type or not `elements` elements; or the file cannot
 * be read any more, which is printed. */
const double *weights_find(struct weights *weights, const char *name, int64_t elements);
void weights_forget(struct weights *weights, const char *name);

/* Likewise of a tensor of type U8. */
const double *weights_find_bytes(struct weights *weights, const char *name, int64_t elements);

/* A tensor that need not be a parameter (the input of `sanc run`): its shape, or false. */
bool weights_shape(const struct weights *weights, const char *name, int *rank, int64_t *dim);

/* SHA-256 of the file. */
const uint8_t *weights_sha256(const struct weights *weights);

/* A tensor to be written, F32, or F64 where there is no `data`; the name needs no escapes in JSON.
 */
struct tensor_data {
    const char *name;
    const float *data;
    int rank;
    int64_t dim[MAX_TENSOR_RANK];
    const double *wide;
};

/* Writes a safetensors file, whole or not at all (file.h). */
enum status weights_write(const char *path, const struct tensor_data *tensors, size_t count);

#endif
