/* What a program needs to start a GPU's kernels: the plan as JSON, and the weights as one file. */
#define _GNU_SOURCE
#include "backend.h"
#include "emit.h"
#include "memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAN_VERSION = 2 };

static void put_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < ' ' || c > '~')
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

static void put_shape(FILE *file, const struct shape *shape)
{
    fputs("[", file);
    for (int i = 0; i < shape->rank; i++)
        fprintf(file, "%s%" PRId64, i ? ", " : "", shape->dim[i]);
    fputs("]", file);
}

/* Buffers that kernels of the target touch, and how. */
struct used {
    int count;
    struct {
        const struct buffer *buffer;
        bool read, written;
    } use[MAX_LOCALS];
};

static void use(struct used *used, const struct buffer *buffer, bool written)
{
    int i = 0;
    if (buffer->place >= PLACE_STACK)
        return;
    while (i < used->count && used->use[i].buffer != buffer)
        i++;
    if (i == MAX_LOCALS)
        return; /* the emitter refuses such a kernel */
    if (i == used->count)
        used->use[used->count++].buffer = buffer;
    *(written ? &used->use[i].written : &used->use[i].read) = true;
}

static void use_index(struct used *used, const struct affine *index)
{
    for (int i = 0; i < index->count; i++) {
        if (index->term[i].kind == TERM_VAR)
            continue;
        if (index->term[i].kind == TERM_LOOKUP)
            use(used, index->term[i].table, false);
        use_index(used, index->term[i].inner);
    }
}

static void use_expr(struct used *used, const struct expr *expr)
{
    if (expr->op == SCALAR_load) {
        use(used, expr->buffer, false);
        for (int i = 0; i < expr->buffer->shape.rank; i++)
            use_index(used, expr->index[i]);
    }
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            use_expr(used, expr->in[i]);
}

static void use_body(struct used *used, const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            use_body(used, stmt->body);
        if (stmt->kind != STMT_STORE)
            continue;
        use(used, stmt->buffer, true);
        for (int i = 0; i < stmt->buffer->shape.rank; i++)
            use_index(used, stmt->index[i]);
        use_expr(used, stmt->value);
    }
}

static void put_names(FILE *file, const struct used *used, bool written)
{
    const char *separator = "";
    fputc('[', file);
    for (int i = 0; i < used->count; i++)
        if (written ? used->use[i].written : used->use[i].read) {
            fprintf(file, "%s\"%s\"", separator, used->use[i].buffer->name);
            separator = ", ";
        }
    fputc(']', file);
}

static void put_kernel(FILE *file, const struct module *m, const struct instance *instance,
                       const struct target *target)
{
    const struct kernel *kernel = instance->kernel;
    static struct used used; /* too large for the stack; filled in anew each time */
    memset(&used, 0, sizeof used);
    use_body(&used, kernel->body);
    struct launch launch = kernel_launch(kernel);
    char *name = kernel_symbol(m, kernel, target);
    char *function = kernel_symbol(m, instance->code, target);
    fprintf(file, "    {\"name\": \"%s\", \"label\": ", name);
    put_string(file, kernel->label ? kernel->label : "");
    fprintf(file, ",\n     \"function\": \"%s\", \"offsets\": [0, 0, %" PRId64 ", %" PRId64 "]",
            function, instance->workspace, instance->weights);
    free(name);
    free(function);
    fprintf(file,
            ",\n     \"grid\": [%" PRId64 ", 1, 1], \"block\": [%" PRId64
            ", 1, 1], \"shared_bytes\": %" PRId64 ",\n     \"reads\": ",
            launch.blocks, launch.threads, launch.shared_bytes);
    put_names(file, &used, false);
    fputs(", \"writes\": ", file);
    put_names(file, &used, true);
    fputc('}', file);
}

/* Weights that no GPU uses have no offset. */
static bool is_on_gpus(const struct buffer *buffer)
{
    return buffer->place != PLACE_WEIGHTS || buffer->offset >= 0;
}

static int64_t weights_bytes(const struct module *m)
{
    int64_t bytes = 0;
    for (const struct buffer *b = m->buffers; b; b = b->next)
        if (b->place == PLACE_WEIGHTS && is_on_gpus(b) && b->offset + buffer_bytes(b) > bytes)
            bytes = b->offset + buffer_bytes(b);
    return bytes;
}

static void put_buffers(FILE *file, const struct module *m)
{
    const char *separator = "";
    fputs("  \"buffers\": [", file);
    for (const struct buffer *b = m->buffers; b; b = b->next) {
        if (!is_on_gpus(b))
            continue;
        fprintf(file, "%s\n    {\"name\": \"%s\", \"place\": \"%s\", \"type\": \"%s\", \"shape\": ",
                separator, b->name, place_name[b->place], dtype_name[b->dtype]);
        put_shape(file, &b->shape);
        fprintf(file, ", \"offset\": %" PRId64 ", \"bytes\": %" PRId64 "}",
                b->offset < 0 ? 0 : b->offset, buffer_bytes(b));
        separator = ",";
    }
    fputs("\n  ]\n", file);
}

static void put_head(FILE *file, const struct module *m, const struct target *target,
                     const char *weights)
{
    struct shape input = module_input_shape(m);
    struct shape output = {2, {m->batch, m->classes}};
    if (m->map[0])
        output = (struct shape){4, {m->batch, m->map[0], m->map[1], m->map[2]}};
    fprintf(file, "{\n  \"plan\": %d, \"model\": \"%s\", \"target\": \"%s\",\n", PLAN_VERSION,
            m->name, target->name);
    fprintf(file, "  \"input\": {\"type\": \"%s\", \"shape\": ", dtype_name[m->input_type]);
    put_shape(file, &input);
    if (m->input_type != DTYPE_F32 || m->layout != LAYOUT_NCHW)
        fprintf(file, ", \"layout\": \"%s\"", layout_name[m->layout]);
    fputs("},\n  \"output\": {\"type\": \"f32\", \"shape\": ", file);
    put_shape(file, &output);
    fprintf(file,
            "},\n  \"workspace\": {\"bytes\": %" PRId64 ", \"alignment\": %d},\n"
            "  \"weights\": {\"bytes\": %" PRId64 ", \"alignment\": %d, \"file\": ",
            m->workspace_bytes, DEVICE_ALIGNMENT, weights_bytes(m), DEVICE_ALIGNMENT);
    put_string(file, weights);
    fputs("},\n  \"arguments\": [\"input\", \"output\", \"workspace\", \"weights\"],\n", file);
}

bool backend_launch(const struct module *m, const char *name, const char *weights,
                    struct backend_file *file)
{
    const struct target *target = target_find(name, NULL);
    const char *separator = "";
    *file = (struct backend_file){0};
    if (!target)
        return false;
    FILE *out = memory_stream(&file->data, &file->size);
    put_head(out, m, target, weights);
    fputs("  \"kernels\": [", out);
    struct instances all = gpu_instances(m, target);
    for (int i = 0; i < all.count; i++) {
        fprintf(out, "%s\n", separator);
        put_kernel(out, m, &all.at[i], target);
        separator = ",";
    }
    free(all.at);
    fputs("\n  ],\n", out);
    put_buffers(out, m);
    fputs("}\n", out);
    memory_stream_end(out);
    return true;
}

bool backend_weights(const struct module *m, const struct parameters *parameters,
                     struct backend_file *file, struct error *error)
{
    file->size = (size_t)weights_bytes(m);
    if (file->size > INT32_MAX) {
        error_set(error, "weights over 2 GiB");
        *file = (struct backend_file){0};
        return false;
    }
    file->data = allocate((int64_t)file->size + 1, 1);
    for (const struct buffer *b = m->buffers; b; b = b->next) {
        if (b->place != PLACE_WEIGHTS || !is_on_gpus(b))
            continue;
        void *data = constants_contents(m, parameters, b);
        if (!data) {
            error_set(error, "a constant is refused");
            free(file->data);
            *file = (struct backend_file){0};
            return false;
        }
        memcpy(file->data + b->offset, data, (size_t)buffer_bytes(b));
        free(data);
    }
    return true;
}
