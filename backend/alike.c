/* Kernels of a GPU that differ in where their buffers lie alone: by as many bytes for all buffers of
 * the workspace, and of the weights. One function serves them all, started with other addresses. */
#include "backend.h"
#include "emit.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_VARS = 512 };

/* What of kernel a (0) corresponds to what of kernel b (1). */
struct matching {
    const struct buffer *buffer[2][MAX_LOCALS];
    const struct var *var[2][MOST_VARS]; /* loops around, and those before */
    int buffers, vars;
    bool moved[PLACE_COUNT]; /* the place has a buffer */
    int64_t by[PLACE_COUNT];
};

/* Both lie in the same place, the second `by` bytes after the first. */
static bool is_moved(struct matching *m, const struct buffer *a, const struct buffer *b)
{
    const int64_t by = b->offset - a->offset;
    if (a->place != PLACE_WORKSPACE && a->place != PLACE_WEIGHTS)
        return by == 0;
    if (!m->moved[a->place])
        m->by[a->place] = by;
    m->moved[a->place] = true;
    return m->by[a->place] == by && by >= 0 && by % ALIGNMENT == 0;
}

static bool match_buffer(struct matching *m, const struct buffer *a, const struct buffer *b)
{
    for (int i = 0; i < m->buffers; i++)
        if (m->buffer[0][i] == a || m->buffer[1][i] == b)
            return m->buffer[0][i] == a && m->buffer[1][i] == b;
    if (a->place != b->place || a->dtype != b->dtype || !shape_equal(&a->shape, &b->shape) ||
        m->buffers == MAX_LOCALS || !is_moved(m, a, b))
        return false;
    m->buffer[0][m->buffers] = a;
    m->buffer[1][m->buffers++] = b;
    return true;
}

static bool match_var(const struct matching *m, const struct var *a, const struct var *b)
{
    for (int i = m->vars - 1; i >= 0; i--)
        if (m->var[0][i] == a || m->var[1][i] == b)
            return m->var[0][i] == a && m->var[1][i] == b;
    return false;
}

static bool match_affine(struct matching *m, const struct affine *a, const struct affine *b)
{
    if (a->constant != b->constant || a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++) {
        const struct term *s = &a->term[i], *t = &b->term[i];
        if (s->kind != t->kind || s->factor != t->factor)
            return false;
        if (s->kind == TERM_VAR ? !match_var(m, s->var, t->var)
                                : s->divisor != t->divisor || !match_affine(m, s->inner, t->inner))
            return false;
        if (s->kind == TERM_LOOKUP && !match_buffer(m, s->table, t->table))
            return false;
    }
    return true;
}

static bool match_access(struct matching *m, const struct buffer *a, const struct buffer *b,
                         const struct affine *const *at, const struct affine *const *bt)
{
    bool same = match_buffer(m, a, b);
    for (int i = 0; same && i < a->shape.rank; i++)
        same = match_affine(m, at[i], bt[i]);
    return same;
}

static bool match_expr(struct matching *m, const struct expr *a, const struct expr *b)
{
    if (a->op != b->op || a->vars || b->vars)
        return false;
    if (a->op == SCALAR_constant && memcmp(&a->value, &b->value, sizeof a->value) != 0)
        return false;
    if (a->op == SCALAR_load && !match_access(m, a->buffer, b->buffer, a->index, b->index))
        return false;
    for (int i = 0; i < 3; i++)
        if (!a->in[i] != !b->in[i] || (a->in[i] && !match_expr(m, a->in[i], b->in[i])))
            return false;
    return true;
}

static bool match_body(struct matching *m, const struct stmt *a, const struct stmt *b);

static bool match_loop(struct matching *m, const struct stmt *a, const struct stmt *b)
{
    if (a->loop != b->loop || a->var->extent != b->var->extent || m->vars == MOST_VARS)
        return false;
    m->var[0][m->vars] = a->var;
    m->var[1][m->vars++] = b->var;
    return match_body(m, a->body, b->body);
}

static bool match_stmt(struct matching *m, const struct stmt *a, const struct stmt *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case STMT_FOR:
        return match_loop(m, a, b);
    case STMT_BARRIER:
        return true;
    case STMT_PREFETCH:
        return match_expr(m, a->value, b->value);
    case STMT_STORE:
        return a->async == b->async && match_access(m, a->buffer, b->buffer, a->index, b->index) &&
               match_expr(m, a->value, b->value);
    }
    return false;
}

static bool match_body(struct matching *m, const struct stmt *a, const struct stmt *b)
{
    for (; a && b; a = a->next, b = b->next)
        if (!match_stmt(m, a, b))
            return false;
    return !a && !b;
}

/* The first of the instances that have code of their own which `kernel` can share. */
static struct instance instance_of(const struct instances *earlier, const struct kernel *kernel,
                                   struct matching *m)
{
    for (int i = 0; i < earlier->count; i++) {
        const struct kernel *code = earlier->at[i].kernel;
        if (earlier->at[i].code != code)
            continue;
        memset(m, 0, sizeof *m);
        if (match_body(m, code->body, kernel->body))
            return (struct instance){kernel, code, m->by[PLACE_WORKSPACE], m->by[PLACE_WEIGHTS]};
    }
    return (struct instance){kernel, kernel, 0, 0};
}

struct instances gpu_instances(const struct module *module, const struct target *target)
{
    struct instances found = {0};
    struct matching *m = allocate(1, sizeof *m);
    for (const struct kernel *k = module->kernels; k; k = k->next) {
        if (!kernel_is_for(k, target))
            continue;
        struct instance instance = instance_of(&found, k, m);
        found.at = allocate_again(found.at, found.count + 1, sizeof *found.at);
        found.at[found.count++] = instance;
    }
    free(m);
    return found;
}

char *backend_gpu_function(const struct module *module, const struct kernel *kernel,
                           const char *target)
{
    const struct target *found = target_find(target, NULL);
    struct instances all = gpu_instances(module, found);
    const struct kernel *code = kernel;
    for (int i = 0; i < all.count; i++)
        if (all.at[i].kernel == kernel)
            code = all.at[i].code;
    free(all.at);
    return kernel_symbol(module, code, found);
}
