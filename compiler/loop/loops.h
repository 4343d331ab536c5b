/* Tools of the loop passes: looking at nests, and rewriting statements. */
#ifndef COMPILER_LOOPS_H
#define COMPILER_LOOPS_H
#include "affine.h"
#include "make.h"

enum { MAX_NEST = 12, MAX_REWRITES = 64 };

/* A perfect nest: loops down to one store. */
struct nest {
    int vars;
    struct var *var[MAX_NEST]; /* outermost first */
    enum loop_kind loop[MAX_NEST];
    struct stmt *store;
};

bool nest_of(const struct stmt *stmt, struct nest *nest);

/* The sum or maximum in an expression that holds exactly one; else NULL. */
const struct expr *expr_find_reduce(const struct expr *expr);
bool expr_has_reduce(const struct expr *expr);
/* A copy of the expression with one node replaced. */
const struct expr *expr_replace(struct module *m, const struct expr *expr, const struct expr *node,
                                const struct expr *with);

/* Calls `visit` for every load in the expression, with the iterations of the reductions around it.
 */
typedef void load_visitor(void *context, const struct expr *load, int64_t iterations);
void expr_visit_loads(const struct expr *expr, int64_t iterations, load_visitor *visit,
                      void *context);
/* The same for every load below the statements, loops counted too. */
void stmt_visit_loads(const struct stmt *stmt, int64_t iterations, load_visitor *visit,
                      void *context);
bool expr_uses_var(const struct expr *expr, const struct var *var);

/* By what a variable is divided, in div and mod, in the indices of an expression's loads; only
 * divisors of its extent count. 0: there is none. */
struct divisors {
    int64_t least, largest;
};
struct divisors expr_divisors(const struct expr *expr, const struct var *var);

/* Clones statements and expressions. Loop variables of the clone are new ones; variables listed
 * here become the given index. `load`, where set, may replace a load (its index rewritten already).
 */
struct rewriter {
    struct module *m;
    int vars;
    const struct var *from[MAX_REWRITES];
    const struct affine *to[MAX_REWRITES];
    const struct expr *(*load)(struct rewriter *r, const struct expr *load);
    /* where set, may change the buffer and the index of a store (rewritten already) */
    void (*store)(struct rewriter *r, struct buffer **buffer, const struct affine **index);
    void *context;
};

void rewriter_map(struct rewriter *r, const struct var *from, const struct affine *to);
const struct affine *rewrite_affine(struct rewriter *r, const struct affine *a);
const struct expr *rewrite_expr(struct rewriter *r, const struct expr *expr);
struct stmt *rewrite_stmts(struct rewriter *r, const struct stmt *stmt);

/* Gives every loop variable of a kernel a unique name: y, y2, y3. */
void kernel_name_vars(struct module *m, struct kernel *kernel);
void kernels_name_vars(struct module *m); /* of all kernels */
void stmt_append(struct stmt **list, struct stmt *stmt);

#endif
