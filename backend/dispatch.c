/* The part of an object that is the same for every model, written as LLVM's text:
 *
 *   NAME_run            (none where all targets are GPUs) checks, chooses the strongest target that the processor has
 *   NAME__plan_TARGET   its kernels in order, one call of NAME__launch each
 *   NAME__launch        serially or as tasks on the caller's threads; the clock before and after
 *   NAME__task          iterations of a kernel as long as there are some to take, with scratch of its own
 *   NAME__iterate       some iterations of a kernel, one after the other
 *   NAME_model          what the model says of itself
 *
 * The structures are those of san/abi.h; offsets of their fields are asserted below. */
#define _GNU_SOURCE
#include "backend.h"
#include "cpu.h"
#include "emit.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(offsetof(struct san_exec, threads) == 4 &&
                   offsetof(struct san_exec, parallel) == 8 &&
                   offsetof(struct san_exec, context) == 16 &&
                   offsetof(struct san_exec, profile) == 24,
               "%exec below");
_Static_assert(offsetof(struct san_profile, clock) == 0 &&
                   offsetof(struct san_profile, context) == 8 &&
                   offsetof(struct san_profile, ticks) == 16 &&
                   offsetof(struct san_profile, calls) == 24,
               "%profile below");
_Static_assert(offsetof(struct san_model, name) == 8 && offsetof(struct san_model, batch) == 40 &&
                   offsetof(struct san_model, threads) == 60 &&
                   offsetof(struct san_model, workspace_bytes) == 64 &&
                   offsetof(struct san_model, weights_sha256) == 88 &&
                   offsetof(struct san_model, run) == 120 &&
                   offsetof(struct san_model, gpus) == 128 &&
                   offsetof(struct san_model, gpu_count) == 136 && sizeof(struct san_model) == 144,
               "%model below");

static const char types[] =
    "%exec = type { i32, i32, ptr, ptr, ptr }\n"
    "%profile = type { ptr, ptr, ptr, ptr }\n"
    "%model = type { i32, i32, ptr, ptr, ptr, ptr, i32, i32, i32, i32, i32, i32, i64, i64, i64,"
    " [32 x i8], ptr, ptr, i32 }\n"
    "; what a task needs: kernel, input, output, workspace, scratch, iterations, ranges, exec, "
    "taken\n"
    "%job = type { ptr, ptr, ptr, ptr, ptr, i64, i64, ptr, ptr }\n";

/* $N is the model's name, $S the bytes between two workers' scratch, $T the most tasks.
 *
 * A kernel's iterations are cut into as many ranges as it has tasks. A task takes quarters of what is left
 * of its own range, then of the others': pieces that get smaller, so that a slower thread is waited for
 * shortly at the end, and neighbouring iterations that mostly stay on one core. `taken` says
 * where each range goes on. Whoever runs the tasks orders them before the caller's next kernel. */
static const char task[] =
    "define internal void @$N__iterate(ptr %job, i64 %worker, i64 %begin, i64 %end) #0 {\n"
    "  %kernel = load ptr, ptr %job\n"
    "  %input.at = getelementptr %job, ptr %job, i32 0, i32 1\n"
    "  %input = load ptr, ptr %input.at\n"
    "  %output.at = getelementptr %job, ptr %job, i32 0, i32 2\n"
    "  %output = load ptr, ptr %output.at\n"
    "  %workspace.at = getelementptr %job, ptr %job, i32 0, i32 3\n"
    "  %workspace = load ptr, ptr %workspace.at\n"
    "  %scratch.at = getelementptr %job, ptr %job, i32 0, i32 4\n"
    "  %scratches = load ptr, ptr %scratch.at\n"
    "  %scratch.offset = mul i64 %worker, $S\n"
    "  %scratch = getelementptr i8, ptr %scratches, i64 %scratch.offset\n"
    "  call void %kernel(ptr %input, ptr %output, ptr %workspace, ptr %scratch, i64 %begin,"
    " i64 %end)\n"
    "  ret void\n"
    "}\n"
    "define internal void @$N__task(ptr %job, i32 %index) #0 {\n"
    "  %iterations.at = getelementptr %job, ptr %job, i32 0, i32 5\n"
    "  %iterations = load i64, ptr %iterations.at\n"
    "  %ranges.at = getelementptr %job, ptr %job, i32 0, i32 6\n"
    "  %ranges = load i64, ptr %ranges.at\n"
    "  %taken.at = getelementptr %job, ptr %job, i32 0, i32 8\n"
    "  %taken = load ptr, ptr %taken.at\n"
    "  %own = zext i32 %index to i64\n"
    "  %last = add i64 %own, %ranges\n"
    "  br label %range\n"
    "range:\n"
    "  %turn = phi i64 [ %own, %0 ], [ %turn.next, %empty ]\n"
    "  %r = urem i64 %turn, %ranges\n"
    "  %r.next = add i64 %r, 1\n"
    "  %next.n = mul i64 %r.next, %iterations\n"
    "  %end = udiv i64 %next.n, %ranges\n"
    "  %at = getelementptr i64, ptr %taken, i64 %r\n"
    "  br label %look\n"
    "look:\n"
    "  %first = load atomic i64, ptr %at monotonic, align 8\n"
    "  br label %see\n"
    "see:\n"
    "  %begin = phi i64 [ %first, %look ], [ %seen, %take ]\n"
    "  %left = sub i64 %end, %begin\n"
    "  %none = icmp eq i64 %left, 0\n"
    "  br i1 %none, label %empty, label %take\n"
    "take:\n"
    "  %quarter = lshr i64 %left, 2\n"
    "  %few = icmp eq i64 %quarter, 0\n"
    "  %share = select i1 %few, i64 1, i64 %quarter\n"
    "  %stop = add i64 %begin, %share\n"
    "  %swap = cmpxchg ptr %at, i64 %begin, i64 %stop monotonic monotonic\n"
    "  %seen = extractvalue { i64, i1 } %swap, 0\n"
    "  %got = extractvalue { i64, i1 } %swap, 1\n"
    "  br i1 %got, label %run, label %see\n"
    "run:\n"
    "  call void @$N__iterate(ptr %job, i64 %own, i64 %begin, i64 %stop)\n"
    "  br label %look\n"
    "empty:\n"
    "  %turn.next = add i64 %turn, 1\n"
    "  %more = icmp ult i64 %turn.next, %last\n"
    "  br i1 %more, label %range, label %out\n"
    "out:\n"
    "  ret void\n"
    "}\n";

static const char launch[] =
    "define internal void @$N__launch(ptr %job, ptr %kernel, i64 %iterations, i64 %index) #0 {\n"
    "  %exec.at = getelementptr %job, ptr %job, i32 0, i32 7\n"
    "  %exec = load ptr, ptr %exec.at\n"
    "  %iterations.at = getelementptr %job, ptr %job, i32 0, i32 5\n"
    "  %ranges.at = getelementptr %job, ptr %job, i32 0, i32 6\n"
    "  store ptr %kernel, ptr %job\n"
    "  store i64 %iterations, ptr %iterations.at\n"
    "  %alone = icmp eq ptr %exec, null\n"
    "  br i1 %alone, label %plain, label %guided\n"
    "plain:\n"
    "  call void @$N__iterate(ptr %job, i64 0, i64 0, i64 %iterations)\n"
    "  ret void\n"
    "guided:\n"
    "  %threads.at = getelementptr %exec, ptr %exec, i32 0, i32 1\n"
    "  %threads.32 = load i32, ptr %threads.at\n"
    "  %threads = zext i32 %threads.32 to i64\n"
    "  %over = icmp ugt i64 %threads, $T\n"
    "  %most = select i1 %over, i64 $T, i64 %threads\n"
    "  %few = icmp ult i64 %iterations, %most\n"
    "  %count = select i1 %few, i64 %iterations, i64 %most\n"
    "  %profile.at = getelementptr %exec, ptr %exec, i32 0, i32 4\n"
    "  %profile = load ptr, ptr %profile.at\n"
    "  %timed = icmp ne ptr %profile, null\n"
    "  br i1 %timed, label %before, label %work\n"
    "before:\n"
    "  %clock = load ptr, ptr %profile\n"
    "  %clock.context.at = getelementptr %profile, ptr %profile, i32 0, i32 1\n"
    "  %clock.context = load ptr, ptr %clock.context.at\n"
    "  %start = call i64 %clock(ptr %clock.context)\n"
    "  br label %work\n"
    "work:\n"
    "  %started = phi i64 [ 0, %guided ], [ %start, %before ]\n"
    "  %many = icmp ugt i64 %count, 1\n"
    "  br i1 %many, label %split, label %whole\n"
    "split:\n"
    "  store i64 %count, ptr %ranges.at\n"
    "  %taken.at = getelementptr %job, ptr %job, i32 0, i32 8\n"
    "  %taken = load ptr, ptr %taken.at\n"
    "  br label %range\n"
    "range:\n"
    "  %r = phi i64 [ 0, %split ], [ %r.next, %range ]\n"
    "  %r.n = mul i64 %r, %iterations\n"
    "  %begin = udiv i64 %r.n, %count\n"
    "  %range.at = getelementptr i64, ptr %taken, i64 %r\n"
    "  store i64 %begin, ptr %range.at\n"
    "  %r.next = add i64 %r, 1\n"
    "  %ranges.left = icmp ult i64 %r.next, %count\n"
    "  br i1 %ranges.left, label %range, label %share\n"
    "share:\n"
    "  %parallel.at = getelementptr %exec, ptr %exec, i32 0, i32 2\n"
    "  %parallel = load ptr, ptr %parallel.at\n"
    "  %context.at = getelementptr %exec, ptr %exec, i32 0, i32 3\n"
    "  %context = load ptr, ptr %context.at\n"
    "  %count.32 = trunc i64 %count to i32\n"
    "  call void %parallel(ptr %context, i32 %count.32, ptr @$N__task, ptr %job)\n"
    "  br label %worked\n"
    "whole:\n"
    "  call void @$N__iterate(ptr %job, i64 0, i64 0, i64 %iterations)\n"
    "  br label %worked\n"
    "worked:\n"
    "  br i1 %timed, label %after, label %out\n"
    "after:\n"
    "  %clock.2 = load ptr, ptr %profile\n"
    "  %clock.2.at = getelementptr %profile, ptr %profile, i32 0, i32 1\n"
    "  %clock.2.context = load ptr, ptr %clock.2.at\n"
    "  %stop = call i64 %clock.2(ptr %clock.2.context)\n"
    "  %spent = sub i64 %stop, %started\n"
    "  %ticks.at = getelementptr %profile, ptr %profile, i32 0, i32 2\n"
    "  %ticks = load ptr, ptr %ticks.at\n"
    "  %tick = getelementptr i64, ptr %ticks, i64 %index\n"
    "  %tick.old = load i64, ptr %tick\n"
    "  %tick.new = add i64 %tick.old, %spent\n"
    "  store i64 %tick.new, ptr %tick\n"
    "  %calls.at = getelementptr %profile, ptr %profile, i32 0, i32 3\n"
    "  %calls = load ptr, ptr %calls.at\n"
    "  %call = getelementptr i64, ptr %calls, i64 %index\n"
    "  %call.old = load i64, ptr %call\n"
    "  %call.new = add i64 %call.old, 1\n"
    "  store i64 %call.new, ptr %call\n"
    "  br label %out\n"
    "out:\n"
    "  ret void\n"
    "}\n";

/* $A is the workspace's alignment less 1, $W where the scratch begins. */
static const char run_head[] =
    "define i32 @$N_run(ptr %input, ptr %output, ptr %workspace, ptr %exec) #0 {\n"
    "  %job = alloca %job\n"
    "  %taken = alloca [$T x i64]\n"
    "  %no.input = icmp eq ptr %input, null\n"
    "  %no.output = icmp eq ptr %output, null\n"
    "  %no.workspace = icmp eq ptr %workspace, null\n"
    "  %no.data = or i1 %no.input, %no.output\n"
    "  %no.pointer = or i1 %no.data, %no.workspace\n"
    "  br i1 %no.pointer, label %out, label %align\n"
    "align:\n"
    "  %input.bits = ptrtoint ptr %input to i64\n"
    "  %output.bits = ptrtoint ptr %output to i64\n"
    "  %workspace.bits = ptrtoint ptr %workspace to i64\n"
    "  %data.bits = or i64 %input.bits, %output.bits\n"
    "  %data.low = and i64 %data.bits, 3\n"
    "  %workspace.low = and i64 %workspace.bits, $A\n"
    "  %low = or i64 %data.low, %workspace.low\n"
    "  %crooked = icmp ne i64 %low, 0\n"
    "  br i1 %crooked, label %out, label %guide\n"
    "guide:\n"
    "  %alone = icmp eq ptr %exec, null\n"
    "  br i1 %alone, label %processor, label %version\n"
    "version:\n"
    "  %abi = load i32, ptr %exec\n"
    "  %foreign = icmp ne i32 %abi, $V\n"
    "  br i1 %foreign, label %out, label %hook\n"
    "hook:\n"
    "  %threads.at = getelementptr %exec, ptr %exec, i32 0, i32 1\n"
    "  %threads = load i32, ptr %threads.at\n"
    "  %many = icmp ugt i32 %threads, 1\n"
    "  %parallel.at = getelementptr %exec, ptr %exec, i32 0, i32 2\n"
    "  %parallel = load ptr, ptr %parallel.at\n"
    "  %no.hook = icmp eq ptr %parallel, null\n"
    "  %stuck = and i1 %many, %no.hook\n"
    "  br i1 %stuck, label %out, label %timing\n"
    "timing:\n"
    "  %profile.at = getelementptr %exec, ptr %exec, i32 0, i32 4\n"
    "  %profile = load ptr, ptr %profile.at\n"
    "  %untimed = icmp eq ptr %profile, null\n"
    "  br i1 %untimed, label %processor, label %timed\n"
    "timed:\n"
    "  %clock = load ptr, ptr %profile\n"
    "  %no.clock = icmp eq ptr %clock, null\n"
    "  %ticks.at = getelementptr %profile, ptr %profile, i32 0, i32 2\n"
    "  %ticks = load ptr, ptr %ticks.at\n"
    "  %no.ticks = icmp eq ptr %ticks, null\n"
    "  %calls.at = getelementptr %profile, ptr %profile, i32 0, i32 3\n"
    "  %calls = load ptr, ptr %calls.at\n"
    "  %no.calls = icmp eq ptr %calls, null\n"
    "  %no.count = or i1 %no.ticks, %no.calls\n"
    "  %no.profile = or i1 %no.clock, %no.count\n"
    "  br i1 %no.profile, label %out, label %processor\n"
    "processor:\n"
    "  %leaf1 = call { i32, i32, i32, i32 } asm sideeffect \"cpuid\","
    " \"={ax},={bx},={cx},={dx},{ax},{cx}\"(i32 1, i32 0)\n"
    "  %ecx1 = extractvalue { i32, i32, i32, i32 } %leaf1, 2\n"
    "  %xsave = and i32 %ecx1, 134217728\n"
    "  %no.xsave = icmp eq i32 %xsave, 0\n"
    "  br i1 %no.xsave, label %out, label %features\n"
    "features:\n" /* whoever has XSAVE has leaf 13, and so leaf 7 */
    "  %xcr = call { i32, i32 } asm sideeffect \"xgetbv\", \"={ax},={dx},{cx}\"(i32 0)\n"
    "  %xcr0 = extractvalue { i32, i32 } %xcr, 0\n"
    "  %leaf7 = call { i32, i32, i32, i32 } asm sideeffect \"cpuid\","
    " \"={ax},={bx},={cx},={dx},{ax},{cx}\"(i32 7, i32 0)\n"
    "  %ebx7 = extractvalue { i32, i32, i32, i32 } %leaf7, 1\n"
    "  %input.at = getelementptr %job, ptr %job, i32 0, i32 1\n"
    "  store ptr %input, ptr %input.at\n"
    "  %output.at = getelementptr %job, ptr %job, i32 0, i32 2\n"
    "  store ptr %output, ptr %output.at\n"
    "  %workspace.at = getelementptr %job, ptr %job, i32 0, i32 3\n"
    "  store ptr %workspace, ptr %workspace.at\n"
    "  %scratch = getelementptr i8, ptr %workspace, i64 $W\n"
    "  %scratch.at = getelementptr %job, ptr %job, i32 0, i32 4\n"
    "  store ptr %scratch, ptr %scratch.at\n"
    "  %exec.at = getelementptr %job, ptr %job, i32 0, i32 7\n"
    "  store ptr %exec, ptr %exec.at\n"
    "  %taken.at = getelementptr %job, ptr %job, i32 0, i32 8\n"
    "  store ptr %taken, ptr %taken.at\n"
    "  br label %try.$B\n";

/* One target: $I its number, $P the number of the next weaker one, or `out`. */
static const char run_try[] = "try.$I:\n"
                              "  %ecx1.$I = and i32 %ecx1, $1\n"
                              "  %ebx7.$I = and i32 %ebx7, $7\n"
                              "  %xcr0.$I = and i32 %xcr0, $X\n"
                              "  %has.1.$I = icmp eq i32 %ecx1.$I, $1\n"
                              "  %has.7.$I = icmp eq i32 %ebx7.$I, $7\n"
                              "  %has.x.$I = icmp eq i32 %xcr0.$I, $X\n"
                              "  %has.17.$I = and i1 %has.1.$I, %has.7.$I\n"
                              "  %has.$I = and i1 %has.17.$I, %has.x.$I\n"
                              "  br i1 %has.$I, label %use.$I, label %$P\n"
                              "use.$I:\n"
                              "  call void @$N__plan_$Y(ptr %job)\n"
                              "  br label %out\n";

/* Writes text with every $LETTER replaced by what stands behind it in `pair`: letter, text, .... */
struct word {
    char letter;
    const char *text;
};

static void put(FILE *file, const char *text, const struct word *word)
{
    for (; *text; text++) {
        if (*text != '$') {
            fputc(*text, file);
            continue;
        }
        text++;
        const struct word *w = word;
        while (w->letter != *text)
            w++;
        fputs(w->text, file);
    }
}

struct digits {
    char text[24];
};

static struct digits digits_of(int64_t value)
{
    struct digits digits;
    snprintf(digits.text, sizeof digits.text, "%" PRId64, value);
    return digits;
}

static int64_t round_up(int64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int64_t workspace_total(const struct module *module)
{
    int64_t bytes =
        round_up(module->workspace_bytes) + module->threads * round_up(module->scratch_bytes);
    return bytes ? bytes : ALIGNMENT;
}

bool kernel_is_for(const struct kernel *kernel, const struct target *target)
{
    return !kernel->target || !strcmp(kernel->target, target->name);
}

char *kernel_symbol(const struct module *module, const struct kernel *kernel,
                    const struct target *target)
{
    char *symbol;
    if (asprintf(&symbol, "%s_%s__%s", module->name, kernel->name, target->symbol) < 0)
        exit(4);
    return symbol;
}

/* What the profile counts: kernels of one name, made for several targets, share a number. */
struct names {
    int count;
    const char **name;
};

static int kernel_number(const struct names *names, const struct kernel *kernel)
{
    int number = 0;
    while (number < names->count && strcmp(names->name[number], kernel->name))
        number++;
    return number;
}

static struct names kernel_names(const struct plan *plan)
{
    int most = 1;
    for (const struct kernel *k = plan->module->kernels; k; k = k->next)
        most++;
    struct names names = {.name = calloc((size_t)most, sizeof *names.name)};
    if (!names.name)
        exit(4);
    for (const struct kernel *k = plan->module->kernels; k; k = k->next)
        for (int i = 0; i < plan->targets; i++)
            if (kernel_is_for(k, plan->target[i]) && kernel_number(&names, k) == names.count)
                names.name[names.count++] = k->name;
    return names;
}

static const char turn_head[] = "  %input.at = getelementptr %job, ptr %job, i32 0, i32 1\n"
                                "  %output.at = getelementptr %job, ptr %job, i32 0, i32 2\n"
                                "  br label %turn\n"
                                "turn:\n"
                                "  %t = phi i64 [ 0, %0 ], [ %t.next, %turn ]\n";

/* $I and $O are bytes of a turn's images and results, $R the number of turns. */
static const char turn_end[] = "  %input = load ptr, ptr %input.at\n"
                               "  %input.next = getelementptr i8, ptr %input, i64 $I\n"
                               "  store ptr %input.next, ptr %input.at\n"
                               "  %output = load ptr, ptr %output.at\n"
                               "  %output.next = getelementptr i8, ptr %output, i64 $O\n"
                               "  store ptr %output.next, ptr %output.at\n"
                               "  %t.next = add i64 %t, 1\n"
                               "  %more = icmp ult i64 %t.next, $R\n"
                               "  br i1 %more, label %turn, label %out\n"
                               "out:\n";

static void put_turn_end(FILE *file, const struct module *m)
{
    struct digits input = digits_of(4 * m->batch * m->channels * m->height * m->width);
    struct digits output = digits_of(4 * m->batch * m->classes), turns = digits_of(m->turns);
    put(file, turn_end,
        (struct word[]){{'I', input.text}, {'O', output.text}, {'R', turns.text}, {0}});
}

static void put_plan(FILE *file, const struct plan *plan, const struct names *names,
                     const struct target *target)
{
    const char *name = plan->module->name;
    for (const struct kernel *k = plan->module->kernels; k; k = k->next)
        if (kernel_is_for(k, target))
            fprintf(file, "declare void @%s_%s__%s(ptr, ptr, ptr, ptr, i64, i64)\n", name, k->name,
                    target->symbol);
    fprintf(file, "define internal void @%s__plan_%s(ptr %%job) #0 {\n", name, target->symbol);
    if (plan->module->turns > 1)
        fputs(turn_head, file);
    for (const struct kernel *k = plan->module->kernels; k; k = k->next) {
        const struct stmt *parallel = kernel_parallel(k);
        if (kernel_is_for(k, target))
            fprintf(file,
                    "  call void @%s__launch(ptr %%job, ptr @%s_%s__%s, i64 %" PRId64 ", i64 %d)\n",
                    name, name, k->name, target->symbol, parallel ? parallel->var->extent : 1,
                    kernel_number(names, k));
    }
    if (plan->module->turns > 1)
        put_turn_end(file, plan->module);
    fputs("  ret void\n}\n", file);
}

static void put_run(FILE *file, const struct plan *plan)
{
    const struct module *m = plan->module;
    struct digits scratch = digits_of(round_up(m->scratch_bytes)), threads = digits_of(m->threads);
    struct digits begin = digits_of(round_up(m->workspace_bytes)), low = digits_of(ALIGNMENT - 1);
    struct digits version = digits_of(SAN_ABI_VERSION), best = digits_of(plan->targets - 1);
    struct word word[] = {
        {'N', m->name},  {'S', scratch.text}, {'T', threads.text}, {'W', begin.text},
        {'A', low.text}, {'V', version.text}, {'B', best.text},    {0}};
    put(file, task, word);
    put(file, launch, word);
    put(file, run_head, word);
    for (int i = plan->targets; i-- > 0;) {
        struct cpu_need need = cpu_need(target_level(plan->target[i]));
        char weaker[24] = "out";
        if (i)
            snprintf(weaker, sizeof weaker, "try.%d", i - 1);
        struct digits number = digits_of(i), ecx1 = digits_of(need.leaf1_ecx);
        struct digits ebx7 = digits_of(need.leaf7_ebx), xcr0 = digits_of(need.xcr0);
        put(file, run_try,
            (struct word[]){{'N', m->name},
                            {'I', number.text},
                            {'1', ecx1.text},
                            {'7', ebx7.text},
                            {'X', xcr0.text},
                            {'P', weaker},
                            {'Y', plan->target[i]->symbol},
                            {0}});
    }
    fprintf(file,
            "out:\n  %%status = phi i32 [ %d, %%0 ], [ %d, %%align ], [ %d, %%version ],"
            " [ %d, %%hook ], [ %d, %%timed ], [ %d, %%processor ], [ %d, %%try.0 ]",
            SAN_EPOINTER, SAN_EALIGN, SAN_EABI, SAN_EEXEC, SAN_EEXEC, SAN_ECPU, SAN_ECPU);
    for (int i = 0; i < plan->targets; i++)
        fprintf(file, ", [ %d, %%use.%d ]", SAN_OK, i);
    fputs("\n  ret i32 %status\n}\n", file);
}

static void put_string(FILE *file, const char *symbol, const char *text)
{
    fprintf(file, "@%s = private unnamed_addr constant [%zu x i8] c\"", symbol, strlen(text) + 1);
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            fprintf(file, "\\%02X", (unsigned char)*text);
        else
            fputc(*text, file);
    fputs("\\00\"\n", file);
}

static char *join_targets(const struct module *module)
{
    size_t size = 1;
    for (int i = 0; i < module->targets; i++)
        size += strlen(module->target[i]) + 1;
    char *text = calloc(size, 1);
    if (!text)
        exit(4);
    for (int i = 0; i < module->targets; i++) {
        strcat(text, i ? "," : "");
        strcat(text, module->target[i]);
    }
    return text;
}

static void put_kernel_names(FILE *file, const struct names *names)
{
    char symbol[32];
    for (int i = 0; i < names->count; i++) {
        snprintf(symbol, sizeof symbol, "kernel.%d", i);
        put_string(file, symbol, names->name[i]);
    }
    fprintf(file, "@kernels = private constant [%d x ptr] [", names->count);
    for (int i = 0; i < names->count; i++)
        fprintf(file, "%sptr @kernel.%d", i ? ", " : "", i);
    fputs("]\n", file);
}

static void put_model(FILE *file, const struct plan *plan, const struct names *names)
{
    const struct module *m = plan->module;
    char compiler[64];
    char *targets = join_targets(m);
    snprintf(compiler, sizeof compiler, "sanc " SANC_VERSION ", LLVM %s", backend_llvm_version());
    put_string(file, "name", m->name);
    put_string(file, "compiler", compiler);
    put_string(file, "targets", targets);
    free(targets);
    put_kernel_names(file, names);
    fprintf(file,
            "@%s_model = constant %%model { i32 %d, i32 %d, ptr @name, ptr @compiler, ptr @targets,"
            " ptr @kernels, i32 %" PRId64 ", i32 %" PRId64 ", i32 %" PRId64 ", i32 %" PRId64
            ", i32 %" PRId64 ", i32 %" PRId64 ", i64 %" PRId64 ", i64 %d, i64 0, [32 x i8] [",
            m->name, SAN_ABI_VERSION, names->count, module_images(m), m->channels, m->height,
            m->width, m->classes, m->threads, workspace_total(m), ALIGNMENT);
    for (int i = 0; i < 32; i++)
        fprintf(file, "%si8 %d", i ? ", " : "", plan->weights_sha256[i]);
    fprintf(file,
            plan->targets ? "], ptr @%s_run, ptr null, i32 0 }\n"
                          : "], ptr null, ptr null, i32 0 } ; %s\n",
            m->name);
}

char *dispatch_text(const struct plan *plan)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        exit(4);
    struct names names = kernel_names(plan);
    fputs(types, file);
    put_model(file, plan, &names);
    for (int i = 0; i < plan->targets; i++)
        put_plan(file, plan, &names, plan->target[i]);
    if (plan->targets)
        put_run(file, plan);
    fputs("attributes #0 = { nounwind \"target-cpu\"=\"x86-64\" }\n", file);
    free(names.name);
    if (fclose(file))
        exit(4);
    return text;
}
