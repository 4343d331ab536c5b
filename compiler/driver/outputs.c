#include "outputs.h"
#include "file.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned PER_TARGET = 1u << EMIT_ASSEMBLY | 1u << EMIT_LLVM | 1u << EMIT_IR |
                                   1u << EMIT_REPORT | 1u << EMIT_PTX | 1u << EMIT_CUBIN |
                                   1u << EMIT_LAUNCH;
static const unsigned OF_GPUS =
    1u << EMIT_PTX | 1u << EMIT_CUBIN | 1u << EMIT_LAUNCH | 1u << EMIT_WEIGHTS;
static const unsigned OF_PROCESSORS = 1u << EMIT_ASSEMBLY;

static bool is_for(enum emit kind, const char *target)
{
    return !((target_is_gpu(target) ? OF_PROCESSORS : OF_GPUS) >> kind & 1);
}

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

static enum emit companion_of(enum emit kind)
{
    return kind == EMIT_OBJECT ? EMIT_HEADER : kind == EMIT_LAUNCH ? EMIT_WEIGHTS : EMIT_COUNT;
}

/* What never comes without the other: beside an object its header, beside a plan the weights. A
 * device or a pipe has no place beside it. */
static bool add_companion(struct outputs *outputs, enum emit kind, const char *path)
{
    enum emit companion = companion_of(kind);
    return companion == EMIT_COUNT || is_device(path) ||
           add(outputs, companion, NULL, path, without_extension(path, emit_extension[kind]),
               emit_extension[companion]);
}

/* One kind: -o is the file; or, of several targets, the stem with or without its extension. */
static bool plan_one(struct outputs *outputs, const struct options *options, enum emit kind,
                     int targets, const char *const *target)
{
    const char *path = options->output;
    if ((PER_TARGET >> kind & 1) && targets > 1) {
        bool good = true;
        for (int i = 0; i < targets && good; i++)
            good = !is_for(kind, target[i]) ||
                   add(outputs, kind, target[i], path,
                       without_extension(path, emit_extension[kind]), emit_extension[kind]);
        return good && add_companion(outputs, kind, path);
    }
    return add(outputs, kind, NULL, path, strlen(path), "") && add_companion(outputs, kind, path);
}

static bool plan_several(struct outputs *outputs, const struct options *options, unsigned kinds,
                         int targets, const char *const *target)
{
    bool good = true;
    const char *stem = options->output;
    for (int kind = 0; kind < EMIT_COUNT && good; kind++) {
        int count = (PER_TARGET >> kind & 1) && targets > 1 ? targets : 1;
        for (int i = 0; (kinds >> kind & 1) && i < count && good; i++)
            good = (count > 1 && !is_for((enum emit)kind, target[i])) ||
                   add(outputs, (enum emit)kind, count > 1 ? target[i] : NULL, stem, strlen(stem),
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

/* Each kind has a target. */
static bool check_kinds(unsigned kinds, int targets, const char *const *target)
{
    bool good = true;
    for (int kind = 0; kind < EMIT_COUNT; kind++) {
        int fitting = 0;
        for (int i = 0; i < targets; i++)
            fitting += is_for((enum emit)kind, target[i]);
        if (!(kinds >> kind & 1) || fitting)
            continue;
        good = false;
        if (OF_GPUS >> kind & 1)
            diag_error(NULL, 0, 0, "--emit %s is for GPUs: it needs a --target like nvptx:sm_80",
                       emit_name[kind]);
        else
            diag_error(NULL, 0, 0,
                       "--emit %s is for processors, not for GPUs: of those there are obj, ptx, "
                       "cubin, launch, llvm and ir",
                       emit_name[kind]);
    }
    return good;
}

enum status outputs_plan(struct outputs *outputs, const struct options *options, int targets,
                         const char *const *target)
{
    outputs->count = 0;
    unsigned kinds = options->emit ? options->emit : 1u << EMIT_OBJECT;
    if (!check_kinds(kinds, targets, target))
        return STATUS_USAGE;
    bool single = (kinds & (kinds - 1)) == 0;
    bool good;
    if (single) {
        int kind = 0;
        while (!(kinds >> kind & 1))
            kind++;
        good = plan_one(outputs, options, (enum emit)kind, targets, target);
    } else {
        for (int kind = 0; kind < EMIT_COUNT; kind++)
            if (kinds >> kind & 1 && companion_of((enum emit)kind) != EMIT_COUNT)
                kinds |= 1u << companion_of((enum emit)kind);
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
