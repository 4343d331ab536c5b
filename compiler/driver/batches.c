#include "batches.h"
#include "passes.h"
#include <inttypes.h>

/* One that runs the same code in turns, or NULL. */
static const struct module *find_unit(const struct module *module, int64_t images)
{
    while (module && module->batch != images)
        module = module->smaller;
    return module;
}

/* The code of `unit` for a batch of other turns. */
static struct module *other_turns(const struct module *unit, int64_t turns)
{
    struct arena *arena = arena_new();
    struct module *module = arena_copy(arena, unit, sizeof *unit);
    module->arena = arena;
    module->turns = turns;
    module->smaller = NULL;
    return module;
}

static void rename_kernels(struct module *module)
{
    for (struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
        kernel->name = arena_printf(module->arena, "%s_b%" PRId64, kernel->name, module->batch);
}

enum status batches_join(const struct source *source, const char *only, struct module *module)
{
    const struct batch_sizes *batches = &source->options->batch;
    struct module **tail = &module->smaller;
    enum status status = STATUS_DONE;
    for (int i = 1; i < batches->count && status == STATUS_DONE; i++) {
        struct module *other;
        status = source_module_of(source, batches->size[i], only, &other);
        if (status != STATUS_DONE)
            break;
        const struct module *unit = find_unit(module, other->batch);
        if (unit) {
            int64_t turns = other->turns;
            module_free(other);
            other = other_turns(unit, turns);
        } else {
            status = passes_run(other, NULL, NULL);
            rename_kernels(other);
        }
        *tail = other;
        tail = &other->smaller;
    }
    return status;
}

enum status batches_single(const struct options *options)
{
    if (options->batch.count <= 1)
        return STATUS_DONE;
    diag_error(NULL, 0, 0,
               "--batch takes one size here; compile, run and verify take several with commas");
    return STATUS_USAGE;
}
