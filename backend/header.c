/* The C header that goes with an object: the ABI's text, then the model's own names. */
#define _GNU_SOURCE
#include "abi_text.h"
#include "backend.h"
#include "emit.h"
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
    fprintf(
        file,
        "#define %s_BATCH %" PRId64 "\n#define %s_CHANNELS %" PRId64 "\n#define %s_HEIGHT %" PRId64
        "\n#define %s_WIDTH %" PRId64 "\n#define %s_CLASSES %" PRId64 "\n",
        upper, module_images(m), upper, m->channels, upper, m->height, upper, m->width, upper, m->classes);
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

static void put_run(FILE *file, const struct module *m, const char *upper)
{
    fprintf(
        file,
        "/* input is %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
        " floats (batch, channels, height, width), output %" PRId64 " x %" PRId64
        " (batch,\n * classes), row-major; workspace %s_WORKSPACE_BYTES bytes, apart from both;"
        " exec NULL for one\n * thread. Returns 0, or before anything was touched: SAN_EPOINTER,"
        " SAN_EALIGN, SAN_EABI,\n * SAN_EEXEC, SAN_ECPU. Keeps no state: any number of threads"
        " may call it, each with a workspace\n * of its own. */\n",
        module_images(m), m->channels, m->height, m->width, module_images(m), m->classes, upper);
    fprintf(file,
            "int %s_run(const float *input, float *output, void *workspace,\n"
            "    const struct san_exec *exec);\n\n",
            m->name);
}

static void put_prototypes(FILE *file, const struct module *m, const char *upper)
{
    fprintf(file, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    if (runs_on_processors(m))
        put_run(file, m, upper);
    else
        fprintf(file, "/* For GPUs alone: san/cuda.h runs it. */\n");
    fprintf(file, "extern const struct san_model %s_model;\n\n", m->name);
    fprintf(file, "#ifdef __cplusplus\n}\n#endif\n");
}

void backend_header(const struct module *m, struct backend_file *file)
{
    char upper[128];
    size_t length = 0;
    for (; m->name[length] && length + 1 < sizeof upper; length++)
        upper[length] = (char)toupper((unsigned char)m->name[length]);
    upper[length] = 0;
    FILE *out = open_memstream(&file->data, &file->size);
    if (!out)
        exit(4);
    fprintf(out, "/* The compiled model %s. Written by sanc " SANC_VERSION ". */\n", m->name);
    fputs(strstr((const char *)abi_text, "#ifndef SAN_ABI_H"), out);
    fprintf(out, "\n#ifndef %s_SAN_H\n#define %s_SAN_H\n\n", upper, upper);
    put_sizes(out, m, upper);
    put_prototypes(out, m, upper);
    fprintf(out, "\n#endif\n");
    if (fclose(out))
        exit(4);
}
