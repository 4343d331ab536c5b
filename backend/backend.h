/* Loop form to machine code. The only user of LLVM; no LLVM type leaves this folder. */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H
#include "ir.h"
#include "san/abi.h"
#include "target.h"

enum backend_kind { BACKEND_OBJECT, BACKEND_ASSEMBLY, BACKEND_LLVM };

/* A file in memory; free(data). */
struct backend_file {
    char *data;
    size_t size;
};

/* What to write. BACKEND_OBJECT: one object with NAME_model, the kernels of all targets and the
 * constants, and NAME_run where one of the targets is an x86; for smaller batches, too, whose
 * kernels have names of their own (module->smaller). Other kinds: the kernels of one
 * `target` as text; a GPU's assembly is PTX. */
struct backend_request {
    enum backend_kind kind;
    const char *target;           /* NULL for an object */
    bool unwind_tables;           /* .eh_frame, so that stacks unwind through functions */
    struct backend_file *outside; /* of an object without GPUs: gets the constants; NULL: none */
    const struct backend_file *cubins; /* of an object: by target, of those that are GPUs what ptxas
                                        * made of the PTX; NULL: none */
};

/* Writes the loops of `module`. The error says what failed: "a constant is refused"
 * (module_check_constants says more), "weights over 2 GiB", a defect, or what backend_check finds
 * wrong in a dump. */
bool backend_emit(const struct module *module, const struct parameters *parameters,
                  const uint8_t weights_sha256[32], const struct backend_request *request,
                  struct backend_file *file, struct error *error);

/* How to start a GPU's kernels, as JSON: see README.md. weights: the name of the file that
 * backend_weights fills. */
bool backend_launch(const struct module *module, const char *target, const char *weights,
                    struct backend_file *file);
bool backend_weights(const struct module *module, const struct parameters *parameters,
                     struct backend_file *file, struct error *error);

/* The name of the function that a GPU's kernel starts; kernels that are alike share one. free() it.
 */
char *backend_gpu_function(const struct module *module, const struct kernel *kernel,
                           const char *target);

/* The C header that goes with the object. outside: the weights are in a file. */
void backend_header(const struct module *module, bool outside, struct backend_file *file);

/* An object loaded into this process, as `sanc run` does. */
struct backend_loaded;
const struct san_model *backend_load(const struct backend_file *object, const char *name,
                                     struct backend_loaded **loaded, struct error *error);
void backend_unload(struct backend_loaded *loaded);

/* "19.1.7" */
const char *backend_llvm_version(void);

#endif
