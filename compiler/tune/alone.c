#include "alone.h"
#include "memory.h"
#include "observe.h"
#include "passes.h"
#include "plan_read.h"
#include "plan_write.h"
#include "rounding.h"
#include "touches.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME "alone"

/* ---- the text -------------------------------------------------------------------------------- */

static const struct touch *next_touch(const struct touch *touch, enum place place, bool is)
{
    while (touch && (touch->buffer->place == place) != is)
        touch = touch->of_kernel;
    return touch;
}

static void print_buffer(const struct buffer *buffer, enum place place, FILE *to)
{
    const char *type = dtype_name[buffer->place == PLACE_INPUT ? DTYPE_F32 : buffer->dtype];
    fprintf(to, "%s : %s %s[", buffer->name, place_name[place], type);
    for (int i = 0; i < buffer->shape.rank; i++)
        fprintf(to, "%s%" PRId64, i ? ", " : "", buffer->shape.dim[i]);
    fputc(']', to);
}

/* Constants become parameters: %0, %2, ..; those of two bytes are rounded: %1, %3, .. */
static void print_graph(const struct kernel *kernel, FILE *to)
{
    int id = 0;
    const struct touch *t = next_touch(kernel->touches, PLACE_WEIGHTS, true);
    for (fputs("\ngraph {\n", to); t; t = next_touch(t->of_kernel, PLACE_WEIGHTS, true), id += 2) {
        int64_t elements = shape_elements(&t->buffer->shape);
        fprintf(to,
                "  %%%d = parameter { name = \"%s\", shape = [%" PRId64 "] } : f32[%" PRId64 "]\n",
                id, t->buffer->name, elements, elements);
        if (t->buffer->dtype == DTYPE_BF16)
            fprintf(to, "  %%%d = round %%%d { precision = bf16 } : f32[%" PRId64 "]\n", id + 1, id,
                    elements);
    }
    fputs("}\n\n", to);
}

static void print_all_buffers(const struct kernel *kernel, int64_t inputs, int64_t outputs,
                              FILE *to)
{
    int id = 0;
    fprintf(to, NAME "_in : input f32[1, 1, 1, %" PRId64 "]\n", inputs);
    fprintf(to, NAME "_out : output f32[1, %" PRId64 "]\n", outputs);
    for (const struct touch *t = kernel->touches; t; t = t->of_kernel) {
        bool constant = t->buffer->place == PLACE_WEIGHTS;
        print_buffer(t->buffer, constant ? PLACE_WEIGHTS : PLACE_WORKSPACE, to);
        if (constant)
            fprintf(to, " = %%%d", id + (t->buffer->dtype == DTYPE_BF16));
        id += constant ? 2 : 0;
        fputc('\n', to);
    }
}

/* for i0 in .., i1 in ..: BUFFER[i0, i1] = alone_in[0, 0, 0, row-major + begin], or the other way
 * round */
static void print_copy(const struct buffer *buffer, int nest, bool reads, int64_t begin, FILE *to)
{
    int rank = buffer->shape.rank;
    int64_t stride = 1;
    char flat[1024] = "", at[512] = "";
    for (int i = rank; i-- > 0; stride *= buffer->shape.dim[i])
        snprintf(flat + strlen(flat), sizeof flat - strlen(flat), "%" PRId64 "*i%d_%d + ", stride,
                 nest, i);
    snprintf(flat + strlen(flat), sizeof flat - strlen(flat), "%" PRId64, begin);
    fputs("  for", to);
    for (int i = 0; i < rank; i++) {
        fprintf(to, "%s i%d_%d in %" PRId64, i ? "," : "", nest, i, buffer->shape.dim[i]);
        snprintf(at + strlen(at), sizeof at - strlen(at), "%si%d_%d", i ? ", " : "", nest, i);
    }
    const char *round = buffer->dtype == DTYPE_BF16 ? "bf16" : "";
    if (reads)
        fprintf(to, "\n    %s[%s] = %s(" NAME "_in[0, 0, 0, %s])\n", buffer->name, at, round, flat);
    else
        fprintf(to, "\n    " NAME "_out[0, %s] = %s[%s]\n", flat, buffer->name, at);
}

/* The kernel `alone_read`, for all maps that the kernel touches, or `alone_write`, for those that
 * it stores to; the elements that it copies. */
static int64_t print_copies(const struct kernel *kernel, bool reads, FILE *to)
{
    int64_t begin = 0;
    int nest = 0;
    const struct touch *t = next_touch(kernel->touches, PLACE_WEIGHTS, false);
    for (; t; t = next_touch(t->of_kernel, PLACE_WEIGHTS, false)) {
        if (!reads && !t->stores)
            continue;
        fprintf(to, "%s",
                nest    ? ""
                : reads ? "kernel " NAME "_read {\n"
                        : "kernel " NAME "_write {\n");
        print_copy(t->buffer, nest++, reads, begin, to);
        begin += shape_elements(&t->buffer->shape);
    }
    fputs(nest ? "}\n" : "", to);
    return begin;
}

static char *print_text(const struct module *m, const struct kernel *kernel, size_t *size)
{
    char *read, *write, *text;
    size_t bytes;
    FILE *to = memory_stream(&read, &bytes);
    int64_t inputs = print_copies(kernel, true, to);
    memory_stream_end(to);
    to = memory_stream(&write, &bytes);
    int64_t outputs = print_copies(kernel, false, to);
    memory_stream_end(to);
    to = memory_stream(&text, size);
    fprintf(to, "sanir %d\nmodel \"" NAME "\"\ninput f32[1, 1, 1, %" PRId64 "]\nclasses %" PRId64,
            IR_VERSION, inputs, outputs);
    fprintf(to, "\ntargets \"%s\"\nthreads %" PRId64 "\n", m->target[0], m->threads);
    if (m->precision != precision_kind_f32)
        fprintf(to, "precision %s\n", attr_enum_name(ATTR_TYPE_precision_kind, m->precision));
    fprintf(to, "after %s\n", pass_table[pass_find("schedule") - 1].name);
    print_graph(kernel, to);
    print_all_buffers(kernel, inputs, outputs, to);
    struct kernel alone = *kernel;
    alone.name = NAME;
    alone.label = NULL;
    alone.cost = NULL;
    fprintf(to, "\n%s", read);
    kernel_print(&alone, to);
    fputs(write, to);
    memory_stream_end(to);
    free(read);
    free(write);
    return text;
}

/* ---- constants, images, results -------------------------------------------------------------- */

static const double *find_constant(void *context, const char *name, const struct shape *shape)
{
    const struct alone *alone = context;
    (void)shape; /* the text above says it */
    int i = 0;
    while (i < alone->count && strcmp(alone->constant[i].name, name) != 0)
        i++;
    return i < alone->count ? alone->constant[i].value : NULL;
}

static enum status take_constants(struct alone *alone, const struct module *m,
                                  const struct kernel *kernel, const struct source *source)
{
    struct error error = {0};
    const struct touch *t = next_touch(kernel->touches, PLACE_WEIGHTS, true);
    for (; t; t = next_touch(t->of_kernel, PLACE_WEIGHTS, true)) {
        alone->constant =
            allocate_again(alone->constant, alone->count + 1, sizeof *alone->constant);
        double *value = buffer_contents(m, &source->parameters, t->buffer, &error);
        if (!value) {
            error.file = source->options->weights;
            diag_report(&error);
            return STATUS_INPUT;
        }
        alone->constant[alone->count++] = (struct constant){t->buffer->name, value};
    }
    return STATUS_DONE;
}

/* What `alone_read` copies: numbers from -1 to 1, as maps have them; for maps that the kernel only
 * stores to NaN, which stays where it leaves an element out. */
static double *draw(int64_t count, const struct kernel *kernel)
{
    double *value = allocate(count, sizeof *value);
    uint64_t state = 1;
    int64_t i = 0;
    const struct touch *t = next_touch(kernel->touches, PLACE_WEIGHTS, false);
    for (; t; t = next_touch(t->of_kernel, PLACE_WEIGHTS, false))
        for (int64_t end = i + shape_elements(&t->buffer->shape); i < end; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            value[i] = t->loads ? (float)((double)(state >> 33) * 0x1p-30 - 1) : (double)NAN;
        }
    return value;
}

static enum status evaluate(struct alone *alone, struct module *before, const struct kernel *kernel)
{
    alone->input = draw(before->width, kernel);
    alone->reference = allocate(before->classes, sizeof(double));
    memset(alone->reference, 0xff, (size_t)before->classes * sizeof(double));
    const struct images images = {alone->input, 1, before->width};
    return execute_evaluator(before, &alone->source.parameters, PRECISION_F64, before->target[0],
                             &images, alone->reference);
}

/* ---- the module ------------------------------------------------------------------------------ */

static struct kernel *kernel_of(const struct module *m)
{
    struct kernel *kernel = m->kernels;
    while (strcmp(kernel->name, NAME) != 0)
        kernel = kernel->next;
    return kernel;
}

static struct module *parse(const char *text, size_t size)
{
    struct error error = {0};
    struct module *module = module_parse(text, size, &error);
    if (!module)
        diag_error(NULL, 0, 0, "defect: a kernel alone does not read back: %d:%d: %s",
                   error.at.line, error.at.column, error.text);
    return module;
}

static enum status schedule_and_keep(struct alone *alone, struct module *module)
{
    enum status status = passes_run(module, "schedule", NULL);
    if (status != STATUS_DONE)
        return status;
    alone->text = module_text(module, &alone->size);
    alone->module = parse(alone->text, alone->size);
    if (!alone->module)
        return STATUS_DEFECT;
    const struct target *target = target_find(module->target[0], NULL);
    struct kernel *kernel = kernel_of(alone->module);
    alone->subject = (struct subject){alone->module, nests_find(alone->module, kernel), target,
                                      rounding_new(alone->module, alone->module->arena)};
    return STATUS_DONE;
}

enum status alone_make(struct alone *alone, const struct module *m, const struct kernel *kernel,
                       const struct source *source)
{
    size_t size;
    *alone = (struct alone){.source = {.options = source->options}};
    alone->source.parameters = (struct parameters){find_constant, alone, NULL};
    enum status status = take_constants(alone, m, kernel, source);
    if (status != STATUS_DONE)
        return status;
    char *text = print_text(m, kernel, &size);
    struct module *module = parse(text, size);
    status = module ? evaluate(alone, module, kernel) : STATUS_DEFECT;
    if (status == STATUS_DONE)
        status = schedule_and_keep(alone, module);
    module_free(module);
    free(text);
    return status;
}

void alone_free(struct alone *alone)
{
    for (int i = 0; i < alone->count; i++)
        free(alone->constant[i].value);
    free(alone->constant);
    free(alone->input);
    free(alone->reference);
    free(alone->text);
    module_free(alone->module);
}

void alone_plan(struct alone *alone, struct plan *plan)
{
    struct schedule *schedule = schedule_find(kernel_of(alone->module), alone->module->target[0]);
    bool read = plan_read(&alone->subject, schedule, plan);
    assert(read); /* the pass has written it */
    (void)read;
}

static char *commands_text(const struct schedule *schedule)
{
    char *text;
    size_t size;
    FILE *to = memory_stream(&text, &size);
    for (const struct command *c = schedule->commands; c; c = c->next) {
        fputs(c->word, to);
        for (int i = 0; i < c->operands; i++)
            fprintf(to, " %s", c->operand[i]);
        fputc('\n', to);
    }
    memory_stream_end(to);
    return text;
}

char *alone_check(struct alone *alone, const struct plan *plan)
{
    struct plan read;
    struct subject scratch = alone->subject;
    scratch.m = module_new();
    scratch.m->threads = alone->module->threads;
    struct kernel none = {.locals = alone->subject.nests->kernel->locals};
    plan_write(scratch.m, &none, alone->module->target[0], plan);
    bool allowed = plan_read(&scratch, none.schedules, &read);
    char *text = allowed ? commands_text(none.schedules) : NULL;
    module_free(scratch.m);
    return text;
}

struct module *alone_with(const struct alone *alone, const struct plan *plan)
{
    struct module *module = parse(alone->text, alone->size);
    struct kernel *kernel = kernel_of(module);
    kernel->schedules = NULL;
    plan_write(module, kernel, module->target[0], plan);
    return module;
}

bool alone_is_it(const char *name)
{
    static const char *const others[] = {NAME "_read", NAME "_write"};
    for (int i = 0; i < 2; i++)
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}
