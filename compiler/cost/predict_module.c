/* Predictions of all kernels of a module: what a kernel finds in L2 depends on the kernels before.
 */
#include "predict_module.h"
#include "cost.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

/* How long ago buffers were touched, in bytes that were touched since. */
struct history {
    int64_t cache;
    double clock;
    size_t buffers;
    struct age {
        const struct buffer *buffer;
        double last; /* clock after the last kernel that touched it; negative: none has */
    } * age;         /* ordered by address */
};

static int by_address(const void *a, const void *b)
{
    const struct age *p = a, *q = b;
    return (p->buffer > q->buffer) - (p->buffer < q->buffer);
}

static struct history history_new(const struct module *module, int64_t cache)
{
    struct history h = {.cache = cache};
    for (const struct buffer *b = module->buffers; b; b = b->next)
        h.buffers++;
    h.age = allocate((int64_t)h.buffers + 1, sizeof *h.age);
    size_t i = 0;
    for (const struct buffer *b = module->buffers; b; b = b->next)
        h.age[i++] = (struct age){b, -1};
    qsort(h.age, h.buffers, sizeof *h.age, by_address);
    return h;
}

static struct age *age_of(struct history *h, const struct buffer *buffer)
{
    struct age key = {.buffer = buffer};
    return bsearch(&key, h->age, h->buffers, sizeof key, by_address);
}

/* The bytes that the kernel would fetch from beyond L2 but finds in L2. Then counts the kernel as
 * run. */
static double history_run(struct history *h, const struct kernel *kernel)
{
    struct work *work = work_new(kernel);
    int64_t room = work->buffers + 1;
    int64_t *touched = allocate(room, sizeof *touched);
    double *misses = allocate(room, sizeof *misses), kept = 0, sum = 0;
    work_footprint(work, ACCESS_READ | ACCESS_WRITE, touched);
    work_misses(work, h->cache, misses);
    for (int i = 0; i < work->buffers; i++) {
        const struct age *age = age_of(h, work->buffer[i]);
        if (!age)
            continue; /* a tile of the kernel's own */
        sum += (double)touched[i];
        if (age->last >= 0 && h->clock - age->last + (double)touched[i] <= (double)h->cache)
            kept += misses[i];
    }
    h->clock += sum;
    for (int i = 0; i < work->buffers; i++) {
        struct age *age = age_of(h, work->buffer[i]);
        if (age)
            age->last = h->clock;
    }
    free(touched);
    free(misses);
    work_free(work);
    return kept;
}

static bool runs_on(const struct kernel *kernel, const char *name)
{
    return !kernel->target || strcmp(kernel->target, name) == 0;
}

void module_predict(const struct module *module, const char *name, const struct target *target,
                    struct predictions *predictions)
{
    *predictions = (struct predictions){0};
    struct history history = history_new(module, target->l2_bytes);
    int count = 0;
    for (const struct kernel *k = module->kernels; k; k = k->next)
        if (runs_on(k, name)) {
            history_run(&history, k);
            count++;
        }
    predictions->kernel = allocate(count + 1, sizeof(const struct kernel *));
    predictions->of = allocate(count + 1, sizeof *predictions->of);
    for (const struct kernel *k = module->kernels; k; k = k->next) {
        if (!runs_on(k, name))
            continue;
        int i = predictions->count++;
        predictions->kernel[i] = k;
        kernel_predict(k, target, history_run(&history, k), &predictions->of[i]);
        predictions->cycles += (double)predictions->of[i].cost.cycles;
    }
    free(history.age);
}

void predictions_repeat(struct predictions *predictions, int64_t times)
{
    for (int i = 0; i < predictions->count; i++) {
        struct prediction *p = &predictions->of[i];
        int64_t *each[] = {&p->cost.flops,    &p->cost.exps,     &p->cost.bytes,
                           &p->cost.l1_bytes, &p->cost.l2_bytes, &p->cost.memory_bytes,
                           &p->cost.cycles};
        for (size_t j = 0; j < sizeof each / sizeof *each; j++)
            *each[j] *= times;
        for (int b = 0; b < BOUND_COUNT; b++) {
            p->cycles_of[b] *= (double)times;
            p->alone[b] *= (double)times;
        }
    }
    predictions->cycles *= (double)times;
}

void predictions_free(struct predictions *predictions)
{
    for (int i = 0; i < predictions->count; i++)
        prediction_free(&predictions->of[i]);
    free(predictions->kernel);
    free(predictions->of);
    *predictions = (struct predictions){0};
}

static void write_cost(struct module *module, struct kernel *kernel, const struct cost *cost)
{
    if (!kernel->cost)
        kernel->cost = ARENA_NEW(module->arena, struct cost);
    *kernel->cost = *cost;
}

void module_write_costs(struct module *module)
{
    for (struct kernel *k = module->kernels; k; k = k->next) {
        struct prediction counted;
        kernel_predict(k, NULL, 0, &counted);
        write_cost(module, k, &counted.cost);
    }
    for (int i = 0; module->kernels && i < module->targets; i++) {
        const struct target *target = target_find(module->target[i], NULL);
        struct predictions predictions = {0};
        if (target)
            module_predict(module, module->target[i], target, &predictions);
        int at = 0;
        for (struct kernel *k = module->kernels; k && target; k = k->next) {
            if (!runs_on(k, module->target[i]))
                continue;
            if (k->target)
                write_cost(module, k, &predictions.of[at].cost);
            at++;
        }
        predictions_free(&predictions);
    }
}
