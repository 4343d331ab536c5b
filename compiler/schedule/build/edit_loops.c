/* Carries out the commands of a schedule that change the loops made by the other commands:
 *
 *   for b in 2, r in 3 {                           for r in 3, b in 2 {
 *     for k in 4, v in 8 vector             =>       for k in 4 unroll, v in 8 vector
 *       acc[v] = fma(.., .., acc[v])                   acc[v] = fma(.., .., acc[v])
 *
 *   order r b
 *   kind k unroll
 *
 * Names are those of loops and buffers after all other commands. A kernel may have become several
 * (_rest, _part1): a command is for each of them that has the name, or, as in `kind conv_rest.k
 * unroll`, for one.
 *
 * They are carried out in turn, and the loops have to be right after each: the verifier says which
 * dependence or limit forbids one. */
#include "edit_loops.h"
#include "check.h"
#include "commands.h"
#include <assert.h>
#include <string.h>

enum { MOST_REGISTERS = 64 /* vectors of a buffer in registers */ };

struct editing {
    struct module *m;
    const struct kernel *from;
    struct kernel *kernels; /* that the kernel has become */
    const struct target *target;
    const struct command *command;
};

enum outcome { ABSENT, DONE, REFUSED };

/* kernel: NULL where the text names it. */
static enum outcome fail(struct editing *e, int operand, const struct kernel *kernel,
                         const char *text)
{
    struct location at = e->command->at;
    if (operand >= 0)
        at.column = e->command->operand_column[operand];
    if (kernel)
        module_fail(e->m, at, "kernel %s: %s", kernel->name, text);
    else
        module_fail(e->m, at, "%s", text);
    return REFUSED;
}

static enum outcome verify(struct editing *e, const struct kernel *kernel, const struct edit *edit)
{
    struct error error;
    if (kernel_verify_kinds(e->m, kernel, edit, &error))
        return DONE;
    return fail(e, OPERAND_NONE, NULL,
                arena_printf(e->m->arena, "%s", error.text)); /* it names the kernel */
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The name in an operand, if it is about this kernel: NAME, or KERNEL.NAME for that kernel alone.
 * NULL: it is not. */
static const char *name_in(const struct kernel *kernel, const char *operand)
{
    const char *dot = strchr(operand, '.');
    if (!dot)
        return operand;
    size_t length = (size_t)(dot - operand);
    bool this = strlen(kernel->name) == length && strncmp(kernel->name, operand, length) == 0;
    return this ? dot + 1 : NULL;
}

static struct stmt *find_in(struct stmt *stmt, const char *name)
{
    struct stmt *found = NULL;
    for (; stmt && !found; stmt = stmt->next)
        if (stmt->kind == STMT_FOR)
            found = strcmp(stmt->var->name, name) == 0 ? stmt : find_in(stmt->body, name);
    return found;
}

static struct stmt *find_loop(const struct kernel *kernel, const char *operand)
{
    const char *name = name_in(kernel, operand);
    return name ? find_in(kernel->body, name) : NULL;
}

static struct buffer *find_buffer(const struct kernel *kernel, const char *operand)
{
    const char *name = name_in(kernel, operand);
    struct buffer *buffer = name ? kernel->locals : NULL;
    while (buffer && strcmp(buffer->name, name) != 0)
        buffer = buffer->next;
    return buffer;
}

/* A list of names: "t, b, k". */
struct list {
    struct arena *arena;
    const char *text; /* NULL: none yet */
};

static void add_name(struct list *list, const char *name)
{
    list->text = list->text ? arena_printf(list->arena, "%s, %s", list->text, name) : name;
}

static void add_loops(struct list *list, const struct editing *e, const struct kernel *of,
                      const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind != STMT_FOR)
            continue;
        const struct kernel *kernel = e->kernels;
        while (kernel != of && !find_in(kernel->body, stmt->var->name))
            kernel = kernel->next;
        if (kernel == of) /* else it is listed already */
            add_name(list, stmt->var->name);
        add_loops(list, e, of, stmt->body);
    }
}

static void add_buffers(struct list *list, const struct editing *e, const struct kernel *of)
{
    for (const struct buffer *buffer = of->locals; buffer; buffer = buffer->next) {
        const struct kernel *kernel = e->kernels;
        while (kernel != of && !find_buffer(kernel, buffer->name))
            kernel = kernel->next;
        if (kernel == of)
            add_name(list, buffer->name);
    }
}

/* No kernel has what an operand names. */
static enum outcome fail_unknown(struct editing *e, int operand, bool buffers)
{
    struct list list = {e->m->arena, NULL}, kernels = {e->m->arena, NULL};
    bool known = false;
    for (const struct kernel *kernel = e->kernels; kernel; kernel = kernel->next) {
        known |= name_in(kernel, e->command->operand[operand]) != NULL;
        add_name(&kernels, kernel->name);
        if (buffers)
            add_buffers(&list, e, kernel);
        else
            add_loops(&list, e, kernel, kernel->body);
    }
    if (!known)
        return fail(e, operand, e->from,
                    arena_printf(e->m->arena, "found '%s', must be of one of the kernels %s",
                                 e->command->operand[operand], kernels.text));
    return fail(e, operand, e->from,
                arena_printf(e->m->arena, "found '%s', must be one of the %s %s",
                             e->command->operand[operand], buffers ? "buffers" : "loops",
                             list.text ? list.text : "(there are none)"));
}

/* Finds the second operand among the names that are allowed. False: it is none of them, and an
 * error is set. */
static bool read_name(struct editing *e, int count, const char *const *name,
                      bool (*allowed)(int number, bool gpu), int *number)
{
    bool gpu = e->target->gpu != NULL;
    struct list list = {e->m->arena, NULL};
    for (int i = 0; i < count; i++) {
        if (!allowed(i, gpu))
            continue;
        *number = i;
        if (strcmp(e->command->operand[1], name[i]) == 0)
            return true;
        add_name(&list, name[i]);
    }
    fail(e, 1, e->from,
         arena_printf(e->m->arena, "found '%s', must be one of %s", e->command->operand[1],
                      list.text));
    return false;
}

/* ---- kind LOOP KIND -------------------------------------------------------------------------- */

static bool kind_is_for(int kind, bool gpu)
{
    return kind == LOOP_SERIAL || kind == LOOP_UNROLL || kind == LOOP_VECTOR ||
           (gpu ? kind == LOOP_BLOCK || kind == LOOP_THREAD : kind == LOOP_PARALLEL);
}

/* Checks the limits of the kind itself. */
static enum outcome check_kind(struct editing *e, const struct kernel *kernel,
                               const struct stmt *loop)
{
    int64_t extent = loop->var->extent;
    if (loop->loop == LOOP_VECTOR && (extent > e->target->lanes || (extent & (extent - 1))))
        return fail(
            e, 1, kernel,
            arena_printf(e->m->arena,
                         "loop %s: vector, has %lld iterations, must be a power of two up to %d",
                         loop->var->name, (long long)extent, e->target->lanes));
    if (loop->loop == LOOP_UNROLL && written_out(kernel->body) > MOST_WRITTEN_OUT)
        return fail(e, 1, kernel,
                    arena_printf(e->m->arena,
                                 "loop %s: unroll would write out more than %d statements",
                                 loop->var->name, MOST_WRITTEN_OUT));
    return DONE;
}

static bool has_barrier(const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_BARRIER || (stmt->kind == STMT_FOR && has_barrier(stmt->body)))
            return true;
    return false;
}

/* Blocks have separate shared memory. When one block does the work of several, all of its threads
 * must have finished one block's work before any begins the next. */
static void end_with_barrier(struct editing *e, struct stmt *loop)
{
    if (has_barrier(loop->body))
        stmt_append(&loop->body, stmt_barrier(e->m));
}

static enum outcome edit_kind(struct editing *e, struct kernel *kernel)
{
    int kind;
    struct stmt *loop = find_loop(kernel, e->command->operand[0]);
    if (!read_name(e, LOOP_KIND_COUNT, loop_kind_name, kind_is_for, &kind))
        return REFUSED;
    if (!loop)
        return ABSENT;
    enum loop_kind old = loop->loop;
    loop->loop = (enum loop_kind)kind;
    if (check_kind(e, kernel, loop) == REFUSED)
        return REFUSED;
    bool device = kind == LOOP_BLOCK || kind == LOOP_THREAD;
    if (old == LOOP_BLOCK && !device)
        end_with_barrier(e, loop);
    return verify(e, kernel, &(struct edit){device || old == LOOP_THREAD ? loop : NULL, NULL});
}

/* ---- order LOOP LOOP ... --------------------------------------------------------------------- */

static int number_of(int loops, struct stmt *const *loop, const struct stmt *of)
{
    int i = 0;
    while (i < loops && loop[i] != of)
        i++;
    return i;
}

/* Finds the named loops as they are nested, the outermost first. */
static enum outcome find_nest(struct editing *e, const struct kernel *kernel, int loops,
                              struct stmt *const *named, struct stmt **nest)
{
    nest[0] = named[0];
    for (int i = 1; i < loops; i++)
        if (find_in(named[i]->body, nest[0]->var->name))
            nest[0] = named[i];
    for (int i = 1; i < loops; i++) {
        nest[i] = nest[i - 1]->body;
        if (nest[i]->next || nest[i]->kind != STMT_FOR || number_of(loops, named, nest[i]) == loops)
            return fail(
                e, OPERAND_NONE, kernel,
                arena_printf(e->m->arena,
                             "loop %s must hold another one of those named here, and nothing else",
                             nest[i - 1]->var->name));
    }
    return DONE;
}

static void reorder(int loops, struct stmt *const *nest, const int *order)
{
    struct stmt old[MAX_RANK];
    for (int i = 0; i < loops; i++)
        old[i] = *nest[i];
    for (int i = 0; i < loops; i++) {
        nest[i]->var = old[order[i]].var;
        nest[i]->loop = old[order[i]].loop;
        nest[i]->at = old[order[i]].at;
    }
}

static enum outcome edit_order(struct editing *e, struct kernel *kernel)
{
    struct error error;
    int loops = e->command->operands, order[MAX_RANK] = {0};
    struct stmt *named[MAX_RANK] = {NULL}, *nest[MAX_RANK];
    for (int i = 0; i < loops; i++) {
        named[i] = find_loop(kernel, e->command->operand[i]);
        if (!named[i])
            return ABSENT;
        if (number_of(i, named, named[i]) < i)
            return fail(e, i, kernel,
                        arena_printf(e->m->arena, "a second '%s'", e->command->operand[i]));
    }
    if (find_nest(e, kernel, loops, named, nest) == REFUSED)
        return REFUSED;
    for (int i = 0; i < loops; i++)
        order[i] = number_of(loops, nest, named[i]);
    if (!kernel_verify_order(e->m, kernel, loops, (const struct stmt *const *)nest, order, &error))
        return fail(e, OPERAND_NONE, NULL, arena_printf(e->m->arena, "%s", error.text));
    reorder(loops, nest, order);
    return verify(e, kernel, &(struct edit){NULL, NULL});
}

/* ---- place BUFFER PLACE ---------------------------------------------------------------------- */

static bool place_is_for(int place, bool gpu)
{
    return place == PLACE_REGISTERS || place == (gpu ? PLACE_SHARED : PLACE_STACK) ||
           (gpu && place == PLACE_WORKSPACE);
}

static enum outcome edit_place(struct editing *e, struct kernel *kernel)
{
    int place;
    struct buffer *buffer = find_buffer(kernel, e->command->operand[0]);
    if (!read_name(e, PLACE_COUNT, place_name, place_is_for, &place))
        return REFUSED;
    if (!buffer)
        return ABSENT;
    buffer->place = (enum place)place;
    buffer->at = e->command->at; /* for plan_memory's error where shared memory is too small */
    int64_t most = MOST_REGISTERS * e->target->lanes, elements = shape_elements(&buffer->shape);
    if (e->target->gpu)
        elements /= buffer->shape.dim[0]; /* the threads */
    if (place == PLACE_REGISTERS && elements > most)
        return fail(e, 1, kernel,
                    arena_printf(e->m->arena,
                                 "buffer %s: %lld elements, registers may hold %lld of one",
                                 buffer->name, (long long)elements, (long long)most));
    return verify(e, kernel, &(struct edit){NULL, buffer});
}

/* ---- commands -------------------------------------------------------------------------------- */

/* No kernel has all loops that the operands name. Only `order` has several. */
static void fail_absent(struct editing *e, bool buffers)
{
    int names = command_identify(e->target, e->command) == COMMAND_order ? e->command->operands : 1;
    for (int i = 0; i < names; i++) {
        bool found = false;
        for (const struct kernel *kernel = e->kernels; kernel; kernel = kernel->next)
            found |= buffers ? find_buffer(kernel, e->command->operand[i]) != NULL
                             : find_loop(kernel, e->command->operand[i]) != NULL;
        if (!found) {
            fail_unknown(e, i, buffers);
            return;
        }
    }
    fail(e, OPERAND_NONE, e->from, "these loops are not all of one kernel");
}

static enum outcome edit(struct editing *e, enum command_id id, struct kernel *kernel)
{
    if (id == COMMAND_kind)
        return edit_kind(e, kernel);
    if (id == COMMAND_order)
        return edit_order(e, kernel);
    assert(id == COMMAND_place);
    return edit_place(e, kernel);
}

void loops_edit(const struct subject *s, const struct schedule *schedule, struct kernel *kernels)
{
    struct module *m = s->m;
    struct editing e = {m, s->nests->kernel, kernels, s->target, NULL};
    for (e.command = schedule->commands; e.command && !m->error; e.command = e.command->next) {
        enum command_id id = command_identify(s->target, e.command);
        bool found = false;
        if (command_rows[id].scope != SCOPE_LOOP)
            continue;
        for (struct kernel *kernel = kernels; kernel && !m->error; kernel = kernel->next)
            found |= edit(&e, id, kernel) == DONE;
        if (!found && !m->error)
            fail_absent(&e, id == COMMAND_place);
    }
}
