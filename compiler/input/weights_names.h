/* Names that a weight file and a model do not share, explained in few lines. */
#ifndef COMPILER_WEIGHTS_NAMES_H
#define COMPILER_WEIGHTS_NAMES_H
#include "safetensors.h"

enum { DIMS_TEXT = 256 };

/* Names without a partner, two lists. Reporting empties both. */
struct unpaired {
    const char *path;                  /* of the weight file */
    size_t prefix;                     /* bytes that are left out of each tensor's name */
    const struct tensor_need **needed; /* what the file lacks */
    size_t needs;
    const struct tensor **tensor; /* what the model lacks, sorted by name */
    size_t tensors;
};

/* Prints the differences: similar names in pairs, and how many follow the same pattern. */
void unpaired_report(struct unpaired *names);

/* "(2, 3)" */
const char *dims_text(int rank, const int64_t *dim, char text[DIMS_TEXT]);

#endif
