/* From a model to loops that say everything: the passes, and what runs them. */
#ifndef COMPILER_PASSES_H
#define COMPILER_PASSES_H
#include "ir.h"
#include "model.h"
#include "weights.h"

struct pass {
    const char *name;
    int (*run)(struct module *module); /* how many changes it made */
    const char *does;                  /* one line, for --list-passes */
};

#define PASS(name, does) int name(struct module *m);
#include "passes.def"
#undef PASS

/* In the order they run. */
extern const struct pass pass_table[];
extern const int pass_count;

/* The graph of a model: parameters unfolded, nothing decided. targets: names that target_find
 * knows. */
struct module *graph_from_model(const struct model *model, int64_t batch, int64_t threads,
                                int targets, const char *const *target);

/* How many images of a batch one turn takes, a divisor of it: as many as fit the caches of these targets;
 * all where one of them is a GPU. turns.c */
int64_t images_of_turn(const struct model *model, int64_t batch, int targets,
                       const char *const *target);

/* The tensors that the weight file has to hold, in a new array; free() it. Names live in `arena`.
 */
struct tensor_need *graph_parameters(const struct model *model, struct arena *arena, size_t *count);

/* The position of a pass in pass_table; -1: there is none of this name. */
int pass_find(const char *name);
/* How many passes of the table have run: those up to module->after, which is one of them. */
int passes_done(const struct module *module);

/* Runs the passes that make a graph compute what its precision says: none of f32, none where it is done. */
enum status passes_round(struct module *module);

/* Called after every pass (and once before the first, with pass NULL); false stops the run. */
struct pass_observer {
    bool (*after)(void *context, const struct pass *pass, int changes, double seconds,
                  const struct module *module);
    void *context;
};

/* Runs the passes behind module->after, up to and including `last` (NULL: all; none where it is
 * done), verifying the module after
 * each. STATUS_DEFECT with a message if a pass broke it; STATUS_CHECK_FAILED if the observer said
 * no; STATUS_INPUT where a schedule asks for what cannot be done. */
enum status passes_run(struct module *module, const char *last,
                       const struct pass_observer *observer);

#endif
