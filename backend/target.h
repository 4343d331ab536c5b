/* Targets: what schedules are chosen by. No LLVM in here. */
#ifndef BACKEND_TARGET_H
#define BACKEND_TARGET_H
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a core does per cycle, for vectors of 256 [0] and of 512 bits [1], 0 where it has none:
 * cycles are predicted by it. Sustained rates, as programs get them. */
struct core {
    const char *name;
    double vector[2]; /* vector operations of any kind; FMAs: fma_per_cycle of the target */
    double load[2], store[2];
    double divide[2];    /* cycles of a division, a vector */
    double issue;        /* instructions of any kind */
    double l2_bytes;     /* from L2 to L1 */
    double memory_bytes; /* from beyond L2, as streams of weights get */
    double begin; /* cycles to begin and end an inner loop: a pipeline fills, a branch is missed */
};

/* What schedules need to know of a GPU. */
struct gpu {
    unsigned capability;              /* compute capability, 80 for 8.0 */
    bool exact;                       /* code for that one alone, not for later ones */
    int ptx;                          /* the lowest version of PTX that has it, 70 for 7.0 */
    int llvm;                         /* the first major version of LLVM that has it */
    int64_t shared_bytes, shared_all; /* of a block at most; of a multiprocessor */
    int processors;                   /* multiprocessors */
    int blocks, warps;                /* that a multiprocessor holds at most */
    int fmas;                         /* multiply-adds of one in a cycle */
};

struct target {
    const char *name;     /* as on the command line: "x86-64-v3", "x86-64-v4", an LLVM CPU name */
    const char *cpu;      /* LLVM's CPU name */
    const char *features; /* LLVM's feature string, "+avx2,...", with units for bf16; never empty */
    const char *symbol;   /* the name in a C symbol: "avx2" for x86-64-v3, "avx512" for v4, ... */
    int lanes;            /* float32 lanes of a vector register */
    int registers;        /* vector registers */
    int fma_per_cycle;    /* vector FMAs started per cycle */
    int fma_latency;      /* cycles */
    bool pairs;           /* a unit adds PAIR products of bf16 to each lane: vdpbf16ps */
    bool amx;             /* AMX, which multiplies tiles of bf16 */
    int64_t l1_bytes, l2_bytes; /* data caches of a core */
    const struct core *core;    /* NULL: a GPU */
    const struct gpu *gpu;      /* NULL: an x86; else lanes are a load's, caches and FMAs 0 */
};

/* The target of that name ("native" is this machine), owned by the library; NULL with a reason: not
 * known, without AVX2 and FMA, or a GPU that this LLVM does not know. */
const struct target *target_find(const char *name, struct error *error);

/* This machine's core as it runs code that was made for a target: measured times are compared with
 * its predictions. Only for a target that runs here. */
struct target target_on_this_machine(const struct target *target);

/* The level that has the instructions of a processor in a precision (a precision_kind): units for
 * bf16 count only in that one. A GPU itself. */
const struct target *target_level_of(const struct target *target, int precision);

bool target_is_gpu(const char *name); /* of a target's name */
bool target_has_matrix_units(const struct target *target);
/* Blocks for which a multiprocessor's shared memory suffices, each of so many bytes and those that
 * the system takes for itself; INT64_MAX where they need none. */
int64_t gpu_blocks_in_shared(const struct gpu *gpu, int64_t bytes);

/* Whether this machine's processor runs code for the target in a precision (a precision_kind); if
 * not, the error names what it lacks. For GPUs see san/cuda.h. */
bool target_runs_here(const struct target *target, int precision, struct error *error);

#endif
