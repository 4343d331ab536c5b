/* Making and changing modules. */
#include "ir.h"
#include "rules.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *copy_name(struct module *module, const char *name)
{
    return name ? arena_copy(module->arena, name, strlen(name) + 1) : NULL;
}

struct module *module_new(void)
{
    struct arena *arena = arena_new();
    struct module *module = ARENA_NEW(arena, struct module);
    module->arena = arena;
    module->name = "model";
    module->batch = 1;
    module->turns = 1;
    module->threads = 1;
    module->precision = precision_kind_f32;
    return module;
}

bool module_fail(struct module *module, struct location at, const char *format, ...)
{
    struct error *error = ARENA_NEW(module->arena, struct error);
    va_list arguments;
    va_start(arguments, format);
    if (!at.line && module->file)
        at = (struct location){1, 1}; /* the text as a whole */
    *error = (struct error){.file = module->file, .at = at};
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    module->error = error;
    return false;
}

void module_free(struct module *module)
{
    while (module) {
        struct module *smaller = module->smaller;
        arena_free(module->arena);
        module = smaller;
    }
}

/* ---- graph form ------------------------------------------------------------------------------ */

static void link_after(struct module *module, struct inst *after, struct inst *inst)
{
    if (!after)
        after = module->last;
    inst->prev = after;
    inst->next = after ? after->next : module->first;
    if (inst->prev)
        inst->prev->next = inst;
    else
        module->first = inst;
    if (inst->next)
        inst->next->prev = inst;
    else
        module->last = inst;
}

static void use_begin(struct use *use, struct inst *of)
{
    use->of = of;
    use->prev = NULL;
    use->next = of->users;
    if (use->next)
        use->next->prev = use;
    of->users = use;
    of->uses++;
}

static void use_end(struct use *use)
{
    if (!use->of)
        return;
    *(use->prev ? &use->prev->next : &use->of->users) = use->next;
    if (use->next)
        use->next->prev = use->prev;
    use->of->uses--;
    use->of = NULL;
}

struct inst *inst_new(struct module *module, struct inst *after, enum op op, int inputs,
                      struct inst *const *in)
{
    assert(inputs >= 0 && inputs <= MAX_INPUTS);
    struct inst *inst = ARENA_NEW(module->arena, struct inst);
    inst->op = op;
    inst->id = module->next_id++;
    inst->inputs = inputs;
    inst->use = arena_alloc(module->arena, (size_t)inputs * sizeof *inst->use);
    for (int i = 0; i < inputs; i++) {
        inst->use[i].user = inst;
        inst_set_input(inst, i, in[i]);
    }
    const struct op_info *info = &op_info[op];
    for (int i = 0; i < info->attrs; i++) {
        if (info->attr[i].type == ATTR_TYPE_real)
            inst->attr[i].real = info->attr[i].initial;
        else if (info->attr[i].type != ATTR_TYPE_string && info->attr[i].type != ATTR_TYPE_shape)
            inst->attr[i].integer = (int64_t)info->attr[i].initial;
    }
    link_after(module, after, inst);
    return inst;
}

void inst_set_input(struct inst *inst, int i, struct inst *to)
{
    assert(i >= 0 && i < inst->inputs && to);
    use_end(&inst->use[i]);
    use_begin(&inst->use[i], to);
    inst->in[i] = to;
}

void inst_drop_inputs(struct inst *inst, int inputs)
{
    assert(inputs >= 0);
    while (inst->inputs > inputs)
        use_end(&inst->use[--inst->inputs]);
}

void inst_remove(struct module *module, struct inst *inst)
{
    assert(inst_count_uses(module, inst) == 0);
    for (int i = 0; i < inst->inputs; i++)
        use_end(&inst->use[i]);
    if (inst->prev)
        inst->prev->next = inst->next;
    else
        module->first = inst->next;
    if (inst->next)
        inst->next->prev = inst->prev;
    else
        module->last = inst->prev;
    inst->prev = inst->next = NULL;
}

/* Uses in `with` itself stay, so that an instruction can be put after the one it reads. */
void inst_replace_uses(struct module *module, struct inst *old, struct inst *with)
{
    (void)module;
    if (old == with)
        return;
    for (struct use *use = old->users, *next; use; use = next) {
        next = use->next;
        if (use->buffer)
            buffer_set_value(use->buffer, with);
        else if (use->user != with)
            inst_set_input(use->user, (int)(use - use->user->use), with);
    }
}

int inst_count_uses(const struct module *module, const struct inst *inst)
{
    (void)module;
    return inst->uses;
}

/* For an op without operands its traits say whether it is constant; any other is constant if its
 * operands are. */
bool inst_infer_constant(const struct inst *inst)
{
    bool constant = inst->inputs > 0 || has(inst, CONSTANT);
    for (int i = 0; i < inst->inputs; i++)
        constant = constant && inst->in[i]->constant;
    return constant;
}

/* ---- loop form ------------------------------------------------------------------------------- */

struct buffer *buffer_new(struct module *module, struct buffer **list, const char *name,
                          enum place place, struct shape shape)
{
    struct buffer *buffer = ARENA_NEW(module->arena, struct buffer);
    buffer->name = copy_name(module, name);
    buffer->place = place;
    buffer->shape = shape;
    buffer->offset = -1;
    while (*list)
        list = &(*list)->next;
    *list = buffer;
    return buffer;
}

int64_t buffer_bytes(const struct buffer *buffer)
{
    return dtype_bytes[buffer->dtype] * shape_elements(&buffer->shape);
}

void buffer_set_value(struct buffer *buffer, struct inst *value)
{
    use_end(&buffer->use);
    buffer->use.buffer = buffer;
    buffer->value = value;
    if (value)
        use_begin(&buffer->use, value);
}

struct kernel *kernel_new(struct module *module, struct kernel **list, const char *name)
{
    struct kernel *kernel = ARENA_NEW(module->arena, struct kernel);
    kernel->name = copy_name(module, name);
    while (*list)
        list = &(*list)->next;
    *list = kernel;
    return kernel;
}

struct var *var_new(struct module *module, const char *name, int64_t extent)
{
    struct var *var = ARENA_NEW(module->arena, struct var);
    var->name = copy_name(module, name);
    var->extent = extent;
    var->serial = ++module->vars;
    return var;
}

struct stmt *stmt_for(struct module *module, struct var *var, enum loop_kind loop,
                      struct stmt *body)
{
    struct stmt *stmt = ARENA_NEW(module->arena, struct stmt);
    stmt->kind = STMT_FOR;
    stmt->var = var;
    stmt->loop = loop;
    stmt->body = body;
    return stmt;
}

struct stmt *stmt_store(struct module *module, struct buffer *buffer,
                        const struct affine *const *index, const struct expr *value)
{
    struct stmt *stmt = ARENA_NEW(module->arena, struct stmt);
    stmt->kind = STMT_STORE;
    stmt->buffer = buffer;
    for (int i = 0; i < buffer->shape.rank; i++)
        stmt->index[i] = index[i];
    stmt->value = value;
    return stmt;
}

struct stmt *stmt_barrier(struct module *module)
{
    struct stmt *stmt = ARENA_NEW(module->arena, struct stmt);
    stmt->kind = STMT_BARRIER;
    return stmt;
}

static int64_t most_threads(const struct stmt *stmt)
{
    int64_t most = 1;
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind != STMT_FOR)
            continue;
        int64_t threads = stmt->loop == LOOP_THREAD ? stmt->var->extent
                          : stmt->loop == LOOP_WARP ? WARP_THREADS * stmt->var->extent
                                                    : most_threads(stmt->body);
        most = threads > most ? threads : most;
    }
    return most;
}

struct launch kernel_launch(const struct kernel *kernel)
{
    struct launch launch = {1, most_threads(kernel->body), 0};
    const struct stmt *stmt = kernel->body;
    for (; stmt && stmt->kind == STMT_FOR && stmt->loop == LOOP_BLOCK; stmt = stmt->body)
        launch.blocks *= stmt->var->extent;
    for (const struct buffer *local = kernel->locals; local; local = local->next) {
        int64_t end = local->offset + buffer_bytes(local);
        if (local->place == PLACE_SHARED && local->offset >= 0 && end > launch.shared_bytes)
            launch.shared_bytes = end;
    }
    return launch;
}

struct stmt *stmt_prefetch(struct module *module, const struct expr *load)
{
    struct stmt *stmt = ARENA_NEW(module->arena, struct stmt);
    stmt->kind = STMT_PREFETCH;
    stmt->value = load;
    return stmt;
}

const struct expr *expr_constant(struct module *module, double value)
{
    struct expr *expr = ARENA_NEW(module->arena, struct expr);
    expr->op = SCALAR_constant;
    expr->value = value;
    return expr;
}

const struct expr *expr_load(struct module *module, struct buffer *buffer,
                             const struct affine *const *index)
{
    struct expr *expr = ARENA_NEW(module->arena, struct expr);
    expr->op = SCALAR_load;
    expr->buffer = buffer;
    for (int i = 0; i < buffer->shape.rank; i++)
        expr->index[i] = index[i];
    return expr;
}

const struct expr *expr_op(struct module *module, enum scalar_op op, const struct expr *a,
                           const struct expr *b, const struct expr *c)
{
    assert((a != NULL) + (b != NULL) + (c != NULL) == scalar_info[op].inputs);
    struct expr *expr = ARENA_NEW(module->arena, struct expr);
    expr->op = op;
    expr->in[0] = a;
    expr->in[1] = b;
    expr->in[2] = c;
    return expr;
}

const struct expr *expr_reduce(struct module *module, enum scalar_op op, int vars,
                               struct var *const *var, const struct expr *body,
                               const struct expr *init)
{
    assert((op == SCALAR_sum || op == SCALAR_maximum) && vars > 0 && vars <= MAX_RANK);
    struct expr *expr = ARENA_NEW(module->arena, struct expr);
    expr->op = op;
    expr->vars = vars;
    for (int i = 0; i < vars; i++)
        expr->var[i] = var[i];
    expr->in[0] = body;
    expr->in[1] = init;
    return expr;
}
