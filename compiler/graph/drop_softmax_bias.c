/* %2 = linear %1, %w, %b : f32[1, 28, 28, 49, 16]           %2 = linear %1, %w
 * %3 = softmax %2 { axis = 3 }                        =>    %3 = softmax %2 { axis = 3 }
 *
 * exp(x_j + b) / sum_l exp(x_l + b) = exp(x_j) / sum_l exp(x_l): what is added to all inputs of a
 * softmax cancels. Needs a bias that is the same along the softmax's axis: one per channel, and the
 * channels are not that axis. (A patchwise bias differs from neighbour to neighbour.) */
#include "make.h"
#include "tidy.h"

pass_function drop_softmax_bias;

static bool cancels(const struct module *m, const struct inst *softmax)
{
    const struct inst *linear = softmax->in[0];
    int64_t axis = softmax->attr[SLOT_softmax_axis].integer;
    return linear->op == OP_linear && linear->inputs == 3 && linear->in[2]->shape.rank == 1 &&
           axis != linear->shape.rank - 1 && inst_count_uses(m, linear) == 1;
}

int drop_softmax_bias(struct module *m)
{
    int changes = 0;
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_softmax && cancels(m, inst)) {
            inst_drop_inputs(inst->in[0], 2);
            changes++;
        }
    graph_tidy(m);
    return changes;
}
