/* The files that a command writes: planned and checked first, all made in memory, then written. */
#ifndef COMPILER_OUTPUTS_H
#define COMPILER_OUTPUTS_H
#include "backend.h"
#include "source.h"

struct output {
    enum emit kind;
    const char *target; /* of a file for one target; else NULL */
    char *path;
    struct backend_file file;
};

struct outputs {
    int count;
    struct output output[EMIT_COUNT * MAX_TARGETS];
};

/* What --emit and -o ask for, for a module of these targets: the paths, all different, no contents
 * yet. Refuses a file that is an input. Free with outputs_free in any case. */
enum status outputs_plan(struct outputs *outputs, const struct options *options, int targets,
                         const char *const *target);

/* Writes all of them. Where one fails, those that this call created are removed again. */
enum status outputs_write(const struct outputs *outputs);

void outputs_free(struct outputs *outputs);

#endif
