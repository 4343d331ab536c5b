/* What a processor has to offer before a target's code may run: the same list for the feature
 * string, for this machine's check and for the check that every object makes. */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H
#include "target.h"

enum cpu_level { CPU_AVX2, CPU_AVX512, CPU_BF16, CPU_LEVELS };

/* Masks of CPUID's leaf 1 ECX, leaf 7 EBX, leaf 7.1 EAX and of XCR0; what leaf 0 has in ECX, 0: any
 * vendor. */
struct cpu_need {
    uint32_t leaf1_ecx, leaf7_ebx, leaf7_1_eax, xcr0, leaf0_ecx;
};

enum cpu_level target_level(const struct target *target);
struct cpu_need cpu_need(const struct target *target);

/* LLVM's name of this machine's processor, in memory of its own. */
const char *cpu_host_name(void);

/* LLVM's major version. */
int llvm_major(void);

#endif
