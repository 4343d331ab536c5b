/* %6 = batch_norm %1, %gamma, %beta, %mean, %variance { eps = 1e-05 }
 * =>
 * %s = div %gamma, sqrt(add %variance, eps)
 * %t = sub %beta, mul %mean, %s
 * %6 = add (mul %1, %s), %t
 *
 * The definition, with everything that depends on parameters alone computed at compile time. */
#include "make.h"
#include "tidy.h"

pass_function expand_batch_norm;

static struct inst *expand(struct module *m, struct inst *norm)
{
    struct builder b = {m, norm, norm->label};
    struct inst *x = norm->in[0], *gamma = norm->in[1], *beta = norm->in[2], *mean = norm->in[3];
    struct inst *eps = make_fill(&b, norm->attr[SLOT_batch_norm_eps].real, SHAPE(1));
    struct inst *deviation = make_1(&b, OP_sqrt, make_2(&b, OP_add, norm->in[4], eps));
    struct inst *scale = make_2(&b, OP_div, gamma, deviation);
    struct inst *shift = make_2(&b, OP_sub, beta, make_2(&b, OP_mul, mean, scale));
    return make_2(&b, OP_add, make_2(&b, OP_mul, x, scale), shift);
}

int expand_batch_norm(struct module *m)
{
    int changes = 0;
    for (struct inst *inst = m->first, *next; inst; inst = next) {
        next = inst->next;
        if (inst->op != OP_batch_norm)
            continue;
        inst_replace_uses(m, inst, expand(m, inst));
        inst_remove(m, inst);
        changes++;
    }
    graph_tidy(m);
    return changes;
}
