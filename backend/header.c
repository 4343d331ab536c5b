/* The C header that goes with an object: the ABI's text, then the model's own names. */
#define _GNU_SOURCE
#include "abi_text.h"
#include "backend.h"
#include "emit.h"
#include "memory.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool runs_on_processors(const struct module *m)
{
    for (int i = 0; i < m->targets; i++)
        if (!target_is_gpu(m->target[i]))
            return true;
    return false;
}

static void put_sizes(FILE *file, const struct module *m, const char *upper)
{
    fprintf(file,
            "#define %s_BATCH %" PRId64 "\n#define %s_CHANNELS %" PRId64
            "\n#define %s_HEIGHT %" PRId64 "\n#define %s_WIDTH %" PRId64
            "\n#define %s_CLASSES %" PRId64 "\n",
            upper, module_images(m), upper, m->channels, upper, m->height, upper, m->width, upper,
            m->classes);
    if (m->map[0])
        fprintf(file,
                "#define %s_OUTPUT_CHANNELS %" PRId64 "\n#define %s_OUTPUT_HEIGHT %" PRId64
                "\n#define %s_OUTPUT_WIDTH %" PRId64 "\n",
                upper, m->map[0], upper, m->map[1], upper, m->map[2]);
    if (!runs_on_processors(m)) {
        fputc('\n', file);
        return;
    }
    fprintf(file, "#define %s_WORKSPACE_BYTES %" PRId64 "\n\n", upper, workspace_total(m));
    fprintf(file,
            "/* What a workspace has to be aligned to. */\n"
            "#ifdef __cplusplus\n#define %s_ALIGNED alignas(%d)\n#else\n"
            "#define %s_ALIGNED _Alignas(%d)\n#endif\n\n",
            upper, ALIGNMENT, upper, ALIGNMENT);
}

/* "8 and 1" */
static void put_batches(FILE *file, const struct module *m)
{
    for (const char *before = ""; m; m = m->smaller) {
        fprintf(file, "%s%" PRId64, before, module_images(m));
        before = m->smaller && m->smaller->smaller ? ", " : " and ";
    }
}

static void put_output(FILE *file, const struct module *m)
{
    if (m->map[0])
        fprintf(file,
                "%" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
                " (batch, channels, height, width)",
                module_images(m), m->map[0], m->map[1], m->map[2]);
    else
        fprintf(file, "%" PRId64 " x %" PRId64 " (batch, classes)", module_images(m), m->classes);
}

/* The type of one element of an image. */
static const char *input_type(const struct module *m)
{
    return m->input_type == DTYPE_U8 ? "unsigned char" : "float";
}

/* The comment of NAME_run. */
static void put_contract(FILE *file, const struct module *m, bool outside, const char *upper)
{
    struct shape each = module_input_shape(m);
    fprintf(file,
            "/* input is %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
            " %s (batch, %s),\n * output ",
            module_images(m), each.dim[1], each.dim[2], each.dim[3],
            m->input_type == DTYPE_U8 ? "bytes" : "floats",
            m->layout == LAYOUT_NHWC ? "height, width, channels" : "channels, height, width");
    put_output(file, m);
    fprintf(file, ", row-major;\n * workspace %s_WORKSPACE_BYTES bytes, apart from both;", upper);
    fputs(outside
              ? " exec with the weights of the\n * file that was written with the object, which "
                "san/weights.h opens. Returns 0, or before\n * anything was touched: "
                "SAN_EPOINTER, SAN_EALIGN, SAN_EABI, SAN_EEXEC, SAN_ECPU, SAN_EWEIGHTS.\n * "
                "Keeps no state: any number of threads may call it, each with a workspace of its "
                "own. */\n"
              : " exec NULL for one\n * thread. Returns 0, or before anything was touched: "
                "SAN_EPOINTER, SAN_EALIGN, SAN_EABI,\n * SAN_EEXEC, SAN_ECPU. Keeps no state: "
                "any number of threads may call it, each with a workspace\n * of its own. */\n",
          file);
}

static void put_run(FILE *file, const struct module *m, bool outside, const char *upper)
{
    put_contract(file, m, outside, upper);
    fprintf(file,
            "int %s_run(const %s *input, float *output, void *workspace,\n"
            "    const struct san_exec *exec);\n\n",
            m->name, input_type(m));
    fprintf(file, "/* The same for any number of images, in batches of ");
    put_batches(file, m);
    fprintf(
        file,
        ", the largest first. What is left at the\n * end runs too; nothing beyond the images and "
        "their results is read or written. An image gives the\n * same bits in any batch. */\n"
        "int %s_run_images(const %s *input, float *output, size_t images, void *workspace,\n"
        "    const struct san_exec *exec);\n\n",
        m->name, input_type(m));
}

static void put_prototypes(FILE *file, const struct module *m, bool outside, const char *upper)
{
    fprintf(file, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    if (runs_on_processors(m))
        put_run(file, m, outside, upper);
    else
        fprintf(file, "/* For GPUs alone: san/cuda.h runs it. */\n");
    fprintf(file, "extern const struct san_model %s_model;\n\n", m->name);
    fprintf(file, "#ifdef __cplusplus\n}\n#endif\n");
}

/* Macros of a model in small letters begin with its name in capitals. Other names are left as they
 * are, so that the macros of `net` and `Net` differ. */
static void macro_prefix(const char *name, char prefix[128])
{
    bool small = true;
    for (const char *c = name; *c; c++)
        small = small && !isupper((unsigned char)*c);
    snprintf(prefix, 128, "%s", name);
    for (char *c = prefix; small && *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

/* The text between the guards. */
static void put_model(FILE *file, const struct module *m, bool outside)
{
    char prefix[128];
    macro_prefix(m->name, prefix);
    fprintf(file,
            "#ifdef %s_BATCH\n#error \"two models have names that differ by capitals alone\"\n"
            "#endif\n#if SAN_ABI_VERSION != %d\n"
            "#error \"the headers of two models are of different versions of the ABI: compile both "
            "models with one sanc\"\n#endif\n\n",
            prefix, SAN_ABI_VERSION);
    put_sizes(file, m, prefix);
    put_prototypes(file, m, outside, prefix);
}

void header_fingerprint(const struct module *m, bool outside, char symbol[128])
{
    char *text;
    size_t size;
    FILE *file = memory_stream(&text, &size);
    put_model(file, m, outside);
    memory_stream_end(file);
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    free(text);
    snprintf(symbol, 128, "%s_header_%016" PRIx64, m->name, hash);
}

static void put_fingerprint(FILE *file, const struct module *m, bool outside)
{
    char symbol[128];
    header_fingerprint(m, outside, symbol);
    fprintf(
        file,
        "\n/* Only the object that this header was written with defines it: with another one, a "
        "program does\n * not link. */\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
        "extern const char %s;\n#ifdef __cplusplus\n}\n#endif\nstatic const char *const %s_header "
        "__attribute__((used)) = &%s;\n",
        symbol, m->name, symbol);
}

/* MemorySanitizer does not see what compiled code writes. The fingerprint leaves this out, since no
 * object depends on it. */
static void put_sanitizer(FILE *file, const struct module *m)
{
    char prefix[128];
    macro_prefix(m->name, prefix);
    fprintf(file,
            "\n/* MemorySanitizer (clang -fsanitize=memory) does not see what %s_run writes: "
            "there, the\n"
            " * names stand for functions that mark the output as written. */\n"
            "#ifdef __has_feature\n#if __has_feature(memory_sanitizer)\n"
            "#include <sanitizer/msan_interface.h>\n"
            "static inline int %s_run_marked(const %s *input, float *output, void *workspace,\n"
            "    const struct san_exec *exec)\n"
            "{\n    int status = %s_run(input, output, workspace, exec);\n"
            "    if (status == SAN_OK)\n"
            "        __msan_unpoison(output, sizeof *output * %s_BATCH * %s_CLASSES);\n"
            "    return status;\n}\n#define %s_run %s_run_marked\n",
            m->name, m->name, input_type(m), m->name, prefix, prefix, m->name, m->name);
    fprintf(
        file,
        "static inline int %s_run_images_marked(const %s *input, float *output, size_t images,\n"
        "    void *workspace, const struct san_exec *exec)\n"
        "{\n    int status = %s_run_images(input, output, images, workspace, exec);\n"
        "    if (status == SAN_OK)\n"
        "        __msan_unpoison(output, sizeof *output * images * %s_CLASSES);\n"
        "    return status;\n}\n#define %s_run_images %s_run_images_marked\n#endif\n#endif\n",
        m->name, input_type(m), m->name, prefix, m->name, m->name);
}

void backend_header(const struct module *m, bool outside, struct backend_file *file)
{
    FILE *out = memory_stream(&file->data, &file->size);
    fprintf(out, "/* The compiled model %s. Written by sanc " SANC_VERSION ". */\n", m->name);
    fputs(strstr((const char *)abi_text, "#ifndef SAN_ABI_H"), out);
    fprintf(out, "\n#ifndef SAN_MODEL_%s_H\n#define SAN_MODEL_%s_H\n\n", m->name, m->name);
    put_model(out, m, outside);
    put_fingerprint(out, m, outside);
    if (runs_on_processors(m))
        put_sanitizer(out, m);
    fprintf(out, "\n#endif\n");
    memory_stream_end(out);
}
