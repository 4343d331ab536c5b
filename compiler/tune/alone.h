/* A kernel as a network of its own, so that its schedules can be compiled and timed one by one:
 *
 *   alone_read   writes the maps that it reads, from the images; so they are in the caches as after
 *                the kernel before
 *   alone        the kernel, with its weights
 *   alone_write  copies what it wrote into the results, for the comparison with the evaluator */
#ifndef COMPILER_ALONE_H
#define COMPILER_ALONE_H
#include "execute.h"
#include "plan.h"

struct constant {
    const char *name;
    double *value;
};

struct alone {
    struct module *module; /* after the pass `schedule`, with the schedule that it chooses */
    struct source source;  /* for compiled_load; its parameters are the constants */
    char *text;            /* of the module */
    size_t size;
    int count;
    struct constant *constant;
    double *input, *reference; /* of module->width and module->classes numbers */
    struct subject subject;    /* of the kernel, with a module for the memory of few plans */
};

/* `kernel` is of a module before the pass `schedule`, for one target, with an index of touches.
 * Evaluates the kernel. Errors are printed; alone_free in any case. */
enum status alone_make(struct alone *alone, const struct module *module,
                       const struct kernel *kernel, const struct source *source);
void alone_free(struct alone *alone);

/* The plan that the module has. */
void alone_plan(struct alone *alone, struct plan *plan);

/* Whether a plan obeys the rules; if so, its commands as a text, which free() takes. */
char *alone_check(struct alone *alone, const struct plan *plan);

/* A new module, after the pass `schedule`, with that plan. */
struct module *alone_with(const struct alone *alone, const struct plan *plan);

/* Whether a kernel, whose schedule was carried out, is the one or a part of it. */
bool alone_is_it(const char *name);

#endif
