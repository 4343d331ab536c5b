#include "loops.h"
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool nest_of(const struct stmt *stmt, struct nest *nest)
{
    nest->vars = 0;
    while (stmt && !stmt->next) {
        if (stmt->kind == STMT_STORE) {
            nest->store = (struct stmt *)stmt;
            return true;
        }
        if (nest->vars == MAX_NEST)
            return false;
        nest->loop[nest->vars] = stmt->loop;
        nest->var[nest->vars++] = stmt->var;
        stmt = stmt->body;
    }
    return false;
}

static bool reduces(const struct expr *expr)
{
    return expr->op == SCALAR_sum || expr->op == SCALAR_maximum;
}

static void count_reduces(const struct expr *expr, int *count, const struct expr **found)
{
    if (reduces(expr)) {
        ++*count;
        *found = expr;
    }
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            count_reduces(expr->in[i], count, found);
}

const struct expr *expr_find_reduce(const struct expr *expr)
{
    int count = 0;
    const struct expr *found = NULL;
    count_reduces(expr, &count, &found);
    return count == 1 ? found : NULL;
}

bool expr_has_reduce(const struct expr *expr)
{
    int count = 0;
    const struct expr *found;
    count_reduces(expr, &count, &found);
    return count > 0;
}

void expr_visit_loads(const struct expr *expr, int64_t iterations, load_visitor *visit,
                      void *context)
{
    if (expr->op == SCALAR_load)
        visit(context, expr, iterations);
    int64_t inside = iterations;
    for (int i = 0; i < expr->vars; i++)
        inside *= expr->var[i]->extent;
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            expr_visit_loads(expr->in[i], i == 0 ? inside : iterations, visit, context);
}

void stmt_visit_loads(const struct stmt *stmt, int64_t iterations, load_visitor *visit,
                      void *context)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR)
            stmt_visit_loads(stmt->body, iterations * stmt->var->extent, visit, context);
        else
            expr_visit_loads(stmt->value, iterations, visit, context);
}

bool expr_uses_var(const struct expr *expr, const struct var *var)
{
    if (expr->op == SCALAR_load)
        for (int i = 0; i < expr->buffer->shape.rank; i++)
            if (affine_uses(expr->index[i], var))
                return true;
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && expr_uses_var(expr->in[i], var))
            return true;
    return false;
}

int stmt_count_stores(const struct stmt *stmt, const struct buffer *buffer)
{
    int count = 0;
    for (; stmt; stmt = stmt->next)
        count +=
            stmt->kind == STMT_FOR ? stmt_count_stores(stmt->body, buffer) : stmt->buffer == buffer;
    return count;
}

void rewriter_map(struct rewriter *r, const struct var *from, const struct affine *to)
{
    assert(r->vars < MAX_REWRITES);
    r->from[r->vars] = from;
    r->to[r->vars++] = to;
}

const struct affine *rewrite_affine(struct rewriter *r, const struct affine *a)
{
    for (int i = r->vars - 1; i >= 0; i--)
        a = affine_substitute(r->m->arena, a, r->from[i], r->to[i]);
    return a;
}

static struct var *fresh_var(struct rewriter *r, const struct var *var)
{
    struct var *fresh = var_new(r->m, var->name, var->extent);
    rewriter_map(r, var, affine_var(r->m->arena, fresh));
    return fresh;
}

const struct expr *rewrite_expr(struct rewriter *r, const struct expr *expr)
{
    if (!expr || expr->op == SCALAR_constant)
        return expr;
    struct expr *clone = arena_copy(r->m->arena, expr, sizeof *expr);
    int vars = r->vars;
    if (expr->in[1])
        clone->in[1] = rewrite_expr(r, expr->in[1]); /* an init stands outside of the reduction */
    for (int i = 0; i < expr->vars; i++)
        clone->var[i] = fresh_var(r, expr->var[i]);
    for (int i = 0; i < 3; i += 2)
        if (expr->in[i])
            clone->in[i] = rewrite_expr(r, expr->in[i]);
    r->vars = vars;
    if (expr->op != SCALAR_load)
        return clone;
    for (int i = 0; i < expr->buffer->shape.rank; i++)
        clone->index[i] = rewrite_affine(r, expr->index[i]);
    return r->load ? r->load(r, clone) : clone;
}

struct stmt *rewrite_stmts(struct rewriter *r, const struct stmt *stmt)
{
    struct stmt *first = NULL, **end = &first;
    for (; stmt; stmt = stmt->next) {
        struct stmt *clone = arena_copy(r->m->arena, stmt, sizeof *stmt);
        if (stmt->kind == STMT_FOR) {
            int vars = r->vars;
            clone->var = fresh_var(r, stmt->var);
            clone->body = rewrite_stmts(r, stmt->body);
            r->vars = vars;
        } else {
            for (int i = 0; i < stmt->buffer->shape.rank; i++)
                clone->index[i] = rewrite_affine(r, stmt->index[i]);
            clone->value = rewrite_expr(r, stmt->value);
            if (r->store)
                r->store(r, &clone->buffer, clone->index);
        }
        clone->next = NULL;
        *end = clone;
        end = &clone->next;
    }
    return first;
}

struct kernel *kernel_find(const struct module *m, const char *name)
{
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        if (strcmp(kernel->name, name) == 0)
            return kernel;
    return NULL;
}

void kernel_remove(struct module *m, struct kernel *kernel)
{
    struct kernel **at = &m->kernels;
    while (*at != kernel)
        at = &(*at)->next;
    *at = kernel->next;
}

struct usage {
    const struct buffer *buffer;
    bool used;
};

static bool affine_uses_table(const struct affine *a, const struct buffer *table)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].kind != TERM_VAR &&
            (a->term[i].table == table || affine_uses_table(a->term[i].inner, table)))
            return true;
    return false;
}

static void visit_usage(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct usage *usage = context;
    usage->used |= load->buffer == usage->buffer;
    for (int i = 0; i < load->buffer->shape.rank; i++)
        usage->used |= affine_uses_table(load->index[i], usage->buffer);
}

void buffers_remove_unused(struct module *m)
{
    for (struct buffer **at = &m->buffers; *at;) {
        struct usage usage = {*at, (*at)->place == PLACE_INPUT || (*at)->place == PLACE_OUTPUT};
        for (struct kernel *k = m->kernels; k && !usage.used; k = k->next) {
            usage.used = stmt_count_stores(k->body, *at) > 0;
            stmt_visit_loads(k->body, 1, visit_usage, &usage);
        }
        if (usage.used)
            at = &(*at)->next;
        else
            *at = (*at)->next;
    }
}

/* Names in use, by their base, with how often each was given. */
struct names {
    struct module *m;
    int count;
    struct {
        char base[32];
        int used;
    } name[256];
};

static void name_var(struct names *names, struct var *var)
{
    char base[32];
    snprintf(base, sizeof base, "%s", var->name);
    for (size_t n = strlen(base); n > 1 && isdigit((unsigned char)base[n - 1]); n--)
        base[n - 1] = 0;
    int i = 0;
    while (i < names->count && strcmp(names->name[i].base, base) != 0)
        i++;
    if (i == names->count) {
        assert(names->count < 256);
        memcpy(names->name[names->count++].base, base, sizeof base);
    }
    int used = ++names->name[i].used;
    var->name = used == 1 ? arena_printf(names->m->arena, "%s", base)
                          : arena_printf(names->m->arena, "%s%d", base, used);
}

static void name_in_expr(struct names *names, const struct expr *expr)
{
    for (int i = 0; i < expr->vars; i++)
        name_var(names, expr->var[i]);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            name_in_expr(names, expr->in[i]);
}

static void name_in_stmts(struct names *names, struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR) {
            name_var(names, stmt->var);
            name_in_stmts(names, stmt->body);
        } else {
            name_in_expr(names, stmt->value);
        }
}

void kernel_name_vars(struct module *m, struct kernel *kernel)
{
    /* Twice: the first clone owns its variables, so that they can be renamed; the second sorts
     * every index by the new names. */
    struct rewriter own = {.m = m}, sort = {.m = m};
    struct names *names = calloc(1, sizeof *names);
    if (!names)
        abort();
    names->m = m;
    kernel->body = rewrite_stmts(&own, kernel->body);
    name_in_stmts(names, kernel->body);
    kernel->body = rewrite_stmts(&sort, kernel->body);
    free(names);
}

void kernels_name_vars(struct module *m)
{
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        kernel_name_vars(m, kernel);
}

void stmt_append(struct stmt **list, struct stmt *stmt)
{
    while (*list)
        list = &(*list)->next;
    *list = stmt;
}

/* Whether a dimension's index is a number whose digits are loop variables, each used once, that
 * runs over the whole dimension: c, or 7*dy + dx. */
static bool covers(const struct affine *index, int64_t extent)
{
    if (index->constant)
        return false;
    for (int i = index->count - 1, digit = 1; i >= 0; i--) {
        const struct term *t = &index->term[i];
        if (t->kind != TERM_VAR || t->factor != digit)
            return false;
        digit *= (int)t->var->extent;
        if (i == 0)
            return digit == extent;
    }
    return extent == 1;
}

/* Whether the nest stores every element once, each from loop variables that its index gives back.
 */
static bool stores_all(const struct nest *nest)
{
    const struct stmt *store = nest->store;
    int64_t iterations = 1;
    for (int i = 0; i < nest->vars; i++)
        iterations *= nest->var[i]->extent;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        if (!covers(store->index[i], store->buffer->shape.dim[i]))
            return false;
    return iterations == shape_elements(&store->buffer->shape);
}

bool producer_find(const struct module *m, struct buffer *buffer, struct producer *p)
{
    int stores = 0;
    p->buffer = buffer;
    for (struct kernel *k = m->kernels; k; k = k->next) {
        int here = stmt_count_stores(k->body, buffer);
        stores += here;
        if (here)
            p->kernel = k;
    }
    return stores == 1 && nest_of(p->kernel->body, &p->nest) && stores_all(&p->nest);
}

const struct expr *producer_value(struct module *m, const struct producer *p,
                                  const struct expr *load)
{
    struct rewriter value = {.m = m};
    const struct stmt *store = p->nest.store;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        for (int j = 0; j < store->index[i]->count; j++) {
            const struct term *t = &store->index[i]->term[j];
            const struct affine *digit = affine_div(m->arena, load->index[i], t->factor);
            rewriter_map(&value, t->var, affine_mod(m->arena, digit, t->var->extent));
        }
    return rewrite_expr(&value, p->nest.store->value);
}
