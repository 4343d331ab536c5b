/* Runs the passes and shows what the command line asks for. */
#ifndef COMPILER_OBSERVE_H
#define COMPILER_OBSERVE_H
#include "options.h"
#include "passes.h"

/* passes_run up to `last` (NULL: all), with --dump-ir (a file per pass, and passes.tsv),
 * --print-after, --print-before, --time-passes and -v. `next` (or NULL) is asked after them. Errors
 * are printed. */
enum status passes_run_observed(struct module *module, const char *last,
                                const struct options *options, const struct pass_observer *next);

/* Whether the module can still be brought to where a pass is done (or, before it, about to run); an
 * error is printed if not. */
enum status pass_reachable(const struct module *module, const char *name, bool before);

/* Whether to show progress: not while something else is printed on standard error, and not with
 * --json. */
bool shows_progress(const struct options *options);

/* The module as text, in memory that free() takes. */
char *module_text(const struct module *module, size_t *size);

#endif
