/* %3 = linear %1, %2        =>   %4 = round %1 { precision = tf32 }
 *                                %5 = round %2 { precision = tf32 }
 *                                %3 = linear %4, %5
 *
 * Makes the module's precision explicit, so that every later pass keeps it: factors for matrix
 * units are rounded where they are computed, weights when the object is written. A value that
 * several linears read is rounded once. Convolutions are linears of windows; a border is as round as
 * what it is put around.
 *
 * Changes results, which is what was asked for. Linears of constants stay as they are: they are
 * recipes, evaluated in float64. */
#include "make.h"

pass_function round_operands;

/* The rounding that x has already, or NULL. */
static struct inst *find_rounding(const struct inst *x)
{
    for (const struct use *use = x->users; use; use = use->next)
        if (use->user && use->user->op == OP_round)
            return use->user;
    return NULL;
}

static struct inst *rounded(struct module *m, struct inst *x)
{
    if (x->op == OP_pad) {
        inst_set_input(x, 0, rounded(m, x->in[0]));
        return x;
    }
    struct inst *found = x->op == OP_round ? x : find_rounding(x);
    if (found)
        return found;
    struct builder b = {m, x, x->label};
    return make(&b, OP_round, &(union attr){.integer = m->precision}, 1, &x);
}

int round_operands(struct module *m)
{
    int changes = 0;
    if (m->precision == precision_kind_f32)
        return 0;
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        if (!has(inst, PRODUCT) || inst_is_constant(inst))
            continue;
        for (int i = 0; i < 2; i++)
            inst_set_input(inst, i, rounded(m, inst->in[i]));
        changes++;
    }
    return changes;
}
