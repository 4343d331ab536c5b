#include "outputs.h"
#include "file.h"
#include "memory.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct emit_info emit_table[EMIT_none] = {
#define EMIT(name, extension, devices, files, companion)                                           \
    {#name, extension, devices, files, EMIT_##companion},
#include "outputs.def"
#undef EMIT
};

/* Extensions of other formats, which `sanc compile` does not write. */
static const char *const other_extensions[] = {
    ".a",   ".dylib", ".dll", ".lib",  ".exe",         ".bc",  ".c",   ".cc",   ".cpp",  ".py",
    ".npy", ".npz",   ".pt",  ".pth",  ".safetensors", ".csv", ".png", ".jpg",  ".jpeg", ".zip",
    ".gz",  ".pdf",   ".md",  ".onnx", ".json",        ".tsv", ".bmp", ".ckpt", ".pkl"};

unsigned emit_asked(const struct options *options)
{
    return options->emit ? options->emit : 1u << EMIT_obj;
}

static bool is_for(enum emit kind, const char *target)
{
    return emit_table[kind].devices & (target_is_gpu(target) ? GPUS : PROCESSORS);
}

static bool ends_with(const char *path, const char *extension)
{
    size_t length = strlen(path), tail = strlen(extension);
    return length > tail && strcmp(path + length - tail, extension) == 0 &&
           path[length - tail - 1] != '/';
}

static size_t without_extension(const char *path, const char *extension)
{
    return strlen(path) - (ends_with(path, extension) ? strlen(extension) : 0);
}

/* ---- extensions ------------------------------------------------------------------------------ */

static const char *promised_extension(const char *path)
{
    for (int i = 0; i < EMIT_none; i++)
        if (ends_with(path, emit_table[i].extension))
            return emit_table[i].extension;
    for (size_t i = 0; i < sizeof other_extensions / sizeof *other_extensions; i++)
        if (ends_with(path, other_extensions[i]))
            return other_extensions[i];
    return NULL;
}

static enum status check_input(const struct options *options, const char *path)
{
    if (!source_is_input(options, path))
        return STATUS_DONE;
    diag_error(NULL, 0, 0, "the output %s is one of the inputs", path);
    return STATUS_USAGE;
}

enum status output_check(const struct options *options, const char *path, const char *extension)
{
    const char *promised = promised_extension(path);
    enum status status = check_input(options, path);
    if (status != STATUS_DONE || !promised || ends_with(extension, promised) ||
        strcmp(extension, promised) == 0)
        return status;
    diag_error(NULL, 0, 0, "--output %s: the name promises another format; what is written is *%s",
               path, extension);
    return STATUS_USAGE;
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* The target in names of files: a colon has a meaning of its own there. */
static const char *target_part(const char *target)
{
    const char *colon = strchr(target, ':');
    return colon ? colon + 1 : target;
}

/* The path is stem (its first `length` bytes), ".bN" unless 0, ".TARGET" unless NULL, extension. */
static void add(struct outputs *outputs, const struct output *output, const char *stem,
                size_t length, const char *extension)
{
    const char *part = output->target ? target_part(output->target) : "";
    char batch[24] = "";
    if (output->batch)
        snprintf(batch, sizeof batch, ".b%" PRId64, output->batch);
    size_t size = length + strlen(batch) + 1 + strlen(part) + strlen(extension) + 1;
    struct output *added = &outputs->output[outputs->count++];
    *added = *output;
    added->path = allocate((int64_t)size, 1);
    snprintf(added->path, size, "%.*s%s%s%s%s", (int)length, stem, batch, output->target ? "." : "",
             part, extension);
}

static bool has_place_beside(const char *path)
{
    struct stat info;
    if (strcmp(path, "-") == 0)
        return false;
    return stat(path, &info) != 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode);
}

/* What files are made for. */
struct variety {
    int targets;
    const char *const *target;
    const struct batch_sizes *batches;
};

static bool makes_several(const struct variety *v, enum emit kind)
{
    enum files files = emit_table[kind].files;
    return (files != ONE_FILE && v->batches->count > 1) || (files == FILE_EACH && v->targets > 1);
}

/* A file of a size (0: of the only one) for each of the targets that the kind is for. */
static void add_targets(struct outputs *outputs, enum emit kind, int64_t batch, const char *stem,
                        size_t length, const struct variety *v)
{
    const char *extension = emit_table[kind].extension;
    if (emit_table[kind].files != FILE_EACH || v->targets == 1) {
        add(outputs, &(struct output){.kind = kind, .batch = batch}, stem, length, extension);
        return;
    }
    for (int i = 0; i < v->targets; i++)
        if (is_for(kind, v->target[i]))
            add(outputs, &(struct output){.kind = kind, .batch = batch, .target = v->target[i]},
                stem, length, extension);
}

/* The files of a kind. */
static void add_each(struct outputs *outputs, enum emit kind, const char *stem, size_t length,
                     const struct variety *v)
{
    bool split = emit_table[kind].files != ONE_FILE && v->batches->count > 1;
    for (int i = 0; i < (split ? v->batches->count : 1); i++)
        add_targets(outputs, kind, split ? v->batches->size[i] : 0, stem, length, v);
}

/* One kind: -o is the file; where there are several, it is the stem, with or without its extension.
 */
static enum status plan_one(struct outputs *outputs, const struct options *options, enum emit kind,
                            const struct variety *v)
{
    const char *path = options->output, *extension = emit_table[kind].extension;
    size_t stem = without_extension(path, extension);
    enum emit companion = emit_table[kind].companion;
    bool each = makes_several(v, kind);
    if (each && strcmp(path, "-") == 0) {
        diag_error(NULL, 0, 0, "--output - takes one file: choose one --target and one --batch");
        return STATUS_USAGE;
    }
    if (each)
        add_each(outputs, kind, path, stem, v);
    else
        add(outputs, &(struct output){.kind = kind}, path, strlen(path), "");
    if (companion != EMIT_none && has_place_beside(path))
        add_each(outputs, companion, path, stem, v);
    return output_check(options, path, extension);
}

static enum status plan_several(struct outputs *outputs, const struct options *options,
                                unsigned kinds, const struct variety *v)
{
    const char *stem = options->output, *promised = promised_extension(stem);
    if (promised || strcmp(stem, "-") == 0) {
        diag_error(
            NULL, 0, 0,
            "--output %s: with several kinds it must be the stem that extensions are added to",
            stem);
        return STATUS_USAGE;
    }
    for (enum emit kind = 0; kind < EMIT_none; kind++)
        if (emit_has(kinds, kind) && emit_table[kind].companion != EMIT_none)
            kinds |= 1u << emit_table[kind].companion;
    for (enum emit kind = 0; kind < EMIT_none; kind++)
        if (emit_has(kinds, kind))
            add_each(outputs, kind, stem, strlen(stem), v);
    return STATUS_DONE;
}

/* "a, b and c": the kinds that GPUs have. */
static void list_gpu_kinds(char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < EMIT_none && used < size; i++)
        if (emit_table[i].devices & GPUS)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     emit_table[i].name);
}

/* Checks that each kind has a target it is for. */
static bool check_kinds(unsigned kinds, int targets, const char *const *target)
{
    bool good = true;
    for (enum emit kind = 0; kind < EMIT_none; kind++) {
        int fitting = 0;
        for (int i = 0; i < targets; i++)
            fitting += is_for(kind, target[i]);
        if (!emit_has(kinds, kind) || fitting)
            continue;
        good = false;
        char gpus[128];
        list_gpu_kinds(gpus, sizeof gpus);
        if (emit_table[kind].devices == GPUS)
            diag_error(NULL, 0, 0, "--emit %s is for GPUs: it needs a --target like nvptx:sm_80",
                       emit_table[kind].name);
        else
            diag_error(NULL, 0, 0, "--emit %s is for processors; GPUs have %s",
                       emit_table[kind].name, gpus);
    }
    return good;
}

/* The folder of a path, as a path; free() it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

/* Whether both paths are, or would be, the same file. */
static bool same_place(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    if (file_same(a, b))
        return true;
    if (strcmp(end_a ? end_a + 1 : a, end_b ? end_b + 1 : b) != 0)
        return false;
    char *folder_a = folder_of(a), *folder_b = folder_of(b);
    bool same = folder_a && folder_b && file_same(folder_a, folder_b);
    free(folder_a);
    free(folder_b);
    return same;
}

/* The file of --weights-in. */
static enum status plan_outside(struct outputs *outputs, const struct options *options, int targets,
                                const char *const *target)
{
    const char *path = options->weights_in, *wrong = NULL;
    enum status status = check_input(options, path);
    if (status != STATUS_DONE)
        return status;
    for (int i = 0; i < targets && !wrong; i++)
        if (target_is_gpu(target[i]))
            wrong = "is for processors: for GPUs, the object has the weights";
    for (int i = 0; i < outputs->count && !wrong; i++)
        if (same_place(path, outputs->output[i].path))
            wrong = "is another output, too";
    if (strcmp(path, "-") == 0)
        wrong = "must be a file";
    else if (!wrong && promised_extension(path))
        wrong = "the name promises another format";
    if (wrong) {
        diag_error(NULL, 0, 0, "--weights-in %s: %s", path, wrong);
        return STATUS_USAGE;
    }
    add(outputs, &(struct output){.kind = EMIT_outside}, path, strlen(path), "");
    return STATUS_DONE;
}

enum status outputs_plan(struct outputs *outputs, const struct options *options, int targets,
                         const char *const *target)
{
    outputs->count = 0;
    unsigned kinds = emit_asked(options);
    if (!check_kinds(kinds, targets, target))
        return STATUS_USAGE;
    enum emit first = 0;
    while (!emit_has(kinds, first))
        first++;
    bool single = kinds == 1u << first;
    const struct variety v = {targets, target, &options->batch};
    enum status status =
        single ? plan_one(outputs, options, first, &v) : plan_several(outputs, options, kinds, &v);
    if (status == STATUS_DONE && options->weights_in)
        status = plan_outside(outputs, options, targets, target);
    for (int i = 0; i < outputs->count && status == STATUS_DONE; i++)
        status = check_input(options, outputs->output[i].path);
    return status;
}

enum status outputs_write(const struct outputs *outputs)
{
    bool existed[MOST_OUTPUTS];
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
