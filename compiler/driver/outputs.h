/* The files that a command writes: planned and checked first, all made in memory, then written. */
#ifndef COMPILER_OUTPUTS_H
#define COMPILER_OUTPUTS_H
#include "backend.h"
#include "source.h"

enum emit {
#define EMIT(name, ...) EMIT_##name,
#include "outputs.def"
#undef EMIT
    EMIT_none,   /* how many there are */
    EMIT_outside /* the file of --weights-in, which comes with the object */
};

enum devices { PROCESSORS = 1, GPUS = 2, BOTH = 3 };
enum files { ONE_FILE, FILE_BATCH, FILE_EACH };

struct emit_info {
    const char *name, *extension; /* "obj", ".o" */
    enum devices devices;
    enum files files;
    enum emit companion;
};
extern const struct emit_info emit_table[EMIT_none];

enum { MOST_OUTPUTS = EMIT_none * MAX_TARGETS * MAX_BATCHES + 1 };

struct output {
    enum emit kind;
    const char *target; /* of a file for one target; else NULL */
    int64_t batch;      /* of a file for one of several sizes of --batch; else 0 */
    char *path;
    struct backend_file file;
};

struct outputs {
    int count;
    struct output output[MOST_OUTPUTS];
};

/* The bits of --emit, or of its default. */
unsigned emit_asked(const struct options *options);
static inline bool emit_has(unsigned kinds, enum emit kind)
{
    return kinds >> kind & 1;
}

/* The files that --emit, -o and --weights-in ask for, for a module of these targets: all paths
 * differ, and there are no contents yet. Refuses a file that is an input, and a name with another
 * format's extension.
 * Free with outputs_free in any case. */
enum status outputs_plan(struct outputs *outputs, const struct options *options, int targets,
                         const char *const *target);

/* Writes all of them. Where one fails, those that this call created are removed again. */
enum status outputs_write(const struct outputs *outputs);

void outputs_free(struct outputs *outputs);

/* Whether contents of this extension may be written to -o: it must not be an input, nor have the
 * extension of another format. Errors are printed. */
enum status output_check(const struct options *options, const char *path, const char *extension);

#endif
