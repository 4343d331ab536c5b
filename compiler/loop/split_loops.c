/* for j in 49, c in 32                                  for i in 7, j in 7, c in 32
 *   d[j, c] = a[c] - b[y + j div 7, x + j mod 7, c]  =>   d[7*i + j, c] = a[c] - b[y + i, x + j, c]
 *
 * A loop whose variable is taken apart by div and mod becomes two loops, so that indices are plain
 * sums again. Right where the divisor divides the extent. A loop over pixels becomes one over blocks
 * of pixels, and the pixel within its block is inside of all those:
 *
 * for n in 1, y in 56, x in 56, c in 64
 *   z[n, y, x, c] = m[n, y div 2, x div 2, c]
 * =>
 * for n in 1, y in 28, x in 28, i in 2, j in 2, c in 64
 *   z[n, 2*y + i, 2*x + j, c] = m[n, y, x, c] */
#include "loops.h"

pass_function split_loops;

enum { PIXEL_LOOPS = 3 };

/* Where the loop over what remains of a split one goes. `outer` loops are around that one. */
static struct stmt **place_of_rest(struct stmt *loop, int outer)
{
    struct stmt **at = &loop->body;
    while (outer < PIXEL_LOOPS && (*at)->kind == STMT_FOR && (*at)->body->kind == STMT_FOR)
        at = &(*at)->body;
    return at;
}

static int split(struct module *m, struct stmt *list, int outer)
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
            stmt->body = rewrite_stmts(&r, stmt->body);
            stmt->var = high;
            struct stmt **rest = place_of_rest(stmt, outer);
            *rest = stmt_for(m, low, LOOP_SERIAL, *rest);
            changes++;
        }
        changes += split(m, stmt->body, outer + 1);
    }
    return changes;
}

int split_loops(struct module *m)
{
    int changes = 0;
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        changes += split(m, kernel->body, 0);
    kernels_name_vars(m);
    return changes;
}
