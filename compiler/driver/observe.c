#include "observe.h"
#include "file.h"
#include "memory.h"
#include "predict_module.h"
#include "source.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct watch {
    const struct options *options;
    const struct pass_observer *next;
    enum status status; /* of what was written */
    double seconds;
    int changes;
    struct arena *arena;
    const char *table; /* of --dump-ir: a line for each pass, tabs between the columns */
};

enum status pass_reachable(const struct module *module, const char *name, bool before)
{
    if (pass_find(name) + !before >= passes_done(module))
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "the dump was taken after pass '%s', too late for %s '%s'",
               module->after, before ? "before" : "after", name);
    return STATUS_USAGE;
}

bool shows_progress(const struct options *options)
{
    return !options->json && !options->verbose && !options->time_passes &&
           options->print_after.count == 0 && options->print_before.count == 0;
}

char *module_text(const struct module *module, size_t *size)
{
    char *text = NULL;
    FILE *stream = memory_stream(&text, size);
    module_print(module, stream);
    memory_stream_end(stream);
    return text;
}

static bool names_pass(const struct pass_names *names, const struct pass *pass)
{
    for (int i = 0; pass && i < names->count; i++)
        if (strcmp(names->name[i], pass->name) == 0)
            return true;
    return false;
}

static void print_module(struct module *module, const char *when, const struct pass *pass)
{
    module_write_costs(module);
    fprintf(stderr, "; %s %s\n", when, pass->name);
    module_print(module, stderr);
}

static enum status dump_file(const struct watch *watch, const char *name, const char *text,
                             size_t size)
{
    const struct options *options = watch->options;
    const char *path = arena_printf(watch->arena, "%s/%s", options->dump_ir, name);
    if (!source_is_input(options, path))
        return file_write(path, text, size);
    diag_error(NULL, 0, 0, "--dump-ir would write over its input %s", path);
    return STATUS_USAGE;
}

/* DIR/07-NAME.sanir, after seven passes of which NAME was the last. */
static enum status dump_module(const struct watch *watch, struct module *module)
{
    const char *name = arena_printf(watch->arena, "%02d-%s.sanir", passes_done(module),
                                    module->after ? module->after : "graph");
    size_t size = 0;
    module_write_costs(module);
    char *text = module_text(module, &size);
    enum status status = dump_file(watch, name, text, size);
    free(text);
    return status;
}

static void add_to_table(struct watch *watch, const struct pass *pass, int changes, double seconds)
{
    watch->table = arena_printf(watch->arena, "%s%d\t%s\t%d\t%.3f\n", watch->table,
                                pass_find(pass->name) + 1, pass->name, changes, 1e3 * seconds);
}

static void print_times(const struct watch *watch, const struct pass *pass, int changes,
                        double seconds)
{
    if (watch->options->time_passes)
        fprintf(stderr, "%10.3f ms %6d changes  %s\n", 1e3 * seconds, changes, pass->name);
    else if (watch->options->verbose)
        fprintf(stderr, "sanc: pass %s: %d changes\n", pass->name, changes);
}

static bool watch_after(void *context, const struct pass *pass, int changes, double seconds,
                        struct module *module)
{
    struct watch *watch = context;
    const struct options *options = watch->options;
    int done = passes_done(module);
    const struct pass *following = done < pass_count ? &pass_table[done] : NULL;
    if (pass) {
        watch->seconds += seconds;
        watch->changes += changes;
        print_times(watch, pass, changes, seconds);
        add_to_table(watch, pass, changes, seconds);
        if (names_pass(&options->print_after, pass))
            print_module(module, "after", pass);
    }
    if (names_pass(&options->print_before, following))
        print_module(module, "before", following);
    /* Where the input was a dump, its state is not written again. */
    if (options->dump_ir && (pass || done == 0))
        watch->status = dump_module(watch, module);
    if (watch->status != STATUS_DONE)
        return false;
    return !watch->next || watch->next->after(watch->next->context, pass, changes, seconds, module);
}

static enum status make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return STATUS_DONE;
    diag_error(path, 0, 0, "cannot make this folder: %s", strerror(errno));
    return STATUS_SYSTEM;
}

enum status passes_run_observed(struct module *module, const char *last,
                                const struct options *options, const struct pass_observer *next)
{
    struct watch watch = {.options = options,
                          .next = next,
                          .arena = module->arena,
                          .table = "number\tpass\tchanges\tmilliseconds\n"};
    struct pass_observer observer = {watch_after, &watch};
    if (options->dump_ir && make_folder(options->dump_ir) != STATUS_DONE)
        return STATUS_SYSTEM;
    enum status status = passes_run(module, last, &observer);
    if (options->dump_ir && watch.status == STATUS_DONE)
        watch.status = dump_file(&watch, "passes.tsv", watch.table, strlen(watch.table));
    if (options->time_passes)
        fprintf(stderr, "%10.3f ms %6d changes  in all\n", 1e3 * watch.seconds, watch.changes);
    return watch.status != STATUS_DONE ? watch.status : status;
}
