/* From a model to complete loops: the passes, and the functions that run them. */
#ifndef COMPILER_PASSES_H
#define COMPILER_PASSES_H
#include "diag.h"
#include "make.h"

struct pass {
    const char *name;
    pass_function *run;
    const char *does; /* one line, for --list-passes */
};

#define PASS(name, does) pass_function name;
#include "passes.def"
#undef PASS

/* In the order they run. */
extern const struct pass pass_table[];
extern const int pass_count;

/* The position of a pass in pass_table; -1: there is none of this name. */
int pass_find(const char *name);
/* How many passes of the table have run: those up to module->after, which is one of them. */
int passes_done(const struct module *module);

/* Runs the passes that make a graph compute in its precision: none for f32, none where that is done
 * already. */
enum status passes_round(struct module *module);

/* Called after every pass (and once before the first, with pass NULL); false stops the run. What
 * kernels cost is not yet in the module: an observer that shows it writes it (module_write_costs).
 */
struct pass_observer {
    bool (*after)(void *context, const struct pass *pass, int changes, double seconds,
                  struct module *module);
    void *context;
};

/* Runs the passes after module->after, up to and including `last` (NULL: all; none where `last` is
 * done already), verifies the module after each that changed it, and writes what kernels cost.
 * STATUS_DEFECT with a message if a pass broke it; STATUS_CHECK_FAILED if the observer returned
 * false; STATUS_INPUT where a schedule asks for something impossible. */
enum status passes_run(struct module *module, const char *last,
                       const struct pass_observer *observer);

#endif
