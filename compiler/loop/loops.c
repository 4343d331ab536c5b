#include "loops.h"
#include "memory.h"
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
        if (stmt->kind != STMT_FOR || nest->vars == MAX_NEST)
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

const struct expr *expr_replace(struct module *m, const struct expr *expr, const struct expr *node,
                                const struct expr *with)
{
    if (expr == node)
        return with;
    struct expr *clone = arena_copy(m->arena, expr, sizeof *expr);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            clone->in[i] = expr_replace(m, expr->in[i], node, with);
    return clone;
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
        else if (stmt->kind == STMT_STORE)
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

struct search {
    const struct var *var;
    struct divisors found;
};

static void search_affine(struct search *s, const struct affine *a)
{
    for (int i = 0; i < a->count; i++) {
        const struct term *t = &a->term[i];
        if (t->kind == TERM_VAR)
            continue;
        bool apart = (t->kind == TERM_DIV || t->kind == TERM_MOD) && t->inner->count == 1 &&
                     !t->inner->constant && t->inner->term[0].kind == TERM_VAR &&
                     t->inner->term[0].factor == 1 && t->inner->term[0].var == s->var &&
                     s->var->extent % t->divisor == 0;
        if (apart && (!s->found.least || t->divisor < s->found.least))
            s->found.least = t->divisor;
        if (apart && t->divisor > s->found.largest)
            s->found.largest = t->divisor;
        search_affine(s, t->inner);
    }
}

static void search_load(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    for (int i = 0; i < load->buffer->shape.rank; i++)
        search_affine(context, load->index[i]);
}

struct divisors expr_divisors(const struct expr *expr, const struct var *var)
{
    struct search s = {.var = var};
    expr_visit_loads(expr, 1, search_load, &s);
    return s.found;
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
        } else if (stmt->kind == STMT_PREFETCH) {
            clone->value = rewrite_expr(r, stmt->value);
        } else if (stmt->kind == STMT_STORE) {
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
        } else if (stmt->kind == STMT_STORE) {
            name_in_expr(names, stmt->value);
        }
}

void kernel_name_vars(struct module *m, struct kernel *kernel)
{
    /* Twice: the first clone owns its variables, so that they can be renamed; the second sorts
     * every index by the new names. */
    struct rewriter own = {.m = m}, sort = {.m = m};
    struct names *names = allocate(1, sizeof *names);
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
