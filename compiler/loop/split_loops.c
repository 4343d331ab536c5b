/* for j in 49, c in 32                                  for i in 7, j in 7, c in 32
 *   d[j, c] = a[c] - b[y + j div 7, x + j mod 7, c]  =>   d[7*i + j, c] = a[c] - b[y + i, x + j, c]
 *
 * A loop whose variable is taken apart by div and mod becomes two loops, so that indices are plain
 * sums again. Right where the divisor divides the extent. */
#include "loops.h"

pass_function split_loops;

static int split(struct module *m, struct stmt *list)
{
    int changes = 0;
    for (struct stmt *stmt = list; stmt; stmt = stmt->next) {
        if (stmt->kind != STMT_FOR)
            continue;
        int64_t divisor = 0;
        struct nest nest;
        struct stmt alone = *stmt;
        alone.next = NULL;
        /* the innermost loop stays whole: its elements are neighbours in memory */
        if (nest_of(&alone, &nest) && nest.vars > 1)
            divisor = expr_divisors(nest.store->value, stmt->var).least;
        if (divisor) {
            struct var *high = var_new(m, stmt->var->name, stmt->var->extent / divisor);
            struct var *low = var_new(m, stmt->var->name, divisor);
            struct rewriter r = {.m = m};
            rewriter_map(&r, stmt->var,
                         affine_add(m->arena,
                                    affine_scale(m->arena, affine_var(m->arena, high), divisor),
                                    affine_var(m->arena, low)));
            stmt->body = stmt_for(m, low, LOOP_SERIAL, rewrite_stmts(&r, stmt->body));
            stmt->var = high;
            changes++;
        }
        changes += split(m, stmt->body);
    }
    return changes;
}

int split_loops(struct module *m)
{
    int changes = 0;
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        changes += split(m, kernel->body);
    kernels_name_vars(m);
    return changes;
}
