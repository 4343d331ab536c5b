/* A GPU on the host: runs a kernel that was compiled for this machine, block by block, its threads
 * as fibers that run from barrier to barrier, or to where a warp's matrix unit multiplies. Kernels
 * call host_global or host_shared for every load and store, so that each is checked: within a
 * buffer that the launch plan lets the kernel touch, aligned as it says, of memory that was written
 * before, and apart from what other threads do at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { MOST_SHARED = 1 << 20, MOST_THREADS = 1024, STACK_BYTES = 64 << 10, MOST_RANGES = 512 };
enum { STORE = 1, INVARIANT = 2 };
enum { WARP = 32, ROWS = 16, COLUMNS = 8, MOST_TERMS = 16 };
enum { SEVERAL = -1 };
enum { UNIT = 2 /* bytes that are noted together: the smallest type that is stored */ };

/* The last accesses of a UNIT of memory. `run`: the launch, or for shared memory the block. */
struct word {
    int32_t write_run, write_block, write_thread, write_epoch;
    int32_t read_run, read_block, read_thread, read_epoch;
};

/* What a thread passes to a product: 4 words of a, 2 of b, 4 sums; and gets back: the sums, first.
 */
union operands {
    uint32_t word[10];
    float number[10];
};

struct range {
    char *begin, *end;
    struct word *word; /* NULL: constant, read-only */
    int readable, writable;
    const char *name;
};

unsigned char san_shared[MOST_SHARED] __attribute__((aligned(4096)));
int32_t host_no_barrier = -1; /* the number of a barrier that a test leaves out */
int32_t host_unchecked;       /* accesses are not looked at, for speed */
int32_t host_launches;        /* counts launches; who uses several of these libraries sets it */

static struct {
    struct range range[MOST_RANGES];
    int ranges, last;
    struct word shared[MOST_SHARED / UNIT];
    int64_t shared_bytes;
    int32_t blocks_run, block, thread, epoch, threads;
    char error[400];
} host;

static ucontext_t scheduler, fiber[MOST_THREADS];
static jmp_buf to_scheduler, to_fiber[MOST_THREADS];
static enum { READY, AT_BARRIER, AT_PRODUCT, FINISHED } state[MOST_THREADS];
static int started[MOST_THREADS];
static union operands *product[MOST_THREADS]; /* by thread: the product it waits for */
static int product_terms[MOST_THREADS];
static char *stacks;
static void (*kernel)(void *, void *, void *, void *);
static void *argument[4];

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
    if (host.error[0])
        return; /* the first error says most */
    va_list args;
    int used =
        snprintf(host.error, sizeof host.error, "block %d, thread %d: ", host.block, host.thread);
    va_start(args, format);
    vsnprintf(host.error + used, sizeof host.error - (size_t)used, format, args);
    va_end(args);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int ordered(int32_t block, int32_t thread, int32_t epoch)
{
    return block == host.block && (thread == host.thread || epoch != host.epoch);
}

static void check_word(struct word *w, int32_t run, int flags, const char *name, long at)
{
    int written = w->write_run == run, read = w->read_run == run;
    if (!(flags & STORE) && !w->write_run)
        wrong("%s: reads byte %ld, which was never written", name, UNIT * at);
    if ((flags & INVARIANT) && written)
        wrong("%s: byte %ld is loaded as read-only, but was written", name, UNIT * at);
    if (written && !ordered(w->write_block, w->write_thread, w->write_epoch))
        wrong("%s: race at byte %ld: written by block %d, thread %d, and %s", name, UNIT * at,
              w->write_block, w->write_thread, flags & STORE ? "again" : "read");
    if ((flags & STORE) && read && !ordered(w->read_block, w->read_thread, w->read_epoch))
        wrong("%s: race at byte %ld: written, and read by block %d, thread %d", name, UNIT * at,
              w->read_block, w->read_thread);
    if (flags & STORE) {
        w->write_run = run;
        w->write_block = host.block;
        w->write_thread = host.thread;
        w->write_epoch = host.epoch;
        return;
    }
    int same_block = !read || w->read_block == host.block;
    int same_thread = !read || w->read_epoch != host.epoch || w->read_thread == host.thread;
    w->read_run = run;
    w->read_block = same_block ? host.block : SEVERAL;
    w->read_thread = same_thread ? host.thread : SEVERAL;
    w->read_epoch = host.epoch;
}

static const struct range *find_range(const char *at, int64_t bytes)
{
    for (int i = 0; i < host.ranges; i++) {
        int j = (host.last + i) % host.ranges;
        if (at >= host.range[j].begin && at + bytes <= host.range[j].end) {
            host.last = j;
            return &host.range[j];
        }
    }
    return NULL;
}

void host_global(char *at, int32_t bytes, int32_t alignment, int32_t flags)
{
    if (host_unchecked)
        return;
    const struct range *r = find_range(at, bytes);
    if (!r)
        wrong("a %s of %d bytes at %p, outside of every buffer", flags & STORE ? "store" : "load",
              bytes, (void *)at);
    else if ((uintptr_t)at % (uintptr_t)alignment)
        wrong("%s: byte %ld is not aligned to %d", r->name, (long)(at - r->begin), alignment);
    else if (!(flags & STORE ? r->writable : r->readable))
        wrong("%s: a %s that the plan does not mention", r->name, flags & STORE ? "store" : "load");
    else if (r->word)
        for (long i = (at - r->begin) / UNIT; i < (at + bytes - r->begin) / UNIT; i++)
            check_word(&r->word[i], host_launches, flags, r->name, i);
    if (host.error[0])
        _longjmp(to_scheduler, 1);
}

void host_shared(char *at, int32_t bytes, int32_t alignment, int32_t flags)
{
    if (host_unchecked)
        return;
    int64_t from = at - (char *)san_shared;
    if (from < 0 || from + bytes > host.shared_bytes)
        wrong("a %s of %d bytes at byte %ld of %ld in shared memory",
              flags & STORE ? "store" : "load", bytes, (long)from, (long)host.shared_bytes);
    else if (from % alignment)
        wrong("shared memory: byte %ld is not aligned to %d", (long)from, alignment);
    else
        for (int64_t i = from / UNIT; i < (from + bytes) / UNIT; i++) {
            if (host.shared[i].write_run != host.blocks_run)
                host.shared[i] = (struct word){0};
            check_word(&host.shared[i], host.blocks_run, flags, "shared memory", (long)i);
        }
    if (host.error[0])
        _longjmp(to_scheduler, 1);
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* Copies that threads have begun and not yet waited for. */
enum { MOST_COPIES = 1 << 16 };
static struct copy {
    char *to, *from;
    int32_t bytes, thread;
} copies[MOST_COPIES];
static int copy_count;

static void begin_copy(char *to, char *from, int32_t bytes)
{
    host_global(from, bytes, bytes, 0);
    if (copy_count == MOST_COPIES)
        abort();
    copies[copy_count++] = (struct copy){to, from, bytes, host.thread};
}

void host_copy_4(char *to, char *from)
{
    begin_copy(to, from, 4);
}

void host_copy_8(char *to, char *from)
{
    begin_copy(to, from, 8);
}

void host_copy_16(char *to, char *from)
{
    begin_copy(to, from, 16);
}

/* A thread's copies are done when it waits for them, and not before. */
void host_wait(void)
{
    int left = 0;
    for (int i = 0; i < copy_count; i++) {
        if (copies[i].thread != host.thread) {
            copies[left++] = copies[i];
            continue;
        }
        host_shared(copies[i].to, copies[i].bytes, copies[i].bytes, STORE);
        memcpy(copies[i].to, copies[i].from, (size_t)copies[i].bytes);
    }
    copy_count = left;
}

/* ---- threads --------------------------------------------------------------------------------- */

int32_t host_tid(void)
{
    return host.thread;
}

int32_t host_ctaid(void)
{
    return host.block;
}

static void wait_as(int what)
{
    int thread = host.thread;
    state[thread] = what;
    if (!_setjmp(to_fiber[thread]))
        _longjmp(to_scheduler, 1);
}

void host_barrier(int32_t number)
{
    if (number != host_no_barrier)
        wait_as(AT_BARRIER);
}

/* ---- matrix units ---------------------------------------------------------------------------- */

/* As cvt.rna.tf32 rounds: to the nearest, ties away from zero. */
int32_t host_tf32(float value)
{
    union operands bits = {.number = {value}};
    return (int32_t)(value == value ? (bits.word[0] + 0x1000) & 0xffffe000 : 0x7fffffff);
}

/* As cvt.rn.bf16x2.f32 rounds: to the nearest, ties to even. */
int32_t host_bf16x2(float high, float low)
{
    uint32_t half[2];
    for (int i = 0; i < 2; i++) {
        union operands bits = {.number = {i ? high : low}};
        uint32_t word = bits.word[0];
        half[i] =
            bits.number[0] == bits.number[0] ? (word + 0x7fff + (word >> 16 & 1)) >> 16 : 0x7fff;
    }
    return (int32_t)(half[1] << 16 | half[0]);
}

/* What LLVM calls to round a float to bf16 where no instruction does: it takes the result from the
 * lower half of xmm0. libgcc has it from version 13 on. */
float __truncsfbf2(float x)
{
    union operands bits = {.word = {(uint32_t)host_bf16x2(0, x)}};
    return bits.number[0];
}

/* 8 terms: tf32, a word each; 16: bf16, two in a word. */
void host_product(union operands *operands, int32_t terms)
{
    product[host.thread] = operands;
    product_terms[host.thread] = terms;
    wait_as(AT_PRODUCT);
}

static float number_of(uint32_t word)
{
    union operands bits = {.word = {word}};
    return bits.number[0];
}

/* The terms of register `i` of a factor with `rows` registers for each group of terms, which thread
 * `place` of 4 has: PTX ISA, fragments of mma.m16n8k8 and mma.m16n8k16. */
static void spread_register(uint32_t word, int terms, int group_of_terms, int place, float *row)
{
    if (terms == 8) {
        row[place + 4 * group_of_terms] = number_of(word & 0xffffe000);
        if (word & 0x1fff)
            wrong("a factor of a product is %g, which is not rounded to tf32",
                  (double)number_of(word));
        return;
    }
    row[2 * place + 8 * group_of_terms] = number_of(word << 16);
    row[2 * place + 8 * group_of_terms + 1] = number_of(word & 0xffff0000);
}

static void multiply(int first)
{
    static float a[ROWS][MOST_TERMS], b[COLUMNS][MOST_TERMS];
    int terms = product_terms[first];
    for (int lane = 0; lane < WARP; lane++) {
        const uint32_t *word = product[first + lane]->word;
        for (int i = 0; i < 4; i++)
            spread_register(word[i], terms, i / 2, lane % 4, a[lane / 4 + 8 * (i % 2)]);
        for (int i = 0; i < 2; i++)
            spread_register(word[4 + i], terms, i, lane % 4, b[lane / 4]);
    }
    for (int lane = 0; lane < WARP; lane++)
        for (int i = 0; i < 4; i++) {
            float *number = product[first + lane]->number;
            double sum = number[6 + i];
            for (int k = 0; k < terms; k++)
                sum += (double)a[lane / 4 + 8 * (i / 2)][k] * b[2 * (lane % 4) + i % 2][k];
            number[i] = (float)sum;
        }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void run_thread(void)
{
    kernel(argument[0], argument[1], argument[2], argument[3]);
    state[host.thread] = FINISHED;
    _longjmp(to_scheduler, 1);
}

static void resume(int thread)
{
    host.thread = thread;
    if (_setjmp(to_scheduler))
        return;
    if (started[thread])
        _longjmp(to_fiber[thread], 1);
    started[thread] = 1;
    getcontext(&fiber[thread]);
    fiber[thread].uc_stack.ss_sp = stacks + (size_t)thread * STACK_BYTES;
    fiber[thread].uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber[thread], run_thread, 0);
    swapcontext(&scheduler, &fiber[thread]);
}

/* Runs a warp until all of its threads wait at a barrier or have ended. */
static void run_warp(int first)
{
    int threads = host.threads - first < WARP ? host.threads - first : WARP;
    for (int products = 1; products;) {
        products = 0;
        for (int i = first; i < first + threads && !host.error[0]; i++) {
            if (state[i] == READY)
                resume(i);
            products += state[i] == AT_PRODUCT && product_terms[i] == product_terms[first];
        }
        if (products && products != WARP)
            wrong("a product that only %d of the warp's %d threads reach", products, WARP);
        if (host.error[0])
            return;
        if (products)
            multiply(first);
        for (int i = first; products && i < first + threads; i++)
            state[i] = READY;
    }
}

static int run_block(int32_t block)
{
    host.block = block;
    host.epoch = 0;
    host.blocks_run++;
    copy_count = 0;
    memset(san_shared, 0xff, (size_t)host.shared_bytes); /* NaN */
    memset(started, 0, sizeof started);
    memset(state, 0, sizeof state);
    for (int done = 0; !done; host.epoch++) {
        int ended = 0;
        for (int i = 0; i < host.threads; i += WARP) {
            run_warp(i);
            if (host.error[0])
                return 0;
        }
        for (int i = 0; i < host.threads; i++) {
            ended += state[i] == FINISHED;
            state[i] = state[i] == FINISHED ? FINISHED : READY;
        }
        done = ended == host.threads;
        if (ended && !done)
            wrong("ends while others wait at a barrier");
    }
    return !host.error[0];
}

/* ---- what a test calls ----------------------------------------------------------------------- */

const char *host_error(void)
{
    return host.error;
}

/* Buffers of the next launch. word: 32 bytes for each UNIT, zero at first; NULL: constant. */
void host_clear(void)
{
    host.ranges = host.last = 0;
    host.error[0] = 0;
}

void host_buffer(const char *name, char *begin, int64_t bytes, struct word *word, int readable,
                 int writable)
{
    if (host.ranges == MOST_RANGES)
        abort();
    host.range[host.ranges++] =
        (struct range){begin, begin + bytes, word, readable, writable, name};
}

/* Memory that a caller fills counts as written by an earlier launch. */
void host_written(struct word *word, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        word[i] = (struct word){.write_run = -1};
}

/* 0: something was wrong, host_error says what. */
int host_launch(void (*function)(void *, void *, void *, void *), void **arguments, int32_t blocks,
                int32_t threads, int64_t shared_bytes)
{
    if (!stacks && !(stacks = malloc((size_t)MOST_THREADS * STACK_BYTES)))
        abort();
    if (threads < 1 || threads > MOST_THREADS || shared_bytes < 0 || shared_bytes > MOST_SHARED)
        abort();
    kernel = function;
    memcpy(argument, arguments, sizeof argument);
    host_launches++;
    host.threads = threads;
    host.shared_bytes = shared_bytes;
    for (int32_t i = 0; i < blocks; i++)
        if (!run_block(i))
            return 0;
    return 1;
}
