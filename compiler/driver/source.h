/* The input of a command: a model or a dump, its weights, its targets. */
#ifndef COMPILER_SOURCE_H
#define COMPILER_SOURCE_H
#include "model.h"
#include "options.h"
#include "tunings.h"
#include "weights.h"

struct source {
    const struct options *options;
    bool is_dump;
    struct model model; /* unless is_dump */
    char *text;         /* of the file */
    size_t size;
    struct target_names target;   /* those asked for, or the defaults; for a dump: those to keep */
    struct tunings *tunings;      /* of --schedules; or NULL */
    struct weights *weights;      /* NULL: not asked for */
    struct parameters parameters; /* the weights as the evaluator takes them */
};

/* Reads MODEL.json or the text of a dump (a name that ends in ".sanir", or, on standard input,
 * text that begins with "sanir "), and the file of --schedules. Errors are printed; source_free in
 * any case. */
enum status source_read(struct source *source, const struct options *options);

/* Reads a .sched file. Errors are printed. */
enum status schedules_read(const char *path, struct tunings **tunings);

/* Reads and checks the weights if the command line names a file: those of a model one by one, those
 * of a dump as far as its parameters go (folded ones may be gone from it). Errors are printed. */
enum status source_read_weights(struct source *source);

/* A new module: the graph of the model, or what the dump says, for all targets or `only` one (a
 * name among them), and for the largest size of --batch. Free it with module_free. */
enum status source_module(const struct source *source, const char *only, struct module **module);
/* The same of a model for another size. */
enum status source_module_of(const struct source *source, int64_t batch, const char *only,
                             struct module **module);

/* Checks what the verifier cannot know about a dump: passes, targets, symbols. Errors are printed
 * with `file`. */
enum status module_check_dump(const struct module *module, const char *file);

void source_free(struct source *source);

/* A copy for one target, with its own head and fewer kernels. It shares everything else with
 * `module` and lives in its arena. */
struct module *module_for_target(const struct module *module, const char *target);

/* Whether a name is written as one of the inputs: an output must not be. */
bool source_is_input(const struct options *options, const char *path);

#endif
