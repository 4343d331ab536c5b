/* Bytes that kernels read and write: what a network costs in memory traffic. */
#include "affine.h"
#include "loops.h"
#include "stats.h"
#include <stdlib.h>
#include <string.h>

/* What is accessed of a buffer. */
struct part {
    const struct buffer *buffer;
    int64_t least[MAX_RANK], most[MAX_RANK];
    int64_t accesses;
};

struct parts {
    int count;
    struct part *part; /* room for every buffer of the module */
};

static struct part *part_of(struct parts *parts, const struct buffer *buffer)
{
    for (int i = 0; i < parts->count; i++)
        if (parts->part[i].buffer == buffer)
            return &parts->part[i];
    struct part *part = &parts->part[parts->count++];
    *part = (struct part){.buffer = buffer};
    for (int i = 0; i < MAX_RANK; i++) {
        part->least[i] = INT64_MAX;
        part->most[i] = INT64_MIN;
    }
    return part;
}

static void access_buffer(struct parts *parts, const struct buffer *buffer,
                          const struct affine *const *index, int64_t iterations)
{
    if (buffer->place >= PLACE_STACK)
        return;
    struct part *part = part_of(parts, buffer);
    part->accesses += iterations;
    for (int i = 0; i < buffer->shape.rank; i++) {
        int64_t least, most;
        affine_range(index[i], &least, &most);
        part->least[i] = least < part->least[i] ? least : part->least[i];
        part->most[i] = most > part->most[i] ? most : part->most[i];
    }
}

static void visit_load(void *context, const struct expr *load, int64_t iterations)
{
    access_buffer(context, load->buffer, load->index, iterations);
}

static void visit_stores(struct parts *parts, const struct stmt *stmt, int64_t iterations)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            visit_stores(parts, stmt->body, iterations * stmt->var->extent);
        else if (stmt->kind == STMT_STORE)
            access_buffer(parts, stmt->buffer, stmt->index, iterations);
    }
}

static int64_t parts_bytes(const struct parts *parts)
{
    int64_t bytes = 0;
    for (int i = 0; i < parts->count; i++) {
        const struct part *part = &parts->part[i];
        int64_t elements = 1;
        for (int j = 0; j < part->buffer->shape.rank; j++)
            elements *= part->most[j] - part->least[j] + 1;
        bytes += 4 * (elements < part->accesses ? elements : part->accesses);
    }
    return bytes;
}

static bool runs_on(const struct kernel *kernel, const char *target)
{
    return !kernel->target || strcmp(kernel->target, target) == 0;
}

static struct kernel_traffic kernel_traffic(const struct kernel *kernel, struct part *scratch)
{
    struct parts parts = {0, scratch};
    stmt_visit_loads(kernel->body, 1, visit_load, &parts);
    int64_t read = parts_bytes(&parts);
    parts.count = 0;
    visit_stores(&parts, kernel->body, 1);
    return (struct kernel_traffic){kernel->name, kernel->label, read, parts_bytes(&parts)};
}

bool module_traffic(const struct module *module, const char *target, struct traffic *traffic)
{
    size_t kernels = 0, buffers = 0;
    *traffic = (struct traffic){0};
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
        kernels += runs_on(kernel, target);
    for (const struct buffer *buffer = module->buffers; buffer; buffer = buffer->next)
        buffers++;
    struct part *scratch = malloc((buffers + 1) * sizeof *scratch);
    traffic->kernel = malloc((kernels + 1) * sizeof *traffic->kernel);
    bool good = scratch && traffic->kernel;
    for (const struct kernel *kernel = module->kernels; kernel && good; kernel = kernel->next) {
        if (!runs_on(kernel, target))
            continue;
        struct kernel_traffic *one = &traffic->kernel[traffic->count++];
        *one = kernel_traffic(kernel, scratch);
        traffic->read += one->read;
        traffic->written += one->written;
    }
    free(scratch);
    return good;
}

void traffic_free(struct traffic *traffic)
{
    free(traffic->kernel);
    *traffic = (struct traffic){0};
}
