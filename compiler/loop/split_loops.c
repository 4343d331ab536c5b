/* for j in 49, c in 32                                  for i in 7, j in 7, c in 32
 *   d[j, c] = a[c] - b[y + j div 7, x + j mod 7, c]  =>   d[7*i + j, c] = a[c] - b[y + i, x + j, c]
 *
 * A loop whose variable is taken apart by div and mod becomes two loops, so that indices are plain
 * sums again. Right where the divisor divides the extent. */
#include "loops.h"

pass_function split_loops;

struct search {
    const struct var *var;
    int64_t divisor; /* the least found, or 0 */
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
        if (apart && (!s->divisor || t->divisor < s->divisor))
            s->divisor = t->divisor;
        search_affine(s, t->inner);
    }
}

static void search_load(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    for (int i = 0; i < load->buffer->shape.rank; i++)
        search_affine(context, load->index[i]);
}

static int split(struct module *m, struct stmt *list)
{
    int changes = 0;
    for (struct stmt *stmt = list; stmt; stmt = stmt->next) {
        if (stmt->kind != STMT_FOR)
            continue;
        struct search s = {.var = stmt->var};
        struct nest nest;
        struct stmt alone = *stmt;
        alone.next = NULL;
        /* the innermost loop stays whole: its elements are neighbours in memory */
        if (nest_of(&alone, &nest) && nest.vars > 1)
            expr_visit_loads(nest.store->value, 1, search_load, &s);
        if (s.divisor) {
            struct var *high = var_new(m, stmt->var->name, stmt->var->extent / s.divisor);
            struct var *low = var_new(m, stmt->var->name, s.divisor);
            struct rewriter r = {.m = m};
            rewriter_map(&r, stmt->var,
                         affine_add(m->arena,
                                    affine_scale(m->arena, affine_var(m->arena, high), s.divisor),
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
