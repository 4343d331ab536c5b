/* %2 = linear %1, %wa, %ba : f32[1, 28, 28, 32]         %w = concat %wa, %wb { axis = 1 }
 * %3 = linear %1, %wb, %bb : f32[1, 28, 28, 128]   =>   %4 = linear %1, %w, %b : f32[.., 160]
 *                                                       %2 = slice %4 { axis = 3, end = 32 }
 *                                                       %3 = slice %4 { axis = 3, begin = 32 }
 *
 * Linears of the same value (phi, psi and beta) are one with their weights side by side: the value
 * is read once, and the wider product fills the machine better. The merged one takes the place of
 * the first: all its constants come before it (graph_tidy). One that only a ReLU reads stays alone:
 * the ReLU is then computed where the linear is stored. */
#include "make.h"
#include "tidy.h"
#include <string.h>

pass_function merge_linears;

enum { MAX_MERGED = 8 };

static bool only_relu_reads(const struct module *m, const struct inst *linear)
{
    for (const struct use *use = linear->users; use; use = use->next)
        if (use->user && use->user->op == OP_relu)
            return inst_count_uses(m, linear) == 1;
    return false;
}

/* What a merged linear replaced is unused, but stays in the list until the end. */
static bool mergeable(const struct module *m, const struct inst *linear, const struct inst *x)
{
    return linear->op == OP_linear && linear->in[0] == x && inst_count_uses(m, linear) &&
           !only_relu_reads(m, linear) && inst_is_constant(linear->in[1]) &&
           (linear->inputs == 2 ||
            (inst_is_constant(linear->in[2]) && linear->in[2]->shape.rank == 1));
}

/* Finds them in the order of the list, from the first on; stops once all are found. */
static int find_linears(const struct module *m, struct inst *first, struct inst **linear)
{
    const struct inst *x = first->in[0];
    int count = 0, there = 0;
    for (const struct use *use = x->users; use && there < MAX_MERGED; use = use->next)
        there += use->user && use == use->user->use && mergeable(m, use->user, x);
    for (struct inst *inst = first; inst && count < there; inst = inst->next)
        if (mergeable(m, inst, x))
            linear[count++] = inst;
    return count;
}

static void merge(struct module *m, struct inst **linear, int count)
{
    struct builder b = {m, linear[0], linear[0]->label};
    struct inst *w[MAX_MERGED], *bias[MAX_MERGED];
    bool any = false;
    for (int i = 0; i < count; i++)
        any |= linear[i]->inputs == 3;
    for (int i = 0; i < count; i++) {
        w[i] = linear[i]->in[1];
        bias[i] = linear[i]->inputs == 3 ? linear[i]->in[2]
                  : any                  ? make_fill(&b, 0, SHAPE(last_dim(linear[i])))
                                         : NULL;
    }
    struct inst *weights = make_concat(&b, 1, count, w);
    struct inst *all =
        make_linear(&b, linear[0]->in[0], weights, any ? make_concat(&b, 0, count, bias) : NULL);
    int64_t begin = 0;
    for (int i = 0; i < count; i++) {
        int64_t end = begin + last_dim(linear[i]);
        b.label = linear[i]->label;
        inst_replace_uses(m, linear[i], make_slice(&b, all, all->shape.rank - 1, begin, end));
        begin = end;
    }
}

int merge_linears(struct module *m)
{
    int changes = 0;
    struct inst *linear[MAX_MERGED];
    graph_tidy(m);
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        if (inst_is_constant(inst) || inst->op != OP_linear || !mergeable(m, inst, inst->in[0]))
            continue;
        int count = find_linears(m, inst, linear);
        if (count > 1) {
            merge(m, linear, count);
            changes++;
        }
    }
    graph_tidy(m);
    return changes;
}
