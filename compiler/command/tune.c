#include "tune.h"
#include "batches.h"
#include "command.h"
#include "file.h"
#include "machine.h"
#include "memory.h"
#include "observe.h"
#include "outputs.h"
#include "progress.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const double DEFAULT_SECONDS = 600;

/* ---- the end, asked for ---------------------------------------------------------------------- */

static volatile sig_atomic_t asked_to_end; /* the signal */
static void (*before[2])(int);
static const int ending[2] = {SIGINT, SIGTERM};

/* The next one ends the program at once. */
static void ask_to_end(int number)
{
    asked_to_end = number;
    signal(number, before[number == SIGTERM]);
}

static bool is_asked_to_end(void)
{
    return asked_to_end != 0;
}

static void watch(void)
{
    asked_to_end = 0;
    for (int i = 0; i < 2; i++)
        if ((before[i] = signal(ending[i], ask_to_end)) == SIG_IGN) /* nohup */
            signal(ending[i], SIG_IGN);
}

/* Ends the program as the signal would have, now that the file is there. */
static void end_watch(const char *path)
{
    for (int i = 0; i < 2; i++)
        signal(ending[i], before[i]);
    if (!asked_to_end)
        return;
    fprintf(stderr, "sanc: stopped; %s has the best so far, and the same command goes on\n", path);
    fflush(stdout);
    raise(asked_to_end);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* What is in the file already. */
static enum status take_up(const char *path, struct tunings **tunings)
{
    struct stat found;
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode) && found.st_size > 0)
        return schedules_read(path, tunings);
    *tunings = tunings_new(path);
    return STATUS_DONE;
}

struct saving {
    const char *path;
    const struct tunings *tunings;
};

static enum status save(void *context)
{
    const struct saving *saving = context;
    char *text;
    size_t size;
    FILE *to = memory_stream(&text, &size);
    tunings_print(saving->tunings, to);
    memory_stream_end(to);
    enum status status = file_write(saving->path, text, size);
    free(text);
    return status;
}

static enum status check_output(const struct options *options)
{
    enum status status = output_check(options, options->output, ".sched");
    if (status != STATUS_DONE || strcmp(options->output, "-") != 0)
        return status;
    diag_error(NULL, 0, 0, "-o must be a file here: it is written after each kernel");
    return STATUS_USAGE;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum status choose_processor(const struct module *module, const char **target)
{
    enum status status = choose_target(module, target);
    if (status != STATUS_DONE || !target_is_gpu(*target))
        return status;
    diag_error(NULL, 0, 0, "schedules are tuned for processors, not for %s", *target);
    return STATUS_USAGE;
}

/* Up to where schedules are chosen. */
static enum status run_passes(struct module *module, const struct options *options)
{
    const char *last = pass_table[pass_find("schedule") - 1].name;
    enum status status = pass_reachable(module, "schedule", true);
    return status == STATUS_DONE ? passes_run_observed(module, last, options, NULL) : status;
}

static enum status tune_target(const struct source *source, const char *target,
                               struct tunings *tunings)
{
    const struct options *options = source->options;
    struct module *module = NULL;
    enum status status = source_module(source, target, &module);
    if (status == STATUS_DONE)
        status = run_passes(module, options);
    struct saving saving = {options->output, tunings};
    struct tune tune = {.source = source,
                        .module = module,
                        .tunings = tunings,
                        .seconds = options->seconds > 0 ? options->seconds : DEFAULT_SECONDS,
                        .stopped = is_asked_to_end,
                        .save = save,
                        .context = &saving};
    watch();
    progress_begin(shows_progress(options));
    if (status == STATUS_DONE)
        status = tune_run(&tune);
    progress_clear();
    module_free(module);
    end_watch(options->output);
    return status;
}

enum status command_tune(const struct options *options)
{
    struct source source = {0};
    struct tunings *tunings = NULL;
    struct module *graph = NULL;
    const char *target = NULL;
    enum status status = check_output(options);
    if (status == STATUS_DONE)
        status = batches_single(options);
    if (status == STATUS_DONE)
        status = source_read(&source, options);
    if (status == STATUS_DONE)
        status = source_module(&source, NULL, &graph);
    if (status == STATUS_DONE)
        status = choose_processor(graph, &target);
    if (status == STATUS_DONE)
        status = take_up(options->output, &tunings);
    if (status == STATUS_DONE)
        status = source_read_weights(&source);
    if (status == STATUS_DONE)
        status = tune_target(&source, target, tunings);
    module_free(graph);
    tunings_free(tunings);
    source_free(&source);
    return status;
}
