/* Weights that are not in a model's object: the file that `sanc compile --weights-in FILE` writes
 * with it.
 *
 *     struct san_weights_error error;
 *     const struct san_weights *weights;
 *     if (san_weights_open("net.weights", &net_model, &weights, &error))
 *         puts(error.text);
 *     struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1, .weights = weights};
 *     int status = net_run(input, output, workspace, &exec);
 *     san_weights_close(weights);
 *
 * All processes that open a file share its pages in memory. While it is open, the file must not be
 * changed or made shorter; another one may be renamed to its name. C11 and C++11. */
#ifndef SAN_WEIGHTS_H
#define SAN_WEIGHTS_H
#include "san/abi.h"

#pragma GCC visibility push(default) /* all else of the runtime is hidden */

#ifdef __cplusplus
extern "C" {
#endif

enum san_weights_status {
    SAN_WEIGHTS_OK = 0,
    SAN_WEIGHTS_EARGUMENT = -201, /* a null pointer, or a model whose weights are in its object */
    SAN_WEIGHTS_EABI = -202,      /* the model is of another ABI version */
    SAN_WEIGHTS_EFILE = -203,     /* the file is not there, or cannot be read */
    SAN_WEIGHTS_EMEMORY = -204,   /* no memory, or no room in the address space */
    SAN_WEIGHTS_EFORMAT = -205,   /* it is no file of weights */
    SAN_WEIGHTS_EVERSION = -206,  /* it is of another version of the format or the ABI */
    SAN_WEIGHTS_ESIZE = -207,     /* it was cut off, or has bytes at its end that are not its own */
    SAN_WEIGHTS_EMODEL = -208,    /* it belongs to another model, or another compilation of it */
    SAN_WEIGHTS_EHASH = -209      /* its contents have changed */
};

enum { SAN_WEIGHTS_TEXT_BYTES = 512 };

struct san_weights_error {
    int status;                        /* enum san_weights_status */
    char text[SAN_WEIGHTS_TEXT_BYTES]; /* begins with the path; "" where status is 0 */
};

/* Maps the file and compares it with the model and with its own hash, which reads all of it. On
 * failure *weights is NULL and nothing is left behind. `error` may be NULL. The weights may be used
 * by any threads, and by any number of models compiled to the same numbers; the model need not last
 * as long. */
int san_weights_open(const char *path, const struct san_model *model,
                     const struct san_weights **weights, struct san_weights_error *error);

/* No run may be using them. NULL is no error. */
void san_weights_close(const struct san_weights *weights);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
