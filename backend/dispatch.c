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

/* What a task needs, of a unit's run. `taken` says for each of `ranges` ranges how far it is taken. */
struct job {
    void *kernel, *input, *output, *workspace, *scratch;
    int64_t scratch_bytes; /* of a task */
    int64_t iterations, ranges;
    void *exec, *taken;
    const void *weights; /* only where they are outside of the object */
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
                   offsetof(struct san_profile, clock) == 0 &&
                   offsetof(struct san_weights, data) == 0,
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

/* ---- units ----------------------------------------------------------------------------------- */

static int64_t image_bytes(const struct module *m)
{
    return dtype_bytes[m->input_type] * m->channels * m->height * m->width;
}

static int64_t result_bytes(const struct module *m)
{
    return 4 * m->classes;
}

void plan_units(struct plan *plan)
{
    plan->units = 0;
    for (const struct module *m = plan->module; m; m = m->smaller) {
        int place = 0;
        while (place < plan->units && plan->unit[place]->batch > m->batch)
            place++;
        if (place < plan->units && plan->unit[place]->batch == m->batch)
            continue; /* it runs the same code */
        for (int i = plan->units++; i > place; i--)
            plan->unit[i] = plan->unit[i - 1];
        plan->unit[place] = m;
    }
}

static int64_t unit_workspace(const struct module *unit)
{
    return round_up(unit->workspace_bytes) + unit->threads * round_up(unit->scratch_bytes);
}

/* Where a rest's images are in the workspace; then its results. */
static int64_t rest_input(const struct module *unit)
{
    return unit_workspace(unit);
}

static int64_t rest_output(const struct module *unit)
{
    return rest_input(unit) + round_up(unit->batch * image_bytes(unit));
}

int64_t workspace_total(const struct module *module)
{
    struct plan plan = {.module = module};
    int64_t most = ALIGNMENT;
    plan_units(&plan);
    for (int i = 0; i < plan.units; i++) {
        int64_t bytes = unit_workspace(plan.unit[i]);
        most = bytes > most ? bytes : most;
    }
    const struct module *smallest = plan.unit[plan.units - 1];
    int64_t bytes = rest_output(smallest) + round_up(smallest->batch * result_bytes(smallest));
    return smallest->batch > 1 && bytes > most ? bytes : most;
}

/* ---- kernels --------------------------------------------------------------------------------- */

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

static void add_kernels(struct kernel_names *names, const struct plan *plan,
                        const struct module *unit)
{
    int most = names->count;
    for (const struct kernel *k = unit->kernels; k; k = k->next)
        most++;
    names->name = allocate_again(names->name, most + 1, sizeof *names->name);
    for (const struct kernel *k = unit->kernels; k; k = k->next)
        for (int i = 0; i < plan->targets; i++)
            if (kernel_is_for(k, plan->target[i]) && kernel_number(names, k) == names->count)
                names->name[names->count++] = k->name;
}

struct kernel_names kernel_names(const struct plan *plan)
{
    struct kernel_names names = {0};
    for (int i = 0; i < plan->units; i++)
        add_kernels(&names, plan, plan->unit[i]);
    return names;
}

static void put(FILE *file, const char *section, const struct hole *holes)
{
    template_put(file, (const char *)dispatch_template, section, holes);
}

/* A section for each kernel of a unit and a target. */
static void put_kernels(FILE *file, const char *section, const struct plan *plan,
                        const struct module *unit, const struct kernel_names *names,
                        const struct target *target)
{
    for (const struct kernel *k = unit->kernels; k; k = k->next) {
        if (!kernel_is_for(k, target))
            continue;
        const struct stmt *parallel = kernel_parallel(k);
        char *symbol = kernel_symbol(unit, k, target);
        const struct hole holes[] = {
            {.name = "model", .text = unit->name},
            {.name = "kernel", .text = symbol},
            {.name = "and_weights", .text = plan->outside ? ", ptr" : ""},
            {.name = "iterations", .number = parallel ? parallel->var->extent : 1},
            {.name = "number", .number = kernel_number(names, k)},
            {0}};
        put(file, section, holes);
        free(symbol);
    }
}

static void put_plan(FILE *file, const struct plan *plan, const struct module *unit,
                     const struct kernel_names *names, const struct target *target)
{
    const struct hole holes[] = {
        FIELD(job, workspace),
        FIELD(job, scratch),
        FIELD(job, scratch_bytes),
        {.name = "model", .text = unit->name},
        {.name = "unit", .number = unit->batch},
        {.name = "symbol", .text = target->symbol},
        {.name = "scratch_begin", .number = round_up(unit->workspace_bytes)},
        {.name = "scratch_bytes", .number = round_up(unit->scratch_bytes)},
        {0}};
    put_kernels(file, "declare", plan, unit, names, target);
    put(file, "plan", holes);
    put_kernels(file, "call", plan, unit, names, target);
    put(file, "plan_end", holes);
}

/* All images: as many runs of each unit as there are images for, the largest unit first; the rest
 * by a run of the smallest that is filled up. */
static void put_images(FILE *file, const struct plan *plan, const struct target *target)
{
    char before[32] = "0", left[32] = "images", next[32];
    const struct module *smallest = plan->unit[plan->units - 1];
    const char *end = smallest->batch > 1 ? "rest" : "out";
    struct hole holes[] = {FIELD(job, input),
                           FIELD(job, output),
                           FIELD(job, workspace),
                           {.name = "model", .text = smallest->name},
                           {.name = "symbol", .text = target->symbol},
                           {.name = "image_bytes", .number = image_bytes(smallest)},
                           {.name = "result_bytes", .number = result_bytes(smallest)},
                           {.name = "rest_input", .number = rest_input(smallest)},
                           {.name = "rest_output", .number = rest_output(smallest)},
                           {.name = "before", .text = before},
                           {.name = "left", .text = left},
                           {.name = "next", .text = next},
                           {.name = "unit", .number = plan->unit[0]->batch},
                           {0}};
    int64_t *unit = &holes[sizeof holes / sizeof *holes - 2].number;
    put(file, "images", holes);
    for (int i = 0; i < plan->units; i++) {
        *unit = plan->unit[i]->batch;
        snprintf(next, sizeof next, "%s", end);
        if (i + 1 < plan->units)
            snprintf(next, sizeof next, "unit.%" PRId64, plan->unit[i + 1]->batch);
        put(file, "unit", holes);
        snprintf(before, sizeof before, "unit.%" PRId64, *unit);
        snprintf(left, sizeof left, "left.%" PRId64, *unit);
    }
    if (smallest->batch > 1)
        put(file, "rest", holes);
    put(file, "images_end", holes);
}

/* A section for target number `i` of the plan. */
static void put_target(FILE *file, const char *section, const struct plan *plan, int i)
{
    struct cpu_need need = cpu_need(plan->target[i], plan->module->precision);
    char weaker[24] = "none";
    if (i)
        snprintf(weaker, sizeof weaker, "try.%d", i - 1);
    const struct hole holes[] = {{.name = "model", .text = plan->module->name},
                                 {.name = "target", .number = i},
                                 {.name = "target_code", .number = i + 1},
                                 {.name = "weaker", .text = weaker},
                                 {.name = "more", .text = need.leaf7_1_eax ? "more" : "found"},
                                 {.name = "tiles", .text = need.leaf7_edx ? "tiles" : "found"},
                                 {.name = "leaf1_ecx", .number = need.leaf1_ecx},
                                 {.name = "leaf7_ebx", .number = need.leaf7_ebx},
                                 {.name = "leaf7_edx", .number = need.leaf7_edx},
                                 {.name = "leaf7_1_eax", .number = need.leaf7_1_eax},
                                 {.name = "leaf0_ecx", .number = need.leaf0_ecx},
                                 {.name = "xcr0", .number = need.xcr0},
                                 {.name = "symbol", .text = plan->target[i]->symbol},
                                 {.name = "arch_prctl", .number = SYS_ARCH_PRCTL},
                                 {.name = "request", .number = REQUEST_REGISTERS},
                                 {.name = "registers", .number = REGISTERS_TILES},
                                 {0}};
    put(file, section, holes);
}

/* Whether the processor has what a target needs. */
static void put_target_try(FILE *file, const struct plan *plan, int i)
{
    put_target(file, "try", plan, i);
    struct cpu_need need = cpu_need(plan->target[i], plan->module->precision);
    if (need.leaf7_1_eax)
        put_target(file, "more", plan, i);
    if (need.leaf7_edx)
        put_target(file, "tiles", plan, i);
    put_target(file, "found", plan, i);
}

static size_t job_bytes(const struct plan *plan)
{
    return plan->outside ? sizeof(struct job) : offsetof(struct job, weights);
}

/* How a kernel is shared out. */
static void put_launch(FILE *file, const struct plan *plan)
{
    const struct hole holes[] = {
        FIELD(job, input),
        FIELD(job, output),
        FIELD(job, workspace),
        FIELD(job, scratch),
        FIELD(job, scratch_bytes),
        FIELD(job, iterations),
        FIELD(job, ranges),
        FIELD(job, exec),
        FIELD(job, taken),
        FIELD(job, weights),
        EXEC(threads),
        EXEC(parallel),
        EXEC(context),
        EXEC(profile),
        PROFILE(context),
        PROFILE(ticks),
        PROFILE(calls),
        {.name = "mxcsr", .number = MXCSR},
        {.name = "model", .text = plan->module->name},
        {.name = "threads", .number = plan->module->threads},
        {.name = "and_weights", .text = plan->outside ? ", ptr %weights" : ""},
        {0}};
    if (plan->unit[plan->units - 1]->batch > 1)
        put(file, "copy", holes);
    put(file, "iterate", holes);
    if (plan->outside)
        put(file, "iterate_weights", holes);
    put(file, "task", holes);
    put(file, "launch", holes);
    if (plan->outside)
        put(file, "hash", holes);
}

static void put_run(FILE *file, const struct plan *plan)
{
    const struct module *m = plan->module;
    const char *checked = plan->outside ? "handed" : "processor";
    const struct hole holes[] = {FIELD(job, input),
                                 FIELD(job, output),
                                 FIELD(job, workspace),
                                 FIELD(job, exec),
                                 FIELD(job, taken),
                                 FIELD(job, weights),
                                 FIELD(san_weights, sha256),
                                 EXEC(threads),
                                 EXEC(parallel),
                                 EXEC(profile),
                                 EXEC(weights),
                                 PROFILE(ticks),
                                 PROFILE(calls),
                                 {.name = "job.bytes", .number = (int64_t)job_bytes(plan)},
                                 {.name = "model", .text = m->name},
                                 {.name = "threads", .number = m->threads},
                                 {.name = "batch", .number = module_images(m)},
                                 {.name = "input_low", .number = dtype_bytes[m->input_type] - 1},
                                 {.name = "workspace_low", .number = ALIGNMENT - 1},
                                 {.name = "abi_version", .number = SAN_ABI_VERSION},
                                 {.name = "strongest", .number = plan->targets - 1},
                                 {.name = "EPOINTER", .number = SAN_EPOINTER},
                                 {.name = "EALIGN", .number = SAN_EALIGN},
                                 {.name = "EABI", .number = SAN_EABI},
                                 {.name = "EEXEC", .number = SAN_EEXEC},
                                 {.name = "ECPU", .number = SAN_ECPU},
                                 {.name = "EWEIGHTS", .number = SAN_EWEIGHTS},
                                 {.name = "alone", .text = plan->outside ? "out" : checked},
                                 {.name = "guided", .text = checked},
                                 {0}};
    put(file, "run", holes);
    if (plan->outside)
        put(file, "weights", holes);
    put(file, "processor", holes);
    for (int i = 0; i < plan->targets; i++)
        put_target(file, "known", plan, i);
    put(file, "look", holes);
    for (int i = plan->targets; i-- > 0;)
        put_target_try(file, plan, i);
    put(file, "out", holes);
    if (plan->outside)
        put(file, "out_weights", holes);
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
    for (int i = 0; i < plan->targets; i++) {
        for (int j = 0; j < plan->units; j++)
            put_plan(file, plan, plan->unit[j], &names, plan->target[i]);
        put_images(file, plan, plan->target[i]);
    }
    if (plan->targets) {
        put_launch(file, plan);
        put_run(file, plan);
    }
    free(names.name);
    memory_stream_end(file);
    return text;
}
