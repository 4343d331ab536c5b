#include "batches.h"
#include "command.h"
#include "file.h"
#include "observe.h"
#include "outputs.h"
#include <stdlib.h>

static enum status list_passes(void)
{
    for (int i = 0; i < pass_count; i++)
        printf("%2d  %-20s %s\n", i + 1, pass_table[i].name, pass_table[i].does);
    return STATUS_DONE;
}

/* Brings the module to where --after or --before say. */
static enum status advance(struct module *module, const struct options *options)
{
    const char *name = options->before ? options->before : options->after;
    enum status status = STATUS_DONE;
    if (name)
        status = pass_reachable(module, name, options->before != NULL);
    if (status != STATUS_DONE || !name)
        return status == STATUS_DONE ? passes_run_observed(module, NULL, options, NULL) : status;
    int stop = pass_find(name) + (options->after != NULL); /* passes to have run */
    if (stop == 0)
        return STATUS_DONE; /* --before the first */
    return passes_run_observed(module, pass_table[stop - 1].name, options, NULL);
}

static enum status write_module(const struct module *module, const struct options *options)
{
    if (!options->output) {
        module_print(module, stdout);
        return STATUS_DONE;
    }
    size_t size;
    char *text = module_text(module, &size);
    enum status status = file_write(options->output, text, size);
    free(text);
    return status;
}

enum status command_ir(const struct options *options)
{
    if (options->after && options->before) {
        diag_error(NULL, 0, 0, "use --after or --before, not both");
        return STATUS_USAGE;
    }
    if (options->list_passes)
        return list_passes();
    struct source source = {0};
    struct module *module = NULL;
    enum status status = STATUS_DONE;
    if (options->output)
        status = output_check(options, options->output, emit_table[EMIT_ir].extension);
    if (status == STATUS_DONE)
        status = batches_single(options);
    if (status == STATUS_DONE)
        status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &module);
    if (status == STATUS_DONE)
        status = advance(module, options);
    if (status == STATUS_DONE)
        status = write_module(module, options);
    if (module)
        module_free(module);
    source_free(&source);
    return status;
}
