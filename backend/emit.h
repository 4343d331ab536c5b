/* What the emitter's files share. A kernel becomes one function
 *
 *     void kernel(input, output, workspace, scratch, begin, end)
 *
 * that runs iterations begin to end - 1 of its parallel loop, with a seventh argument where the
 * weights are in a file; for a GPU (device.c)
 *
 *     void kernel(input, output, workspace, weights)
 */
#ifndef BACKEND_EMIT_H
#define BACKEND_EMIT_H
#include "affine.h"
#include "ir.h"
#include "target.h"
#include "tile_plan.h"
#include <llvm-c/Core.h>

enum { MAX_DEPTH = 64, MAX_LOCALS = 256, MAX_LANES = 64, ALIGNMENT = 64 };

/* ---- constants.c ----------------------------------------------------------------------------- */

/* The contents of the weights buffers; equal contents are stored once: as globals of the object, or
 * outside of it, in a file. LLVM never sees large ones: it leaves zeros in the object, and
 * constants_fill puts the contents there. */
struct constants {
    const struct module *module;         /* whose buffers are asked for */
    const struct parameters *parameters; /* NULL: declare the buffers, leave the contents out */
    LLVMModuleRef out;
    struct backend_file *outside; /* NULL: in the object */
    size_t outside_room;
    int count, room;
    struct constant {
        const struct module *module; /* which has the buffer */
        const struct buffer *buffer;
        LLVMValueRef global; /* NULL: outside */
        int64_t offset;      /* in the weights outside */
        uint64_t hash;
        size_t size;
        bool stored; /* none before it is the same */
    } * entry;
    int64_t bytes; /* stored */
};

/* Where a weights buffer is; NULL with a reason. Until the next call. */
const struct constant *constants_find(struct constants *constants, const struct buffer *buffer,
                                      struct error *error);
/* Puts large contents into the finished object, while the module is there. False, with a reason:
 * the file that they come from has changed. */
bool constants_fill(const struct constants *constants, char *object, struct error *error);
void constants_free(struct constants *constants);

/* ---- outside.c ------------------------------------------------------------------------------- */

/* The file that holds an object's weights: its head is begun, contents are added, then it is
 * finished, and the object knows its hash. */
void outside_begin(struct constants *constants);
int64_t outside_add(struct constants *constants, const void *data, size_t size);
const void *outside_at(const struct constants *constants, int64_t offset);
void outside_end(struct constants *constants);
/* Its head, once it is finished; NULL: the weights are in the object. */
const struct weights_head *outside_head(const struct constants *constants);

/* ---- constants.c ----------------------------------------------------------------------------- */

/* What a weights buffer holds, in elements of its type; free() it. NULL: module_check_constants
 * says why. */
void *constants_contents(const struct module *module, const struct parameters *parameters,
                         const struct buffer *buffer);

/* ---- emit.c ---------------------------------------------------------------------------------- */

/* The value of a loop variable: known while an unrolled body is written out. */
struct binding {
    const struct var *var;
    bool known;
    int64_t constant;
    LLVMValueRef value;
};

/* The variable of a matrix loop in one thread: as an index made of group and place in the warp, and
 * which of the thread's own elements it is. */
struct part {
    const struct var *var;
    const struct affine *as;
    int64_t number;
};

/* A buffer of the kernel: where it begins, and what LLVM may assume of its accesses. */
struct base {
    const struct buffer *buffer;
    LLVMValueRef pointer;
    LLVMValueRef scope, not_scopes; /* metadata; NULL for registers and constants */
    bool only_read;                 /* by this kernel; others may write it */
    int64_t alignment;              /* bytes */
};

/* Factors that are in registers of tiles: of buffers from these elements on. Valid until memory
 * changes, or another block of LLVM's begins. */
struct factors {
    LLVMBasicBlockRef block; /* NULL: none are */
    const struct tile_group *group;
    int next[TILE_ROLES]; /* of a group's registers for a factor: which is loaded next */
    struct factor {
        const struct buffer *buffer;
        const struct affine *origin;
    } at[TILE_REGISTERS];
};

struct emitter {
    const struct module *module;
    const struct kernel *kernel;
    const struct target *target;
    struct constants *constants;
    LLVMContextRef context;
    LLVMModuleRef out;
    LLVMBuilderRef builder;
    LLVMTypeRef f32, i8, i16, i32, i64, ptr;
    LLVMTypeRef index; /* of index arithmetic: i32 on a GPU where that is enough, else i64 */
    LLVMValueRef function;
    struct arena *arena; /* of index arithmetic, for one kernel */
    struct binding binding[MAX_DEPTH];
    int depth;
    const struct var *vector; /* NULL outside vector loops */
    int lanes;
    bool pairs; /* loads are of two neighbours of type bf16 for each lane, as the bits of a float */
    struct tile_plan *tiles; /* NULL: the kernel has none; tiles.c */
    struct factors factors;
    const struct var *thread; /* of the thread or warp loop around; NULL: none */
    struct part part[2];      /* of matrix loops; matrix.c */
    int parts;
    struct var lane_var[2], *group, *place; /* of a thread in its warp */
    bool copies;     /* the kernel has async stores that go on by themselves */
    int64_t threads; /* of a block */
    struct base base[MAX_LOCALS];
    int bases;
    struct error *error; /* of the first failure */
    bool failed;
};

/* A scalar, the same for all lanes, or a vector of emitter->lanes. */
struct value {
    LLVMValueRef llvm;
    bool wide;
};

/* Emits a kernel for a target as a function of that name: internal, or a GPU's kernel. */
bool emit_kernel(struct emitter *emitter, const struct kernel *kernel, const char *name);

/* The parallel loop that is the whole body of a kernel, or NULL. */
const struct stmt *kernel_parallel(const struct kernel *kernel);

/* Attributes that let a function use a target's instructions in a precision, a precision_kind;
 * NULL: any x86-64's. */
void emit_attributes(LLVMContextRef context, LLVMValueRef function, const struct target *target,
                     int precision);

/* The loops and statements of a body. */
void emit_body(struct emitter *emitter, const struct stmt *body);

/* Around the body of a loop: a variable of this value. */
void emit_enter(struct emitter *emitter, const struct var *var, LLVMValueRef value);
void emit_leave(struct emitter *emitter);

void emit_fail(struct emitter *emitter, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- device.c -------------------------------------------------------------------------------- */

enum address_space { SPACE_GLOBAL = 1, SPACE_SHARED = 3 };

/* Calls the first of these intrinsics that LLVM has; the list ends with NULL. */
LLVMValueRef device_call(struct emitter *emitter, const char *const *names, LLVMValueRef *argument);
/* A GPU's kernel, its loops over blocks and threads (or warps), its barriers. */
void device_begin(struct emitter *emitter, const char *name);
void device_block(struct emitter *emitter, const struct stmt *loop);
void device_thread(struct emitter *emitter, const struct stmt *loop);
void device_barrier(struct emitter *emitter); /* copies are complete after it */
LLVMValueRef device_shared(struct emitter *emitter);
/* A store outside of thread loops: one thread's, but to registers, which every thread has. */
void device_store(struct emitter *emitter, const struct stmt *store);

/* ---- matrix.c -------------------------------------------------------------------------------- */

/* The body of a warp loop, where `thread` is the number of the thread in its block. */
void matrix_warp(struct emitter *emitter, const struct stmt *loop, LLVMValueRef thread);
/* Two matrix loops around stores, or three around a product. */
void matrix_loops(struct emitter *emitter, const struct stmt *rows);

/* ---- pairs.c --------------------------------------------------------------------------------- */

/* sum = fma(a, b, sum) in a vector loop, for this and the next value of the matrix loop around it,
 * which a processor's unit for bf16 adds at once. */
void pairs_add(struct emitter *emitter, const struct stmt *store);
/* Nearest bf16 of floats, as a float, by that unit's instruction. */
LLVMValueRef pairs_round(struct emitter *emitter, LLVMValueRef x);

/* ---- halves.c -------------------------------------------------------------------------------- */

/* Whether the target rounds floats to bf16 by an instruction of a GPU. */
bool halves_have(const struct emitter *emitter);
/* Two floats, rounded to the halves of an i32. */
LLVMValueRef halves_join(struct emitter *emitter, LLVMValueRef low, LLVMValueRef high);
/* Floats, rounded, as floats. */
LLVMValueRef halves_round(struct emitter *emitter, LLVMValueRef x);
/* The type of as many halves as `type` has floats, in words of two; NULL: not a vector of an even
 * number, or not that target. */
LLVMTypeRef halves_words(const struct emitter *emitter, LLVMTypeRef type);
/* Floats of a vector `type` from such words. */
LLVMValueRef halves_widen(struct emitter *emitter, LLVMTypeRef type, LLVMValueRef words);
/* Floats, rounded, as such words, or one as an i16. NULL: a vector of an odd number. */
LLVMValueRef halves_narrow(struct emitter *emitter, LLVMValueRef x);

/* ---- tiles.c --------------------------------------------------------------------------------- */

/* Around a kernel's code: sets up the registers of tiles, and gives them back. */
void tiles_begin(struct emitter *emitter);
void tiles_end(struct emitter *emitter);
/* Loops over rows and columns of a tile: around a move, or the loop over the terms of a product. */
void tiles_loops(struct emitter *emitter, const struct stmt *rows);
/* Whether a registers buffer is one of tiles. */
bool tiles_have(const struct emitter *emitter, const struct buffer *buffer);

/* ---- alike.c --------------------------------------------------------------------------------- */

/* A GPU's kernel as it is started: the function of `code`, which may be another kernel's, with
 * workspace and weights that many bytes further on. */
struct instance {
    const struct kernel *kernel, *code;
    int64_t workspace, weights;
};

/* The kernels of a target, in their order. */
struct instances {
    int count;
    struct instance *at; /* free() it */
};
struct instances gpu_instances(const struct module *module, const struct target *target);

/* ---- embed.c --------------------------------------------------------------------------------- */

enum { DEVICE_ALIGNMENT = 256 }; /* of workspace and weights in a GPU's memory */

/* An array of *count san_gpu for NAME_model: the module's GPUs, the weakest first, with their
 * kernels and weights; PTX, and after it what ptxas made of it, where that is given by target. NULL
 * where the module has no GPU (*count is 0), or with a reason. */
LLVMValueRef embed_gpus(const struct module *module, const struct parameters *parameters,
                        const struct backend_file *cubins, LLVMModuleRef out, uint32_t *count,
                        struct error *error);

/* ---- bases.c --------------------------------------------------------------------------------- */

/* Finds where every buffer of the kernel begins; at the start of its function. */
void emit_bases(struct emitter *emitter);
const struct base *base_find(struct emitter *emitter, const struct buffer *buffer);

/* ---- access.c -------------------------------------------------------------------------------- */

struct value emit_load(struct emitter *emitter, const struct buffer *buffer,
                       const struct affine *const *index);
void emit_store(struct emitter *emitter, const struct buffer *buffer,
                const struct affine *const *index, struct value value);
/* What to compute for a store: where the store itself rounds, the value before it is rounded. */
const struct expr *access_stored(const struct emitter *emitter, const struct stmt *store);
/* A copy to shared memory that goes on while the thread does (a GPU from sm_80 on). */
void emit_copy(struct emitter *emitter, const struct stmt *store);
/* Asks for the cache line of a load's element, into L2. */
void emit_prefetch(struct emitter *emitter, const struct expr *load);
LLVMValueRef emit_splat(struct emitter *emitter, struct value value);
/* Floats of `type` whose upper halves these are (vpmovzxwd, vpslld). */
LLVMValueRef access_widen(struct emitter *emitter, LLVMTypeRef type, LLVMValueRef halves);

/* ---- scalar.c -------------------------------------------------------------------------------- */

struct value emit_expr(struct emitter *emitter, const struct expr *expr);

/* ---- dispatch.c ------------------------------------------------------------------------------ */

struct backend_file;

/* An object for the batch of `module` and the smaller ones. */
struct plan {
    const struct module *module;
    int units;                                /* modules with code of their own: */
    const struct module *unit[MAX_BATCHES];   /* each for another number of images, most first */
    int targets;                              /* the x86 targets, or a single target of any kind */
    const struct target *target[MAX_TARGETS]; /* the strongest last */
    const uint8_t *weights_sha256;
    bool unwind_tables;
    bool outside;                      /* the weights are in a file */
    const struct backend_file *cubins; /* by target of the module; NULL: none */
};

/* The units of a plan, of its module and the smaller ones. */
void plan_units(struct plan *plan);

/* NAME_run and what it calls, as LLVM's text; free() it. Kernels are declared by their names. Empty
 * where there are no targets. */
char *dispatch_text(const struct plan *plan);

/* What a profile counts: kernels of one name, made for several targets, share a number. */
struct kernel_names {
    int count;
    const char **name; /* free() it */
};
struct kernel_names kernel_names(const struct plan *plan);
char *kernel_symbol(const struct module *module, const struct kernel *kernel,
                    const struct target *target); /* free() it */
bool kernel_is_for(const struct kernel *kernel, const struct target *target);
/* Bytes of the largest unit, with every worker's scratch. Where no unit takes single images, there
 * is also room for the images and the results of a rest. */
int64_t workspace_total(const struct module *module);

/* ---- header.c -------------------------------------------------------------------------------- */

/* A symbol that names a hash of the header's text: the object defines it, the header refers to it.
 */
void header_fingerprint(const struct module *module, bool outside, char symbol[128]);

/* ---- model.c --------------------------------------------------------------------------------- */

/* Defines NAME_model, after kernels and constants. False, with a reason: the code for a GPU cannot
 * be made. */
bool model_define(const struct plan *plan, const struct constants *constants, LLVMModuleRef out,
                  struct error *error);

#endif
