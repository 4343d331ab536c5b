/* A file of weights: this head, then the weights, as `sanc compile --weights-in` writes it and
 * san_weights_open reads it. Numbers are little-endian, as all that runs it is. */
#ifndef SAN_WEIGHTS_FILE_H
#define SAN_WEIGHTS_FILE_H
#include <stdint.h>

#define WEIGHTS_MAGIC "\x89SANWGT\n"

enum { WEIGHTS_VERSION = 1 };

struct weights_head {
    char magic[8];
    uint32_t version;     /* WEIGHTS_VERSION */
    uint32_t abi_version; /* SAN_ABI_VERSION */
    uint64_t file_bytes;  /* of the whole file */
    uint64_t bytes;       /* of the weights */
    uint8_t sha256[32];   /* of the weights */
    char name[64];        /* of the model; ends with a 0 */
    char zero[3968];
};

_Static_assert(sizeof(struct weights_head) == 4096, "weights begin at a page");

#endif
