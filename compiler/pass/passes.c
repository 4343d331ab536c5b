#include "passes.h"
#include "loops.h"
#include "predict_module.h"
#include "tunings.h"
#include <assert.h>
#include <string.h>
#include <time.h>

const struct pass pass_table[] = {
#define PASS(name, does) {#name, name, does},
#include "passes.def"
#undef PASS
};
const int pass_count = sizeof pass_table / sizeof *pass_table;

int pass_find(const char *name)
{
    for (int i = 0; i < pass_count; i++)
        if (strcmp(pass_table[i].name, name) == 0)
            return i;
    return -1;
}

int passes_done(const struct module *module)
{
    int last = module->after ? pass_find(module->after) : -1;
    assert(last >= 0 || !module->after); /* a dump's was checked */
    return last + 1;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool observed(const struct pass_observer *observer, const struct pass *pass, int changes,
                     double seconds, struct module *module)
{
    return !observer || observer->after(observer->context, pass, changes, seconds, module);
}

/* What the pass refused of a .sched file, each once: other runs and sizes refuse the same. */
static void report_refusals(struct tunings *tunings)
{
    while (tunings && tunings->said < tunings->refusals)
        diag_warning(tunings->refused[tunings->said++]->refused);
}

static enum status run_one(struct module *module, const struct pass *pass,
                           const struct pass_observer *observer)
{
    struct error error = {0};
    double start = seconds_now();
    int changes = pass->run(module);
    double seconds = seconds_now() - start;
    module->after = pass->name;
    report_refusals(module->tunings);
    if (module->error) {
        diag_report(module->error);
        return STATUS_INPUT;
    }
    if (changes && !module_verify(module, &error)) {
        const char *what = module->file ? "cannot go on from here" : "broke the module";
        diag_error(module->file, error.at.line, error.at.column, "the pass %s %s: %s", pass->name,
                   what, error.text);
        return module->file ? STATUS_INPUT : STATUS_DEFECT;
    }
    return observed(observer, pass, changes, seconds, module) ? STATUS_DONE : STATUS_CHECK_FAILED;
}

enum status passes_run(struct module *module, const char *last,
                       const struct pass_observer *observer)
{
    if (!observed(observer, NULL, 0, 0, module))
        return STATUS_CHECK_FAILED;
    int stop = last ? pass_find(last) + 1 : pass_count;
    enum status status = STATUS_DONE;
    for (int i = passes_done(module); i < stop && status == STATUS_DONE; i++)
        status = run_one(module, &pass_table[i], observer);
    if (status == STATUS_DONE) /* also of a dump for which no pass runs: it may have been edited */
        module_write_costs(module);
    return status;
}

enum status passes_round(struct module *module)
{
    return module->precision == precision_kind_f32 ? STATUS_DONE
                                                   : passes_run(module, "round_operands", NULL);
}
