/* Where a mistake can be planted. */
#include "make.h"
#include "planted.h"

struct inst *find_inst(struct module *m, enum op op, bool constant)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == op && inst_is_constant(inst) == constant)
            return inst;
    return NULL;
}

static struct stmt *find_store_in(struct stmt *stmt, store_test *fits)
{
    for (; stmt; stmt = stmt->next) {
        struct stmt *found = stmt->kind == STMT_FOR ? find_store_in(stmt->body, fits)
                             : stmt->kind == STMT_STORE && fits(stmt) ? stmt
                                                                      : NULL;
        if (found)
            return found;
    }
    return NULL;
}

struct stmt *find_store(struct module *m, store_test *fits)
{
    struct stmt *found = NULL;
    for (struct kernel *kernel = m->kernels; kernel && !found; kernel = kernel->next)
        found = find_store_in(kernel->body, fits);
    return found;
}

static struct expr *find_in(const struct expr *expr, expr_test *fits)
{
    struct expr *found = fits(expr) ? (struct expr *)(uintptr_t)expr : NULL;
    for (int i = 0; i < 3 && !found; i++)
        if (expr->in[i])
            found = find_in(expr->in[i], fits);
    return found;
}

static struct expr *find_expr_below(struct stmt *stmt, expr_test *fits)
{
    struct expr *found = NULL;
    for (; stmt && !found; stmt = stmt->next)
        found = stmt->kind == STMT_FOR     ? find_expr_below(stmt->body, fits)
                : stmt->kind == STMT_STORE ? find_in(stmt->value, fits)
                                           : NULL;
    return found;
}

struct expr *find_expr(struct module *m, expr_test *fits)
{
    struct expr *found = NULL;
    for (struct kernel *kernel = m->kernels; kernel && !found; kernel = kernel->next)
        found = find_expr_below(kernel->body, fits);
    return found;
}
