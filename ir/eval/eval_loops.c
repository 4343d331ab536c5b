/* The loop form's meaning: kernels in order, each over its buffers. Memory that was not written yet
 * holds NaN. Buffers whose place is planned share one workspace, or one scratch memory, at their
 * offsets, so that a wrong plan gives wrong numbers. */
#include "eval_loops.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct loops {
    const struct module *module;
    const struct parameters *parameters;
    bool single;
    int64_t unit; /* bytes of the smallest elements that the module's planned buffers may have */
    /* planned memory, an element for each unit; shared: of the running kernel */
    double *workspace, *scratch, *shared;
    int64_t shared_bytes;
    struct memories memories; /* the module's, then the running kernel's */
};

static void poison(double *data, int64_t elements)
{
    for (int64_t i = 0; i < elements; i++)
        data[i] = NAN;
}

static double *poisoned_new(int64_t elements)
{
    double *data = allocate(elements, sizeof(double));
    poison(data, elements);
    return data;
}

/* The memory that planned buffers of a place share, NULL: none. */
static double *planned_memory(const struct loops *l, enum place place, int64_t *bytes)
{
    *bytes = 0;
    switch (place) {
    case PLACE_WORKSPACE:
        *bytes = l->module->workspace_bytes;
        return l->workspace;
    case PLACE_STACK:
        *bytes = l->module->scratch_bytes;
        return l->scratch;
    case PLACE_SHARED:
        *bytes = l->shared_bytes;
        return l->shared;
    default:
        return NULL;
    }
}

static bool buffer_is_planned(const struct loops *l, const struct buffer *buffer)
{
    int64_t bytes;
    planned_memory(l, buffer->place, &bytes);
    return bytes > 0 && buffer->offset >= 0;
}

static double *planned_data(const struct loops *l, const struct buffer *buffer)
{
    int64_t bytes;
    double *memory = planned_memory(l, buffer->place, &bytes);
    assert(buffer->offset % l->unit == 0);
    assert(buffer->offset / l->unit + shape_elements(&buffer->shape) <= bytes / l->unit);
    (void)bytes;
    return memory + buffer->offset / l->unit;
}

static struct memory *memory_add(struct loops *l, const struct buffer *buffer)
{
    struct memory *memory = &l->memories.memory[l->memories.count++];
    memory->buffer = buffer;
    memory->owned = !buffer_is_planned(l, buffer);
    memory->data =
        memory->owned ? poisoned_new(shape_elements(&buffer->shape)) : planned_data(l, buffer);
    return memory;
}

static void memories_cut(struct loops *l, int count)
{
    while (l->memories.count > count) {
        const struct memory *memory = &l->memories.memory[--l->memories.count];
        if (memory->owned)
            free(memory->data);
    }
}

static bool fill_weights(const struct loops *l, const struct buffer *buffer, double *data)
{
    double *value = buffer_contents(l->module, l->parameters, buffer, NULL);
    if (!value)
        return false;
    int64_t elements = shape_elements(&buffer->shape);
    for (int64_t i = 0; i < elements; i++)
        data[i] = l->single && buffer->dtype == DTYPE_F32 ? single_of(value[i]) : value[i];
    free(value);
    return true;
}

static void fill_input(const struct loops *l, const struct buffer *buffer, const double *input,
                       double *data)
{
    for (int64_t i = 0; i < shape_elements(&buffer->shape); i++)
        data[i] = l->single ? single_of(input[i]) : input[i];
}

static int count_buffers(const struct buffer *buffer)
{
    int count = 0;
    for (; buffer; buffer = buffer->next)
        count++;
    return count;
}

static void memories_reserve(struct loops *l)
{
    int locals = 0;
    for (const struct kernel *kernel = l->module->kernels; kernel; kernel = kernel->next) {
        int count = count_buffers(kernel->locals);
        locals = count > locals ? count : locals;
    }
    int64_t most = (int64_t)(count_buffers(l->module->buffers) + locals + 1);
    l->memories.memory = allocate(most, sizeof *l->memories.memory);
}

static bool buffers_open(struct loops *l, const double *input)
{
    for (const struct buffer *buffer = l->module->buffers; buffer; buffer = buffer->next) {
        double *data = memory_add(l, buffer)->data;
        if (buffer->place == PLACE_WEIGHTS && !fill_weights(l, buffer, data))
            return false;
        if (buffer->place == PLACE_INPUT)
            fill_input(l, buffer, input, data);
    }
    return true;
}

static void kernel_run(struct loops *l, const struct kernel *kernel)
{
    int global = l->memories.count;
    poison(l->scratch, l->module->scratch_bytes / l->unit);
    l->shared_bytes = kernel_launch(kernel).shared_bytes;
    l->shared = poisoned_new(l->shared_bytes / l->unit);
    for (const struct buffer *buffer = kernel->locals; buffer; buffer = buffer->next)
        memory_add(l, buffer);
    struct arena *arena = arena_new();
    struct program program;
    kernel_compile(kernel, &l->memories, l->single, arena, &program);
    program_run(&program);
    arena_free(arena);
    memories_cut(l, global);
    free(l->shared);
}

static bool kernel_is_for(const struct kernel *kernel, const char *target)
{
    return !kernel->target || (target && strcmp(kernel->target, target) == 0);
}

static void copy_output(const struct loops *l, double *output)
{
    for (int i = 0; i < l->memories.count; i++) {
        const struct memory *memory = &l->memories.memory[i];
        if (memory->buffer->place == PLACE_OUTPUT)
            memcpy(output, memory->data,
                   (size_t)shape_elements(&memory->buffer->shape) * sizeof *output);
    }
}

bool module_eval_loops(const struct module *module, const struct parameters *parameters,
                       enum precision precision, const char *target, const double *input,
                       double *output)
{
    struct loops l = {
        .module = module, .parameters = parameters, .single = precision == PRECISION_F32};
    l.unit = dtype_bytes[module->precision == precision_kind_bf16 ? DTYPE_BF16 : DTYPE_F32];
    l.workspace = poisoned_new(module->workspace_bytes / l.unit);
    l.scratch = poisoned_new(module->scratch_bytes / l.unit);
    memories_reserve(&l);
    bool ok = buffers_open(&l, input);
    for (const struct kernel *kernel = module->kernels; ok && kernel; kernel = kernel->next)
        if (kernel_is_for(kernel, target))
            kernel_run(&l, kernel);
    if (ok)
        copy_output(&l, output);
    memories_cut(&l, 0);
    free(l.memories.memory);
    free(l.workspace);
    free(l.scratch);
    return ok;
}
