#include "trace.h"
#include "affine.h"
#include "memory.h"
#include "observe.h"
#include <stdlib.h>
#include <string.h>

static const int64_t MOST_ELEMENTS = INT64_C(1) << 28; /* 2 GiB of doubles */

/* ---- what the kernels write ------------------------------------------------------------------ */

static void add_written(struct trace *trace, const struct buffer *buffer, struct buffer *copy,
                        int kernel)
{
    for (int i = trace->count; i-- > 0 && trace->written[i].kernel == kernel;)
        if (trace->written[i].copy == copy)
            return;
    if (trace->count == trace->room) {
        trace->room = trace->room ? 2 * trace->room : 64;
        trace->written = allocate_again(trace->written, trace->room, sizeof *trace->written);
    }
    struct written *written = &trace->written[trace->count++];
    *written =
        (struct written){buffer, copy, kernel, trace->elements, shape_elements(&copy->shape)};
    trace->elements += written->elements;
}

static const struct buffer *buffer_named(const struct module *module, const char *name)
{
    const struct buffer *buffer = module->buffers;
    while (buffer && strcmp(buffer->name, name) != 0)
        buffer = buffer->next;
    return buffer;
}

static void find_written(struct trace *trace, const struct stmt *stmt, int kernel)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            find_written(trace, stmt->body, kernel);
        else if (stmt->kind == STMT_STORE &&
                 (stmt->buffer->place == PLACE_WORKSPACE || stmt->buffer->place == PLACE_OUTPUT))
            add_written(trace, buffer_named(trace->module, stmt->buffer->name), stmt->buffer,
                        kernel);
    }
}

/* ---- the copy that is evaluated -------------------------------------------------------------- */

/* for i0, i1, ..: output[(begin + i) div row, (begin + i) mod row] = buffer[i0, i1, ..] */
static struct stmt *copy_loops(struct module *copy, struct buffer *output,
                               const struct written *written)
{
    const struct affine *index[MAX_RANK], *at[2];
    struct var *var[MAX_RANK];
    const struct shape *shape = &written->copy->shape;
    for (int i = 0; i < shape->rank; i++) {
        var[i] = var_new(copy, arena_printf(copy->arena, "i%d", i), shape->dim[i]);
        index[i] = affine_var(copy->arena, var[i]);
    }
    const struct affine *flat = affine_linearize(copy->arena, shape, index);
    flat = affine_offset(copy->arena, flat, written->begin);
    at[0] = affine_div(copy->arena, flat, output->shape.dim[1]);
    at[1] = affine_mod(copy->arena, flat, output->shape.dim[1]);
    struct stmt *stmt = stmt_store(copy, output, at, expr_load(copy, written->copy, index));
    for (int i = shape->rank; i-- > 0;)
        stmt = stmt_for(copy, var[i], LOOP_SERIAL, stmt);
    return stmt;
}

static void insert_copies(struct module *copy, struct buffer *output, const struct trace *trace)
{
    struct kernel *kernel = copy->kernels;
    int next = 0;
    for (int number = 0; kernel; number++) {
        struct kernel *last = kernel, *following = kernel->next;
        for (; next < trace->count && trace->written[next].kernel == number; next++) {
            struct kernel *tracer = ARENA_NEW(copy->arena, struct kernel);
            tracer->name = arena_printf(copy->arena, "trace_%d", next);
            tracer->body = copy_loops(copy, output, &trace->written[next]);
            last->next = tracer;
            last = tracer;
        }
        last->next = following;
        kernel = following;
    }
}

/* Makes the trace the module's output, and the old output a buffer of its own. */
static struct buffer *replace_output(struct module *copy, const struct trace *trace)
{
    for (struct buffer *buffer = copy->buffers; buffer; buffer = buffer->next)
        if (buffer->place == PLACE_OUTPUT)
            buffer->place = PLACE_WORKSPACE;
    copy->map[0] = 0;
    copy->classes = (trace->elements + copy->batch - 1) / copy->batch;
    struct shape shape = {2, {copy->batch, copy->classes}};
    return buffer_new(copy, &copy->buffers, "trace", PLACE_OUTPUT, shape);
}

static struct module *copy_module(const struct module *module)
{
    size_t size;
    struct error error;
    char *text = module_text(module, &size);
    struct module *copy = text ? module_parse(text, size, &error) : NULL;
    if (text && !copy)
        diag_error(NULL, 0, 0, "defect: the IR does not read back: %d:%d: %s", error.at.line,
                   error.at.column, error.text);
    free(text);
    return copy;
}

double *batch_of(const struct module *module, const struct images *images)
{
    double *value = allocate(module->batch * images->each, sizeof *value);
    for (int64_t i = 0; i < module->batch; i++)
        memcpy(value + i * images->each,
               images->value + (i < images->count ? i : images->count - 1) * images->each,
               (size_t)images->each * sizeof *value);
    return value;
}

/* Gives each buffer of the workspace memory of its own, so that elements that no kernel has written
 * yet are not what another buffer left there, but NaN. */
static void part_workspace(struct module *copy)
{
    for (struct buffer *buffer = copy->buffers; buffer; buffer = buffer->next)
        if (buffer->place == PLACE_WORKSPACE)
            buffer->offset = -1;
}

static enum status evaluate_copy(struct trace *trace, const struct parameters *parameters,
                                 const struct images *images)
{
    struct module *copy = copy_module(trace->module);
    if (!copy)
        return STATUS_DEFECT;
    int number = 0;
    for (struct kernel *kernel = copy->kernels; kernel; kernel = kernel->next)
        find_written(trace, kernel->body, number++);
    enum status status = STATUS_SYSTEM;
    if (trace->elements > MOST_ELEMENTS) {
        diag_error(NULL, 0, 0, "no memory for what the kernels write");
    } else {
        insert_copies(copy, replace_output(copy, trace), trace);
        part_workspace(copy);
        trace->value = allocate(copy->batch * copy->classes, sizeof(double));
        status = execute_evaluator(copy, parameters, PRECISION_F64, copy->target[0], images,
                                   trace->value);
    }
    module_free(copy);
    return status;
}

enum status trace_evaluate(struct trace *trace, const struct module *module,
                           const struct parameters *parameters, const struct images *images)
{
    *trace = (struct trace){.module = module};
    double *value = batch_of(module, images);
    struct images batch = {value, module->batch, images->each};
    enum status status = evaluate_copy(trace, parameters, &batch);
    free(value);
    return status;
}

const char *kernel_name(const struct module *module, int number)
{
    const struct kernel *kernel = module->kernels;
    while (number-- > 0)
        kernel = kernel->next;
    return kernel->name;
}

void trace_free(struct trace *trace)
{
    free(trace->written);
    free(trace->value);
}
