/* The processors that schedules can be made for. LLVM's name of a processor says only how its
 * instructions are scheduled: which of them exist is always said by the feature string, so that the
 * object's own check covers whatever LLVM may emit. */
#include "target.h"
#include "cpu.h"
#include <pthread.h>
#include <stdio.h>
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

#define KIB *1024LL
#define AVX2(cpu, symbol, fma, latency, l1, l2)                                                    \
    {                                                                                              \
        cpu, cpu, AVX2_FEATURES, symbol, 8, 16, fma, latency, l1 KIB, l2 KIB                       \
    }
#define AVX512(cpu, symbol, fma, latency, l1, l2)                                                  \
    {                                                                                              \
        cpu, cpu, AVX512_FEATURES, symbol, 16, 32, fma, latency, l1 KIB, l2 KIB                    \
    }

/* Processor, symbol, vector FMAs per cycle, their latency, L1 and L2 in KiB. The first two stand
 * for whatever has their instructions, so they assume small caches. Others as their makers'
 * optimisation guides have them; Xeon Phi lacks avx512bw and counts as AVX2. */
static const struct target target_table[] = {
    AVX2("x86-64-v3", "avx2", 2, 4, 32, 512),
    AVX512("x86-64-v4", "avx512", 2, 4, 32, 512),
    AVX2("haswell", "haswell", 2, 5, 32, 256),
    AVX2("core-avx2", "core_avx2", 2, 5, 32, 256),
    AVX2("broadwell", "broadwell", 2, 5, 32, 256),
    AVX2("skylake", "skylake", 2, 4, 32, 256),
    AVX2("bdver4", "bdver4", 1, 5, 16, 1024),
    AVX2("znver1", "znver1", 1, 5, 32, 512),
    AVX2("znver2", "znver2", 2, 5, 32, 512),
    AVX2("znver3", "znver3", 2, 4, 32, 512),
    AVX2("knl", "knl", 2, 6, 32, 512),
    AVX2("knm", "knm", 2, 6, 32, 512),
    AVX2("alderlake", "alderlake", 2, 4, 48, 1280),
    AVX2("raptorlake", "raptorlake", 2, 4, 48, 2048),
    AVX2("meteorlake", "meteorlake", 2, 4, 48, 2048),
    AVX2("arrowlake", "arrowlake", 2, 4, 48, 3072),
    AVX2("arrowlake-s", "arrowlake_s", 2, 4, 48, 3072),
    AVX2("lunarlake", "lunarlake", 2, 4, 48, 2560),
    AVX2("pantherlake", "pantherlake", 2, 4, 48, 3072),
    AVX2("gracemont", "gracemont", 1, 6, 32, 512),
    AVX2("sierraforest", "sierraforest", 1, 6, 32, 1024),
    AVX2("grandridge", "grandridge", 1, 6, 32, 1024),
    AVX2("clearwaterforest", "clearwaterforest", 2, 4, 32, 1024),
    AVX512("skylake-avx512", "skylake_avx512", 2, 4, 32, 1024),
    AVX512("skx", "skx", 2, 4, 32, 1024),
    AVX512("cascadelake", "cascadelake", 2, 4, 32, 1024),
    AVX512("cooperlake", "cooperlake", 2, 4, 32, 1024),
    AVX512("cannonlake", "cannonlake", 1, 4, 32, 256),
    AVX512("icelake-client", "icelake_client", 1, 4, 48, 512),
    AVX512("rocketlake", "rocketlake", 1, 4, 48, 512),
    AVX512("tigerlake", "tigerlake", 1, 4, 48, 1280),
    AVX512("icelake-server", "icelake_server", 2, 4, 48, 1280),
    AVX512("sapphirerapids", "sapphirerapids", 2, 4, 48, 2048),
    AVX512("emeraldrapids", "emeraldrapids", 2, 4, 48, 2048),
    AVX512("graniterapids", "graniterapids", 2, 4, 48, 2048),
    AVX512("graniterapids-d", "graniterapids_d", 2, 4, 48, 2048),
    AVX512("znver4", "znver4", 1, 4, 32, 1024),
    AVX512("znver5", "znver5", 2, 4, 48, 1024),
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

bool target_runs_here(const struct target *target, char *why, size_t why_size)
{
    char names[256];
    missing_features(target_level(target), names, sizeof names);
    if (!names[0])
        return true;
    snprintf(why, why_size, "this machine lacks what %s needs: %s", target->name, names);
    return false;
}

static int64_t cache_bytes(int name, int64_t assumed)
{
    long bytes = sysconf(name);
    return bytes > 0 ? bytes : assumed;
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
#ifdef _SC_LEVEL1_DCACHE_SIZE
    native.l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, native.l1_bytes);
    native.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, native.l2_bytes);
#endif
}

static const struct target *target_native(char *why, size_t why_size)
{
    char names[256];
    missing_features(CPU_AVX2, names, sizeof names);
    if (names[0]) {
        snprintf(why, why_size, "this machine lacks what every target needs: %s", names);
        return NULL;
    }
    pthread_once(&native_once, native_init);
    return &native;
}

const struct target *target_find(const char *name, char *why, size_t why_size)
{
    if (!strcmp(name, "native"))
        return target_native(why, why_size);
    for (int i = 0; i < TARGETS; i++)
        if (!strcmp(target_table[i].name, name))
            return &target_table[i];
    snprintf(why, why_size,
             "no target \"%.64s\": allowed are native, x86-64-v3, x86-64-v4 and LLVM's names of "
             "processors with AVX2 and FMA (haswell, skylake-avx512, znver4, ...)",
             name);
    return NULL;
}
