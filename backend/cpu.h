/* What a processor has to offer before a target's code may run: the same list for the feature
 * string, for this machine's check and for the check that every object makes. */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H
#include "target.h"

enum cpu_level { CPU_AVX2, CPU_AVX512, CPU_LEVELS };

/* Masks of CPUID leaf 1 ECX, leaf 7 EBX and of XCR0. */
struct cpu_need {
    uint32_t leaf1_ecx, leaf7_ebx, xcr0;
};

enum cpu_level target_level(const struct target *target);
struct cpu_need cpu_need(enum cpu_level level);

/* LLVM's name of this machine's processor, in memory of its own. */
const char *cpu_host_name(void);

/* LLVM's major version. */
int llvm_major(void);

#endif
