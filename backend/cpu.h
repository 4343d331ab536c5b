/* What a processor has to offer before a target's code may run: the same list for the feature
 * string, for this machine's check and for the check that every object makes. */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H
#include "target.h"

enum cpu_level { CPU_AVX2, CPU_AVX512, CPU_BF16, CPU_AMX, CPU_LEVELS };

/* Masks of CPUID's leaf 1 ECX, leaf 7 EBX and EDX, leaf 7.1 EAX and of XCR0; what leaf 0 has in
 * ECX, 0: any vendor. Where XCR0 needs XCR0_TILES, Linux has to be asked for them, too: see
 * cpu_may_use_tiles. */
struct cpu_need {
    uint32_t leaf1_ecx, leaf7_ebx, leaf7_edx, leaf7_1_eax, xcr0, leaf0_ecx;
};
enum { XCR0_TILES = 0x60000 };

enum cpu_level target_level(const struct target *target);
/* Units for bf16 count only in that precision, a precision_kind. */
struct cpu_need cpu_need(const struct target *target, int precision);
/* The same as LLVM's feature string, "+avx2,+fma,..."; never empty. */
const char *cpu_features(const struct target *target, int precision);

/* Whether this process may use the registers of tiles; asks for them. */
bool cpu_may_use_tiles(void);
/* The system call that asks: its number, what is asked for, and which registers. */
enum { SYS_ARCH_PRCTL = 158, REQUEST_REGISTERS = 0x1023, REGISTERS_TILES = 18 };

/* LLVM's name of this machine's processor, in memory of its own. */
const char *cpu_host_name(void);

/* LLVM's major version. */
int llvm_major(void);

#endif
