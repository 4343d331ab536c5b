/* NAME_run and what it calls, as LLVM's text: dispatch.ll with its holes filled. */
#define _GNU_SOURCE
#include "backend.h"
#include "cpu.h"
#include "dispatch_text.h"
#include "emit.h"
#include "memory.h"
#include "template.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What a task needs. `taken` says for each of `ranges` ranges how far it is taken. */
struct job {
    void *kernel, *input, *output, *workspace, *scratch;
    int64_t iterations, ranges;
    void *exec, *taken;
};

/* While a kernel runs: exceptions are masked, rounding is to nearest, subnormal operands and
 * results are zeros. */
enum {
    MXCSR_DAZ = 1 << 6,
    MXCSR_MASKS = 0x3f << 7,
    MXCSR_FTZ = 1 << 15,
    MXCSR = MXCSR_DAZ | MXCSR_MASKS | MXCSR_FTZ
};

_Static_assert(offsetof(struct job, kernel) == 0 && offsetof(struct san_exec, abi_version) == 0 &&
                   offsetof(struct san_profile, clock) == 0,
               "dispatch.ll reads the first field of each without an offset");

#define FIELD(type, field)                                                                         \
    {                                                                                              \
#type "." #field, NULL, offsetof(struct type, field)                                       \
    }
#define EXEC(field)                                                                                \
    {                                                                                              \
        "exec." #field, NULL, offsetof(struct san_exec, field)                                     \
    }
#define PROFILE(field)                                                                             \
    {                                                                                              \
        "profile." #field, NULL, offsetof(struct san_profile, field)                               \
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
        memory_fail();
    return symbol;
}

static int kernel_number(const struct kernel_names *names, const struct kernel *kernel)
{
    int number = 0;
    while (number < names->count && strcmp(names->name[number], kernel->name))
        number++;
    return number;
}

struct kernel_names kernel_names(const struct plan *plan)
{
    int most = 1;
    for (const struct kernel *k = plan->module->kernels; k; k = k->next)
        most++;
    struct kernel_names names = {.name = allocate(most, sizeof *names.name)};
    for (const struct kernel *k = plan->module->kernels; k; k = k->next)
        for (int i = 0; i < plan->targets; i++)
            if (kernel_is_for(k, plan->target[i]) && kernel_number(&names, k) == names.count)
                names.name[names.count++] = k->name;
    return names;
}

static void put(FILE *file, const char *section, const struct hole *holes)
{
    template_put(file, (const char *)dispatch_template, section, holes);
}

/* A section for each kernel of a target. */
static void put_kernels(FILE *file, const char *section, const struct plan *plan,
                        const struct kernel_names *names, const struct target *target)
{
    for (const struct kernel *k = plan->module->kernels; k; k = k->next) {
        if (!kernel_is_for(k, target))
            continue;
        const struct stmt *parallel = kernel_parallel(k);
        char *symbol = kernel_symbol(plan->module, k, target);
        const struct hole holes[] = {
            {.name = "model", .text = plan->module->name},
            {.name = "kernel", .text = symbol},
            {.name = "iterations", .number = parallel ? parallel->var->extent : 1},
            {.name = "number", .number = kernel_number(names, k)},
            {0}};
        put(file, section, holes);
        free(symbol);
    }
}

static void put_plan(FILE *file, const struct plan *plan, const struct kernel_names *names,
                     const struct target *target)
{
    const struct module *m = plan->module;
    const struct hole holes[] = {
        FIELD(job, input),
        FIELD(job, output),
        {.name = "model", .text = m->name},
        {.name = "symbol", .text = target->symbol},
        {.name = "input_bytes", .number = 4 * m->batch * m->channels * m->height * m->width},
        {.name = "output_bytes", .number = 4 * m->batch * m->classes},
        {.name = "turns", .number = m->turns},
        {0}};
    put_kernels(file, "declare", plan, names, target);
    put(file, "plan", holes);
    if (m->turns > 1)
        put(file, "turn_begin", holes);
    put_kernels(file, "call", plan, names, target);
    if (m->turns > 1)
        put(file, "turn_end", holes);
    put(file, "plan_end", holes);
}

/* A section for target number `i` of the plan. */
static void put_target(FILE *file, const char *section, const struct plan *plan, int i)
{
    struct cpu_need need = cpu_need(target_level(plan->target[i]));
    char weaker[24] = "none";
    if (i)
        snprintf(weaker, sizeof weaker, "try.%d", i - 1);
    const struct hole holes[] = {{.name = "model", .text = plan->module->name},
                                 {.name = "target", .number = i},
                                 {.name = "target_code", .number = i + 1},
                                 {.name = "weaker", .text = weaker},
                                 {.name = "leaf1_ecx", .number = need.leaf1_ecx},
                                 {.name = "leaf7_ebx", .number = need.leaf7_ebx},
                                 {.name = "xcr0", .number = need.xcr0},
                                 {.name = "symbol", .text = plan->target[i]->symbol},
                                 {0}};
    put(file, section, holes);
}

static void put_run(FILE *file, const struct plan *plan)
{
    const struct module *m = plan->module;
    const struct hole holes[] = {FIELD(job, input),
                                 FIELD(job, output),
                                 FIELD(job, workspace),
                                 FIELD(job, scratch),
                                 FIELD(job, iterations),
                                 FIELD(job, ranges),
                                 FIELD(job, exec),
                                 FIELD(job, taken),
                                 EXEC(threads),
                                 EXEC(parallel),
                                 EXEC(context),
                                 EXEC(profile),
                                 PROFILE(context),
                                 PROFILE(ticks),
                                 PROFILE(calls),
                                 {.name = "mxcsr", .number = MXCSR},
                                 {.name = "job.bytes", .number = sizeof(struct job)},
                                 {.name = "model", .text = m->name},
                                 {.name = "scratch_bytes", .number = round_up(m->scratch_bytes)},
                                 {.name = "threads", .number = m->threads},
                                 {.name = "scratch_begin", .number = round_up(m->workspace_bytes)},
                                 {.name = "workspace_low", .number = ALIGNMENT - 1},
                                 {.name = "abi_version", .number = SAN_ABI_VERSION},
                                 {.name = "strongest", .number = plan->targets - 1},
                                 {.name = "EPOINTER", .number = SAN_EPOINTER},
                                 {.name = "EALIGN", .number = SAN_EALIGN},
                                 {.name = "EABI", .number = SAN_EABI},
                                 {.name = "EEXEC", .number = SAN_EEXEC},
                                 {.name = "ECPU", .number = SAN_ECPU},
                                 {0}};
    put(file, "task", holes);
    put(file, "launch", holes);
    put(file, "run", holes);
    for (int i = 0; i < plan->targets; i++)
        put_target(file, "known", plan, i);
    put(file, "look", holes);
    for (int i = plan->targets; i-- > 0;)
        put_target(file, "try", plan, i);
    put(file, "out", holes);
    for (int i = 0; i < plan->targets; i++)
        put_target(file, "used", plan, i);
    put(file, "end", holes);
}

char *dispatch_text(const struct plan *plan)
{
    char *text = NULL;
    size_t size;
    FILE *file = memory_stream(&text, &size);
    struct kernel_names names = kernel_names(plan);
    for (int i = 0; i < plan->targets; i++)
        put_plan(file, plan, &names, plan->target[i]);
    if (plan->targets)
        put_run(file, plan);
    free(names.name);
    memory_stream_end(file);
    return text;
}
