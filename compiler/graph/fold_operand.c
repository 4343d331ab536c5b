/* %2 = mul %1, %s                   %w2 = mul %w, (reshape %s)
 * %3 = add %2, %t             =>    %b2 = add %b, (linear %t, %w)
 * %4 = linear %3, %w, %b            %4  = linear %1, %w2, %b2
 *
 * Moves a scale or a shift per channel, s or t of shape (c), from the operand of a linear into its
 * parameters: (s x) W = x (s W), with row k of W times s[k], and (x + t) W + b = x W + (t W + b).
 * Division and subtraction likewise. That is how the normalisation of images disappears into the
 * first layer: constants are computed in float64 and rounded once.
 *
 * An operand with other readers is left alone: they need it. */
#include "make.h"
#include "tidy.h"

pass_function fold_operand;

static struct inst *fold_scale(struct builder *b, struct inst *linear, enum op op, struct inst *x,
                               struct inst *c)
{
    struct inst *w = make_2(b, op, linear->in[1], make_reshape(b, c, SHAPE(last_dim(c), 1)));
    return make_linear(b, x, w, linear->inputs == 3 ? linear->in[2] : NULL);
}

static struct inst *fold_shift(struct builder *b, struct inst *linear, enum op op, struct inst *x,
                               struct inst *c)
{
    struct inst *w = linear->in[1], *bias = make_linear(b, c, w, NULL);
    struct inst *old = linear->inputs == 3 ? linear->in[2] : make_fill(b, 0, SHAPE(1));
    return make_linear(b, x, w, make_2(b, op, old, bias));
}

/* A new linear, or NULL. */
static struct inst *fold_one(struct module *m, struct inst *linear)
{
    struct inst *x = linear->in[0];
    bool scale = x->op == OP_mul || x->op == OP_div, shift = x->op == OP_add || x->op == OP_sub;
    if (inst_is_constant(x) || !inst_is_constant(linear->in[1]) || !(scale || shift) ||
        inst_count_uses(m, x) != 1)
        return NULL;
    struct inst *of = x->in[0], *c = x->in[1];
    if (!inst_is_constant(c) || c->shape.rank != 1 || last_dim(c) != last_dim(x) ||
        !shape_equal(&of->shape, &x->shape))
        return NULL;
    struct builder b = {m, linear, linear->label};
    return (scale ? fold_scale : fold_shift)(&b, linear, x->op, of, c);
}

int fold_operand(struct module *m)
{
    int changes = 0;
    for (struct inst *inst = m->first, *next; inst; inst = next) {
        struct inst *folded = inst->op == OP_linear ? fold_one(m, inst) : NULL;
        next = inst->next; /* of a linear that was folded: what replaces it, to be folded again */
        if (!folded)
            continue;
        struct inst *operand = inst->in[0];
        inst_replace_uses(m, inst, folded);
        inst_remove(m, inst);
        inst_remove(m, operand);
        changes++;
    }
    graph_tidy(m);
    return changes;
}
