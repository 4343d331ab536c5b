/* Arrays of NumPy, .npy files: the ones that hold images or results. */
#ifndef COMPILER_NPY_H
#define COMPILER_NPY_H
#include "weights.h"

/* Whether the name of a file ends in .npy. */
bool npy_is(const char *path);

struct npy {
    bool bytes; /* of type u1; else floats */
    int rank;
    int64_t dim[MAX_TENSOR_RANK], elements;
    double *value; /* exact */
};

/* Reads a file of version 1 to 3: C order, u1, f2, f4 or f8, little-endian. STATUS_INPUT or
 * STATUS_SYSTEM on errors, which are printed; npy_free in any case. */
enum status npy_read(const char *path, struct npy *npy);
void npy_free(struct npy *npy);

/* Writes float32, whole or not at all (file.h). */
enum status npy_write(const char *path, const float *data, int rank, const int64_t *dim);

#endif
