/* The processors and GPUs that schedules can be made for. LLVM's name of a processor says only how its
 * instructions are scheduled: which of them exist is always said by the feature string, so that the
 * object's own check covers whatever LLVM may emit. */
#include "target.h"
#include "cpu.h"
#include "nearest.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined __x86_64__
#include <cpuid.h>
#endif

#define AVX2_FEATURES "+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+fma,+bmi,+bmi2"
#define AVX512_FEATURES AVX2_FEATURES ",+avx512f,+avx512bw,+avx512dq,+avx512vl"

enum { LEAF1_ECX, LEAF7_EBX };
enum { OSXSAVE = 27, XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6 };

static const struct feature {
    const char *name;
    enum cpu_level level; /* from which on it is needed */
    int word, bit;
} feature_table[] = {
    {"sse3", CPU_AVX2, LEAF1_ECX, 0},          {"ssse3", CPU_AVX2, LEAF1_ECX, 9},
    {"sse4.1", CPU_AVX2, LEAF1_ECX, 19},       {"sse4.2", CPU_AVX2, LEAF1_ECX, 20},
    {"osxsave", CPU_AVX2, LEAF1_ECX, OSXSAVE}, {"avx", CPU_AVX2, LEAF1_ECX, 28},
    {"avx2", CPU_AVX2, LEAF7_EBX, 5},          {"fma", CPU_AVX2, LEAF1_ECX, 12},
    {"bmi", CPU_AVX2, LEAF7_EBX, 3},           {"bmi2", CPU_AVX2, LEAF7_EBX, 8},
    {"avx512f", CPU_AVX512, LEAF7_EBX, 16},    {"avx512bw", CPU_AVX512, LEAF7_EBX, 30},
    {"avx512dq", CPU_AVX512, LEAF7_EBX, 17},   {"avx512vl", CPU_AVX512, LEAF7_EBX, 31},
};
enum { FEATURES = sizeof feature_table / sizeof *feature_table };

/* Families of cores: what they have in common. `any` stands for whatever has AVX2 or AVX-512. Ports
 * and divisions as makers' guides and uops.info have them; the last three columns of golden_cove were
 * fitted to measured kernels (`sanc bench --kernels`), those of the others are estimates beside it. */
static const struct core core_table[] = {
    /* name, vector, load, store, divide, issue, L2, memory, begin */
    {"any", {3, 2}, {2, 2}, {1, 1}, {5, 10}, 4, 32, 6, 6},
    {"haswell", {3, 0}, {2, 0}, {1, 0}, {10, 0}, 4, 32, 6, 6},
    {"skylake", {3, 2}, {2, 2}, {1, 1}, {5, 10}, 4, 40, 5, 6},
    {"sunny_cove", {3, 2}, {2, 2}, {2, 1}, {5, 10}, 5, 40, 5, 6},
    {"golden_cove", {3, 2}, {3, 2}, {2, 1}, {5, 10}, 6, 40, 5, 6},
    {"atom", {2, 0}, {2, 0}, {2, 0}, {10, 0}, 5, 32, 6, 6},
    {"knl", {2, 0}, {2, 0}, {1, 0}, {16, 0}, 2, 16, 3, 12},
    {"zen", {4, 0}, {2, 0}, {1, 0}, {5, 0}, 5, 28, 6, 6},
    {"zen3", {4, 0}, {3, 0}, {2, 0}, {5, 0}, 6, 28, 8, 6},
    {"zen4", {4, 2}, {3, 1}, {2, 0.5}, {5, 10}, 6, 28, 8, 6},
    {"zen5", {4, 4}, {4, 2}, {2, 1}, {5, 10}, 8, 56, 10, 6},
};
enum { ANY, HASWELL, SKYLAKE, SUNNY_COVE, GOLDEN_COVE, ATOM, KNL, ZEN, ZEN3, ZEN4, ZEN5 };

#define KIB *1024LL
#define AVX2(cpu, symbol, core, fma, latency, l1, l2)                                              \
    {                                                                                              \
        cpu, cpu, AVX2_FEATURES, symbol, 8, 16, fma, latency, l1 KIB, l2 KIB, &core_table[core],   \
            NULL                                                                                   \
    }
#define AVX512(cpu, symbol, core, fma, latency, l1, l2)                                            \
    {                                                                                              \
        cpu, cpu, AVX512_FEATURES, symbol, 16, 32, fma, latency, l1 KIB, l2 KIB,                   \
            &core_table[core], NULL                                                                \
    }

/* Processor, symbol, core, vector FMAs per cycle, their latency, L1 and L2 in KiB. The first two stand
 * for whatever has their instructions, so they assume small caches. Others as their makers'
 * optimisation guides have them; Xeon Phi lacks avx512bw and counts as AVX2. */
static const struct target target_table[] = {
    AVX2("x86-64-v3", "avx2", ANY, 2, 4, 32, 512),
    AVX512("x86-64-v4", "avx512", ANY, 2, 4, 32, 512),
    AVX2("haswell", "haswell", HASWELL, 2, 5, 32, 256),
    AVX2("core-avx2", "core_avx2", HASWELL, 2, 5, 32, 256),
    AVX2("broadwell", "broadwell", HASWELL, 2, 5, 32, 256),
    AVX2("skylake", "skylake", SKYLAKE, 2, 4, 32, 256),
    AVX2("bdver4", "bdver4", HASWELL, 1, 5, 16, 1024),
    AVX2("znver1", "znver1", ZEN, 1, 5, 32, 512),
    AVX2("znver2", "znver2", ZEN, 2, 5, 32, 512),
    AVX2("znver3", "znver3", ZEN3, 2, 4, 32, 512),
    AVX2("knl", "knl", KNL, 2, 6, 32, 512),
    AVX2("knm", "knm", KNL, 2, 6, 32, 512),
    AVX2("alderlake", "alderlake", GOLDEN_COVE, 2, 4, 48, 1280),
    AVX2("raptorlake", "raptorlake", GOLDEN_COVE, 2, 4, 48, 2048),
    AVX2("meteorlake", "meteorlake", GOLDEN_COVE, 2, 4, 48, 2048),
    AVX2("arrowlake", "arrowlake", GOLDEN_COVE, 2, 4, 48, 3072),
    AVX2("arrowlake-s", "arrowlake_s", GOLDEN_COVE, 2, 4, 48, 3072),
    AVX2("lunarlake", "lunarlake", GOLDEN_COVE, 2, 4, 48, 2560),
    AVX2("pantherlake", "pantherlake", GOLDEN_COVE, 2, 4, 48, 3072),
    AVX2("gracemont", "gracemont", ATOM, 1, 6, 32, 512),
    AVX2("sierraforest", "sierraforest", ATOM, 1, 6, 32, 1024),
    AVX2("grandridge", "grandridge", ATOM, 1, 6, 32, 1024),
    AVX2("clearwaterforest", "clearwaterforest", ATOM, 2, 4, 32, 1024),
    AVX512("skylake-avx512", "skylake_avx512", SKYLAKE, 2, 4, 32, 1024),
    AVX512("skx", "skx", SKYLAKE, 2, 4, 32, 1024),
    AVX512("cascadelake", "cascadelake", SKYLAKE, 2, 4, 32, 1024),
    AVX512("cooperlake", "cooperlake", SKYLAKE, 2, 4, 32, 1024),
    AVX512("cannonlake", "cannonlake", SKYLAKE, 1, 4, 32, 256),
    AVX512("icelake-client", "icelake_client", SUNNY_COVE, 1, 4, 48, 512),
    AVX512("rocketlake", "rocketlake", SUNNY_COVE, 1, 4, 48, 512),
    AVX512("tigerlake", "tigerlake", SUNNY_COVE, 1, 4, 48, 1280),
    AVX512("icelake-server", "icelake_server", SUNNY_COVE, 2, 4, 48, 1280),
    AVX512("sapphirerapids", "sapphirerapids", GOLDEN_COVE, 2, 4, 48, 2048),
    AVX512("emeraldrapids", "emeraldrapids", GOLDEN_COVE, 2, 4, 48, 2048),
    AVX512("graniterapids", "graniterapids", GOLDEN_COVE, 2, 4, 48, 2048),
    AVX512("graniterapids-d", "graniterapids_d", GOLDEN_COVE, 2, 4, 48, 2048),
    AVX512("znver4", "znver4", ZEN4, 1, 4, 32, 1024),
    AVX512("znver5", "znver5", ZEN5, 2, 4, 48, 1024),
};
enum { TARGETS = sizeof target_table / sizeof *target_table };

enum cpu_level target_level(const struct target *target)
{
    return target->lanes > 8 ? CPU_AVX512 : CPU_AVX2;
}

struct cpu_need cpu_need(enum cpu_level level)
{
    struct cpu_need need = {.xcr0 = level == CPU_AVX512 ? XCR0_AVX512 : XCR0_AVX};
    for (int i = 0; i < FEATURES; i++) {
        const struct feature *f = &feature_table[i];
        if (f->level <= level)
            *(f->word == LEAF1_ECX ? &need.leaf1_ecx : &need.leaf7_ebx) |= 1u << f->bit;
    }
    return need;
}

/* What this machine has, in the words that needs are said in. */
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
        has.leaf7_ebx = b;
#endif
    return has;
}

/* Compute capability, PTX, LLVM, KiB of shared memory of a block and of a multiprocessor, and how many
 * of those the largest device has, as the CUDA programming guide has them. */
#define GPU(sm, alone, version, llvm, block, all, processors)                                      \
    {                                                                                              \
        .name = "nvptx:sm_" #sm alone, .cpu = "sm_" #sm alone, .symbol = "sm_" #sm alone,          \
        .features = "+ptx" #version, .lanes = 4, .registers = 32, .gpu = &(const struct gpu)       \
        {                                                                                          \
            sm, sizeof alone > 1, version, llvm, block KIB, all KIB, processors                    \
        }                                                                                          \
    }
static const struct target gpu_table[] = {
    GPU(70, "", 60, 19, 96, 96, 80),     GPU(72, "", 61, 19, 96, 96, 8),
    GPU(75, "", 63, 19, 64, 64, 72),     GPU(80, "", 70, 19, 163, 164, 108),
    GPU(86, "", 71, 19, 99, 100, 84),    GPU(87, "", 74, 19, 163, 164, 16),
    GPU(88, "", 90, 22, 99, 100, 84),    GPU(89, "", 78, 19, 99, 100, 128),
    GPU(90, "", 78, 19, 227, 228, 132),  GPU(90, "a", 80, 19, 227, 228, 132),
    GPU(100, "", 86, 20, 227, 228, 148), GPU(101, "", 86, 20, 227, 228, 20),
    GPU(103, "", 88, 21, 227, 228, 148), GPU(110, "", 90, 22, 227, 228, 20),
    GPU(120, "", 87, 20, 99, 100, 170),  GPU(121, "", 88, 21, 99, 100, 48),
};
enum { GPUS = sizeof gpu_table / sizeof *gpu_table };

static void append(char *text, size_t size, const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
}

/* The names of what is missing for a level, "" if nothing is. */
static void missing_features(enum cpu_level level, char *names, size_t size)
{
    struct cpu_need has = cpu_read();
    names[0] = 0;
    for (int i = 0; i < FEATURES; i++) {
        const struct feature *f = &feature_table[i];
        uint32_t word = f->word == LEAF1_ECX ? has.leaf1_ecx : has.leaf7_ebx;
        if (f->level <= level && !(word >> f->bit & 1))
            append(names, size, f->name);
    }
    uint32_t xcr0 = cpu_need(level).xcr0;
    if ((has.xcr0 & xcr0) != xcr0)
        append(names, size,
               level == CPU_AVX512 ? "registers of AVX-512 saved by the operating system"
                                   : "registers of AVX saved by the operating system");
}

bool target_runs_here(const struct target *target, struct error *error)
{
    char names[256];
    if (target->gpu) {
        error_set(error, "%s is for a GPU, which is no matter of the processor", target->name);
        return false;
    }
    missing_features(target_level(target), names, sizeof names);
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

/* The instructions as this machine has them, whatever its processor's name promises. */
static void native_init(void)
{
    char names[256];
    missing_features(CPU_AVX512, names, sizeof names);
    enum cpu_level level = names[0] ? CPU_AVX2 : CPU_AVX512;
    native = target_table[level == CPU_AVX512];
    native.cpu = cpu_host_name();
    for (int i = 0; i < TARGETS; i++)
        if (!strcmp(target_table[i].name, native.cpu) && target_level(&target_table[i]) == level)
            native = target_table[i];
    native.name = "native";
    native.symbol = "native";
    measure_caches(&native);
}

static const struct target *target_native(struct error *error)
{
    char names[256];
    missing_features(CPU_AVX2, names, sizeof names);
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
    const char *cpu = cpu_host_name();
    for (int i = 0; i < TARGETS; i++)
        if (!strcmp(target_table[i].name, cpu)) {
            here.core = target_table[i].core;
            if (target_table[i].lanes == target->lanes)
                here.fma_per_cycle = target_table[i].fma_per_cycle;
            here.fma_latency = target_table[i].fma_latency;
        }
    measure_caches(&here);
    return here;
}

bool target_is_gpu(const char *name)
{
    static const char prefix[] = "nvptx:";
    return !strncmp(name, prefix, sizeof prefix - 1);
}

/* For tf32 and bf16: from sm_80 on. */
bool target_has_matrix_units(const struct target *target)
{
    return target->gpu && strtol(target->cpu + strlen("sm_"), NULL, 10) >= 80;
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
    struct nearest nearest = {.word = name};
    char hint[NEAREST_TEXT];
    for (int i = 0; i < TARGETS; i++) {
        if (!strcmp(target_table[i].name, name))
            return &target_table[i];
        nearest_try(&nearest, target_table[i].name);
    }
    error_set(error,
              "no target \"%.64s\"%s: allowed are native, x86-64-v3, x86-64-v4, LLVM's names of "
              "processors with AVX2 and FMA (haswell, skylake-avx512, znver4, ...) and nvptx:sm_80 "
              "and the like",
              name, nearest_hint(&nearest, hint));
    return NULL;
}
