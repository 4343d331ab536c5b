/* Tables made from targets.def, and what this machine is. Which instructions may be used, the
 * feature string always says, so that the object's own check covers whatever LLVM may emit. A
 * processor's own row serves predictions; its code is that of its level. */
#define _DEFAULT_SOURCE /* syscall */
#include "target.h"
#include "cpu.h"
#include "ir.h"
#include "nearest.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined __x86_64__
#include <cpuid.h>
#endif

enum { LEAF1_ECX, LEAF7_EBX, LEAF7_EDX, LEAF7_1_EAX };
enum { OSXSAVE = 27, XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6 };
enum { VENDOR_AMD = 0x444d4163 /* the end of AuthenticAMD */ };

static const struct feature {
    const char *name;
    enum cpu_level level; /* from which on it is needed */
    int word, bit;
} feature_table[] = {
    {"osxsave", CPU_AVX2, LEAF1_ECX, OSXSAVE},
#define FEATURE(level, name, word, bit) {name, CPU_##level, word, bit},
#include "targets.def"
};
enum { FEATURES = sizeof feature_table / sizeof *feature_table };

/* LLVM's feature strings, each after a comma. */
#define FEATURE_AVX2(name) ",+" name
#define FEATURE_AVX512(name)
#define FEATURE_BF16(name)
#define FEATURE_AMX(name)
#define FEATURE(level, name, word, bit) FEATURE_##level(name)
static const char avx2_features[] =
#include "targets.def"
    ;
#undef FEATURE_AVX512
#define FEATURE_AVX512(name) ",+" name
#define FEATURE(level, name, word, bit) FEATURE_##level(name)
static const char avx512_features[] =
#include "targets.def"
    ;
#undef FEATURE_BF16
#define FEATURE_BF16(name) ",+" name
#define FEATURE(level, name, word, bit) FEATURE_##level(name)
static const char bf16_features[] =
#include "targets.def"
    ;
#undef FEATURE_AMX
#define FEATURE_AMX(name) ",+" name
#define FEATURE(level, name, word, bit) FEATURE_##level(name)
static const char amx_features[] =
#include "targets.def"
    ;

#define PAIR(narrow, wide)                                                                         \
    {                                                                                              \
        narrow, wide                                                                               \
    }
#define CORE(name, vector, load, store, divide, issue, l2, memory, begin)                          \
    static const struct core core_##name = {                                                       \
        #name, PAIR vector, PAIR load, PAIR store, PAIR divide, issue, l2, memory, begin};
#include "targets.def"

#define KIB *1024LL
#define LEVEL_AVX2 .features = avx2_features + 1, .lanes = 8, .registers = 16
#define LEVEL_AVX512 .features = avx512_features + 1, .lanes = 16, .registers = 32
#define LEVEL_BF16 .features = bf16_features + 1, .lanes = 16, .registers = 32, .pairs = true
#define LEVEL_AMX .features = amx_features + 1, .lanes = 16, .registers = 32, .amx = true
#define LEVEL(level, own_name, cpu_name, symbol_name, core_name, fma, latency, l1, l2)             \
    {.name = own_name,                                                                             \
     .cpu = cpu_name,                                                                              \
     .symbol = symbol_name,                                                                        \
     LEVEL_##level,                                                                                \
     .fma_per_cycle = fma,                                                                         \
     .fma_latency = latency,                                                                       \
     .l1_bytes = l1 KIB,                                                                           \
     .l2_bytes = l2 KIB,                                                                           \
     .core = &core_##core_name},
static const struct target target_table[] = {
#include "targets.def"
};
enum { TARGETS = sizeof target_table / sizeof *target_table };

#define GPU(sm, alone, version, llvm, block, all, processors, blocks, warps, fmas)                 \
    {.name = "nvptx:sm_" #sm alone,                                                                \
     .cpu = "sm_" #sm alone,                                                                       \
     .symbol = "sm_" #sm alone,                                                                    \
     .features = "+ptx" #version,                                                                  \
     .lanes = 4,                                                                                   \
     .registers = 32,                                                                              \
     .gpu = &(const struct gpu){sm, sizeof alone > 1, version, llvm, block KIB, all KIB,           \
                                processors, blocks, warps, fmas}},
static const struct target gpu_table[] = {
#include "targets.def"
};
enum { GPUS = sizeof gpu_table / sizeof *gpu_table };

enum cpu_level target_level(const struct target *target)
{
    return target->amx         ? CPU_AMX
           : target->pairs     ? CPU_BF16
           : target->lanes > 8 ? CPU_AVX512
                               : CPU_AVX2;
}

/* The row of a processor, or NULL. */
static const struct target *target_row(const char *name)
{
    for (int i = 0; i < TARGETS; i++)
        if (!strcmp(target_table[i].name, name))
            return &target_table[i];
    return NULL;
}

static const struct target *level_row(enum cpu_level level)
{
    static const char *const name[CPU_LEVELS] = {"x86-64-v3", "x86-64-v4", "x86-64-v4+bf16",
                                                 "x86-64-v4+amx"};
    return target_row(name[level]);
}

static uint32_t *word_of(struct cpu_need *need, const struct feature *f)
{
    return f->word == LEAF1_ECX   ? &need->leaf1_ecx
           : f->word == LEAF7_EBX ? &need->leaf7_ebx
           : f->word == LEAF7_EDX ? &need->leaf7_edx
                                  : &need->leaf7_1_eax;
}

/* The level whose instructions code in a precision has. */
static enum cpu_level level_in(const struct target *target, int precision)
{
    enum cpu_level level = target_level(target);
    return level > CPU_AVX512 && precision != precision_kind_bf16 ? CPU_AVX512 : level;
}

const struct target *target_level_of(const struct target *target, int precision)
{
    return target->gpu ? target : level_row(level_in(target, precision));
}

const char *cpu_features(const struct target *target, int precision)
{
    return target_level_of(target, precision)->features;
}

struct cpu_need cpu_need(const struct target *target, int precision)
{
    enum cpu_level level = level_in(target, precision);
    struct cpu_need need = {.xcr0 = level == CPU_AVX2 ? XCR0_AVX : XCR0_AVX512};
    if (level == CPU_AMX)
        need.xcr0 |= XCR0_TILES;
    for (int i = 0; i < FEATURES; i++)
        if (feature_table[i].level <= level)
            *word_of(&need, &feature_table[i]) |= 1u << feature_table[i].bit;
    if (level == CPU_BF16 && target == level_row(level)) /* not for a processor by its name */
        need.leaf0_ecx = VENDOR_AMD;
    return need;
}

/* What this machine has, as masks like those of a need. */
static struct cpu_need cpu_read(void)
{
    struct cpu_need has = {0};
#if defined __x86_64__
    unsigned a, b, c, d, high;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return has;
    has.leaf1_ecx = c;
    if (has.leaf1_ecx >> OSXSAVE & 1)
        __asm__("xgetbv" : "=a"(has.xcr0), "=d"(high) : "c"(0));
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        has.leaf7_ebx = b, has.leaf7_edx = d;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d))
        has.leaf7_1_eax = a;
    if (__get_cpuid(0, &a, &b, &c, &d))
        has.leaf0_ecx = c;
#endif
    return has;
}

static void append(char *text, size_t size, const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
}

bool cpu_may_use_tiles(void)
{
#if defined __x86_64__
    return syscall(SYS_ARCH_PRCTL, REQUEST_REGISTERS, REGISTERS_TILES) == 0;
#else
    return false;
#endif
}

/* What the operating system does not save of the registers that a target needs, or NULL. */
static const char *missing_registers(const struct cpu_need *need, const struct cpu_need *has)
{
    uint32_t missing = need->xcr0 & ~has->xcr0;
    if (missing & XCR0_AVX)
        return "registers of AVX saved by the operating system";
    if (missing & XCR0_AVX512)
        return "registers of AVX-512 saved by the operating system";
    if (missing)
        return "registers of AMX saved by the operating system";
    if (need->xcr0 & XCR0_TILES && !cpu_may_use_tiles())
        return "the operating system's permission to use AMX";
    return NULL;
}

/* The names of what is missing for a target, "" if nothing is. */
static void missing_features(const struct target *target, int precision, char *names, size_t size)
{
    enum cpu_level level = level_in(target, precision);
    struct cpu_need has = cpu_read(), need = cpu_need(target, precision);
    names[0] = 0;
    for (int i = 0; i < FEATURES; i++) {
        const struct feature *f = &feature_table[i];
        if (f->level <= level && !(*word_of(&has, f) >> f->bit & 1))
            append(names, size, f->name);
    }
    const char *registers = names[0] ? NULL : missing_registers(&need, &has);
    if (registers)
        append(names, size, registers);
    if (need.leaf0_ecx && has.leaf0_ecx != need.leaf0_ecx)
        append(names, size, "a processor of AMD's");
}

bool target_runs_here(const struct target *target, int precision, struct error *error)
{
    char names[256];
    if (target->gpu) {
        error_set(error, "%s is for a GPU, not for the processor", target->name);
        return false;
    }
    missing_features(target, precision, names, sizeof names);
    if (!names[0])
        return true;
    error_set(error, "this machine lacks what %s needs: %s", target->name, names);
    return false;
}

static int64_t cache_bytes(int name, int64_t assumed)
{
    long bytes = sysconf(name);
    return bytes > 0 ? bytes : assumed;
}

static void measure_caches(struct target *target)
{
#ifdef _SC_LEVEL1_DCACHE_SIZE
    target->l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, target->l1_bytes);
    target->l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, target->l2_bytes);
#else
    (void)target;
#endif
}

static struct target native;
static pthread_once_t native_once = PTHREAD_ONCE_INIT;

/* Uses the instructions that this machine has, whatever its processor's name promises. */
static void native_init(void)
{
    char names[256] = "?";
    const struct target *row = target_row(cpu_host_name()), *most = NULL;
    for (int i = CPU_LEVELS; i-- > 0 && names[0];)
        missing_features(most = level_row((enum cpu_level)i), precision_kind_bf16, names,
                         sizeof names);
    if (row)
        missing_features(row, precision_kind_bf16, names, sizeof names);
    native = row && !names[0] && target_level(row) >= target_level(most) ? *row : *most;
    native.cpu = cpu_host_name();
    native.name = "native";
    native.symbol = "native";
    measure_caches(&native);
}

static const struct target *target_native(struct error *error)
{
    char names[256];
    missing_features(target_row("x86-64-v3"), precision_kind_f32, names, sizeof names);
    if (names[0]) {
        error_set(error, "this machine lacks what every target needs: %s", names);
        return NULL;
    }
    pthread_once(&native_once, native_init);
    return &native;
}

/* The processor by its name, even where only some of its instructions are used. */
struct target target_on_this_machine(const struct target *target)
{
    struct target here = *target;
    const struct target *row = target_row(cpu_host_name());
    if (row) {
        here.core = row->core;
        here.fma_latency = row->fma_latency;
        if (row->lanes == target->lanes)
            here.fma_per_cycle = row->fma_per_cycle;
    }
    measure_caches(&here);
    return here;
}

bool target_is_gpu(const char *name)
{
    static const char prefix[] = "nvptx:";
    return !strncmp(name, prefix, sizeof prefix - 1);
}

int64_t gpu_blocks_in_shared(const struct gpu *gpu, int64_t bytes)
{
    const int64_t reserved = 1024;
    return bytes ? gpu->shared_all / (bytes + reserved) : INT64_MAX;
}

/* For tf32 and bf16: from sm_80 on. */
bool target_has_matrix_units(const struct target *target)
{
    return target->gpu && target->gpu->capability >= 80;
}

static const struct target *target_gpu(const char *name, struct error *error)
{
    for (int i = 0; i < GPUS; i++)
        if (!strcmp(gpu_table[i].name, name) && gpu_table[i].gpu->llvm <= llvm_major())
            return &gpu_table[i];
    struct nearest nearest = {.word = name};
    char hint[NEAREST_TEXT];
    for (int i = 0; i < GPUS; i++)
        if (gpu_table[i].gpu->llvm <= llvm_major())
            nearest_try(&nearest, gpu_table[i].name);
    char allowed[512] = "";
    for (int i = 0; i < GPUS; i++)
        if (gpu_table[i].gpu->llvm <= llvm_major())
            snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), " %s",
                     gpu_table[i].cpu);
    error_set(error, "no target \"%.64s\"%s: with this LLVM, %d, allowed are%s", name,
              nearest_hint(&nearest, hint), llvm_major(), allowed);
    return NULL;
}

const struct target *target_find(const char *name, struct error *error)
{
    if (!strcmp(name, "native"))
        return target_native(error);
    if (target_is_gpu(name))
        return target_gpu(name, error);
    const struct target *row = target_row(name);
    if (row)
        return row;
    struct nearest nearest = {.word = name};
    char hint[NEAREST_TEXT];
    for (int i = 0; i < TARGETS; i++)
        nearest_try(&nearest, target_table[i].name);
    error_set(error,
              "no target \"%.64s\"%s: allowed are native, x86-64-v3, x86-64-v4, x86-64-v4+bf16, "
              "x86-64-v4+amx, LLVM's names of processors with AVX2 and FMA (haswell, "
              "skylake-avx512, znver4, ...) and nvptx:sm_80 and the like",
              name, nearest_hint(&nearest, hint));
    return NULL;
}
