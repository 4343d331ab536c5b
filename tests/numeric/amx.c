/* AMX where the processor has none: its instructions end in SIGILL, whose handler carries them out.
 * Linked to a program whose compiled models use them.
 *
 * An object asks the processor before it runs such code. amx.py has put ud2 in the place of its
 * questions, which are answered here: CPUID and XGETBV as this machine does, but for AMX, and the
 * system call for permission, as the variable SANC_AMX says:
 *
 *   there      all of it     no_bits    not in CPUID     no_state   not in XCR0
 *   refused    no permission
 *
 * At the end it prints how many products there were. A register that is used as it was not set up,
 * and tiles that are still set up when a model has run, end the program. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <cpuid.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
enum { XCR0_TILES = 0x60000, ARCH_PRCTL = 158, REFUSED = -28 /* ENOSPC */ };

struct config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static _Thread_local struct config config;
static _Thread_local uint8_t tile[TILES][ROWS][ROW_BYTES];
static long products;
static char answer[16] = "there";

static void die(const char *why)
{
    dprintf(2, "amx: %s\n", why);
    _exit(3);
}

/* ---- instructions ---------------------------------------------------------------------------- */

static void need(bool right, const char *what)
{
    if (!right)
        die(what);
}

static void check_tile(int t)
{
    need(config.palette == 1, "a tile is used that no ldtilecfg has set up");
    need(t < TILES && config.rows[t] && config.row_bytes[t], "a tile without a size is used");
}

static void zero(int t)
{
    memset(tile[t], 0, sizeof tile[t]);
}

static void load(int t, const uint8_t *from, int64_t stride)
{
    check_tile(t);
    zero(t);
    for (int i = 0; i < config.rows[t]; i++)
        memcpy(tile[t][i], from + i * stride, config.row_bytes[t]);
}

static void store(int t, uint8_t *to, int64_t stride)
{
    check_tile(t);
    for (int i = 0; i < config.rows[t]; i++)
        memcpy(to + i * stride, tile[t][i], config.row_bytes[t]);
}

static float widen(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return fpclassify(value) == FP_SUBNORMAL ? 0 : value;
}

/* Even and odd terms are added apart, then to the sum. */
static void product(int to, int a, int b)
{
    check_tile(to);
    check_tile(a);
    check_tile(b);
    need(config.rows[to] == config.rows[a] && config.row_bytes[to] == config.row_bytes[b] &&
             config.row_bytes[a] == 4 * config.rows[b],
         "sizes of tiles that do not fit");
    for (int m = 0; m < config.rows[to]; m++)
        for (int n = 0; n < config.row_bytes[to] / 4; n++) {
            float sum[2] = {0, 0}, old;
            for (int k = 0; k < config.rows[b]; k++)
                for (int i = 0; i < 2; i++) {
                    uint16_t x, y;
                    memcpy(&x, &tile[a][m][4 * k + 2 * i], 2);
                    memcpy(&y, &tile[b][k][4 * n + 2 * i], 2);
                    sum[i] = fmaf(widen(x), widen(y), sum[i]);
                }
            memcpy(&old, &tile[to][m][4 * n], 4);
            old += sum[0] + sum[1];
            memcpy(&tile[to][m][4 * n], &old, 4);
        }
    __atomic_fetch_add(&products, 1, __ATOMIC_RELAXED);
}

static void configure(const uint8_t *from)
{
    memcpy(&config, from, sizeof config);
    need(config.palette == 1 && config.start_row == 0, "ldtilecfg of another palette");
    for (int i = 0; i < 16; i++)
        need(i < TILES ? config.rows[i] <= ROWS && config.row_bytes[i] <= ROW_BYTES
                       : !config.rows[i] && !config.row_bytes[i],
             "ldtilecfg of a size that no tile has");
    for (int i = 0; i < TILES; i++)
        zero(i);
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* A processor's number of a register to its place in a signal's context. */
static int64_t *reg(ucontext_t *u, int number)
{
    static const int place[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};
    return (int64_t *)&u->uc_mcontext.gregs[place[number]];
}

struct operand {
    uint8_t *base;
    int64_t index;
    int length; /* of ModRM, SIB and displacement */
};

/* Memory by ModRM: `rex` has bit 1 for the index, bit 0 for the base. */
static struct operand memory(ucontext_t *u, const uint8_t *modrm, int rex)
{
    struct operand o = {.length = 1};
    int mod = modrm[0] >> 6, rm = modrm[0] & 7;
    int base = rm | (rex & 1) << 3, index = 4;
    if (rm == 4) {
        index = (modrm[1] >> 3 & 7) | (rex >> 1 & 1) << 3;
        base = (modrm[1] & 7) | (rex & 1) << 3;
        o.length = 2;
        if (index != 4)
            o.index = *reg(u, index) * (1 << (modrm[1] >> 6));
    }
    int64_t displacement = 0;
    bool none = mod == 0 && (base & 7) == 5;
    if (mod == 1) {
        displacement = (int8_t)modrm[o.length];
        o.length += 1;
    } else if (mod == 2 || none) {
        int32_t wide;
        memcpy(&wide, modrm + o.length, 4);
        displacement = wide;
        o.length += 4;
    }
    if (none && rm == 5) /* relative to the next instruction */
        o.base = (uint8_t *)modrm + o.length + displacement;
    else
        o.base = (uint8_t *)((none ? 0 : *reg(u, base)) + displacement);
    return o;
}

/* An instruction of three bytes of VEX, opcode and operands; its length, 0: it is none of these. */
static int carry_out(ucontext_t *u, const uint8_t *at)
{
    if (at[0] != 0xc4 || (at[1] & 0x1f) != 2 || at[2] & 0x84)
        return 0;
    int rex = (~at[1] >> 5 & 3), prefix = at[2] & 3, third = ~at[2] >> 3 & 15, opcode = at[3];
    int mod = at[4] >> 6, t = at[4] >> 3 & 7, rm = at[4] & 7;
    if (opcode == 0x5c && prefix == 2 && mod == 3) {
        product(t, rm, third);
        return 5;
    }
    if (opcode == 0x49 && mod == 3) {
        if (prefix == 3)
            check_tile(t), zero(t);
        else if (prefix == 0 && at[4] == 0xc0)
            memset(&config, 0, sizeof config);
        else
            return 0;
        return 5;
    }
    struct operand o = memory(u, at + 4, rex);
    if (opcode == 0x49 && prefix == 0)
        configure(o.base + o.index);
    else if (opcode == 0x4b && (prefix == 3 || prefix == 1))
        load(t, o.base, o.index);
    else if (opcode == 0x4b && prefix == 2)
        store(t, o.base, o.index);
    else
        return 0;
    return 4 + o.length;
}

/* ---- questions ------------------------------------------------------------------------------- */

static bool is(const char *what)
{
    return strcmp(answer, what) == 0;
}

/* ud2 in the place of syscall, cpuid, or, with a nop after it, xgetbv. */
static int answer_question(ucontext_t *u, const uint8_t *at)
{
    unsigned a, b, c, d;
    if (at[0] != 0x0f || at[1] != 0x0b)
        return 0;
    if (at[2] == 0x90) {
        __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
        *reg(u, 0) = (a & ~(unsigned)XCR0_TILES) | (is("no_state") ? 0 : XCR0_TILES);
        *reg(u, 2) = d;
        return 3;
    }
    if ((uint32_t)*reg(u, 0) == ARCH_PRCTL) {
        *reg(u, 0) = is("refused") ? REFUSED : 0;
        return 2;
    }
    unsigned leaf = (unsigned)*reg(u, 0), part = (unsigned)*reg(u, 1);
    __cpuid_count(leaf, part, a, b, c, d);
    if (leaf == 7 && part == 0)
        d = (d & ~(unsigned)(AMX_BF16 | AMX_TILE)) | (is("no_bits") ? 0 : AMX_BF16 | AMX_TILE);
    *reg(u, 0) = a;
    *reg(u, 3) = b;
    *reg(u, 1) = c;
    *reg(u, 2) = d;
    return 2;
}

static void handle(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    ucontext_t *u = context;
    const uint8_t *at = (const uint8_t *)u->uc_mcontext.gregs[REG_RIP];
    int length = answer_question(u, at);
    length = length ? length : carry_out(u, at);
    if (!length) {
        char text[96];
        snprintf(text, sizeof text, "illegal instruction %02x %02x %02x %02x %02x", at[0], at[1],
                 at[2], at[3], at[4]);
        die(text);
    }
    u->uc_mcontext.gregs[REG_RIP] += length;
}

int amx_is_set_up(void);
int amx_is_set_up(void)
{
    return config.palette;
}

static void report(void)
{
    if (amx_is_set_up())
        die("tiles are still set up at the end");
    printf("products %ld\n", products);
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER};
    const char *said = getenv("SANC_AMX");
    if (said)
        snprintf(answer, sizeof answer, "%s", said);
    sigaction(SIGILL, &action, NULL);
    atexit(report);
}
