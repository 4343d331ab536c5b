#include "outputs.h"
#include "file.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned PER_TARGET = 1u << EMIT_ASSEMBLY | 1u << EMIT_LLVM | 1u << EMIT_IR |
                                   1u << EMIT_REPORT;

static size_t without_extension(const char *path, const char *extension)
{
    size_t length = strlen(path), tail = strlen(extension);
    if (length > tail && strcmp(path + length - tail, extension) == 0 &&
        path[length - tail - 1] != '/')
        return length - tail;
    return length;
}

/* The path is stem (its first `length` bytes), ".TARGET" unless NULL, extension. */
static bool add(struct outputs *outputs, enum emit kind, const char *target, const char *stem,
                size_t length, const char *extension)
{
    size_t size = length + (target ? strlen(target) + 1 : 0) + strlen(extension) + 1;
    struct output *output = &outputs->output[outputs->count];
    *output = (struct output){.kind = kind, .target = target, .path = malloc(size)};
    if (!output->path) {
        diag_error(NULL, 0, 0, "out of memory");
        return false;
    }
    snprintf(output->path, size, "%.*s%s%s%s", (int)length, stem, target ? "." : "",
             target ? target : "", extension);
    outputs->count++;
    return true;
}

static bool is_device(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/* One kind: -o is the file; or, of several targets, the stem with or without its extension. */
static bool plan_one(struct outputs *outputs, const struct options *options, enum emit kind,
                     int targets, const char *const *target)
{
    const char *path = options->output;
    if ((PER_TARGET >> kind & 1) && targets > 1) {
        bool good = true;
        for (int i = 0; i < targets && good; i++)
            good = add(outputs, kind, target[i], path,
                       without_extension(path, emit_extension[kind]), emit_extension[kind]);
        return good;
    }
    if (!add(outputs, kind, NULL, path, strlen(path), ""))
        return false;
    /* A device or a pipe has no place beside it for a header. */
    if (kind != EMIT_OBJECT || is_device(path))
        return true;
    return add(outputs, EMIT_HEADER, NULL, path, without_extension(path, ".o"), ".h");
}

static bool plan_several(struct outputs *outputs, const struct options *options, unsigned kinds,
                         int targets, const char *const *target)
{
    bool good = true;
    const char *stem = options->output;
    for (int kind = 0; kind < EMIT_COUNT && good; kind++) {
        int count = (PER_TARGET >> kind & 1) && targets > 1 ? targets : 1;
        for (int i = 0; (kinds >> kind & 1) && i < count && good; i++)
            good = add(outputs, (enum emit)kind, count > 1 ? target[i] : NULL, stem, strlen(stem),
                       emit_extension[kind]);
    }
    return good;
}

static enum status check(const struct outputs *outputs, const struct options *options)
{
    enum status status = STATUS_DONE;
    for (int i = 0; i < outputs->count; i++) {
        const char *path = outputs->output[i].path;
        if (source_is_input(options, path)) {
            diag_error(NULL, 0, 0, "the output %s is one of the inputs", path);
            status = STATUS_USAGE;
        }
    }
    return status;
}

enum status outputs_plan(struct outputs *outputs, const struct options *options, int targets,
                         const char *const *target)
{
    outputs->count = 0;
    unsigned kinds = options->emit ? options->emit : 1u << EMIT_OBJECT;
    bool single = (kinds & (kinds - 1)) == 0;
    bool good;
    if (single) {
        int kind = 0;
        while (!(kinds >> kind & 1))
            kind++;
        good = plan_one(outputs, options, (enum emit)kind, targets, target);
    } else {
        /* An object never comes without its header. */
        kinds |= kinds >> EMIT_OBJECT & 1 ? 1u << EMIT_HEADER : 0;
        good = plan_several(outputs, options, kinds, targets, target);
    }
    return good ? check(outputs, options) : STATUS_SYSTEM;
}

enum status outputs_write(const struct outputs *outputs)
{
    bool existed[EMIT_COUNT * MAX_TARGETS];
    enum status status = STATUS_DONE;
    int done = 0;
    while (done < outputs->count && status == STATUS_DONE) {
        const struct output *output = &outputs->output[done];
        existed[done] = access(output->path, F_OK) == 0;
        status = file_write(output->path, output->file.data, output->file.size);
        done += status == STATUS_DONE;
    }
    for (int i = 0; status != STATUS_DONE && i < done; i++)
        if (!existed[i])
            unlink(outputs->output[i].path);
    return status;
}

void outputs_free(struct outputs *outputs)
{
    for (int i = 0; i < outputs->count; i++) {
        free(outputs->output[i].path);
        free(outputs->output[i].file.data);
    }
    outputs->count = 0;
}
