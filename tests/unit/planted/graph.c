/* Mistakes of passes over the graph. */
#include "affine.h"
#include "make.h"
#include "planted.h"
#include <string.h>

static bool forget_eps(struct module *m)
{
    struct inst *root = find_inst(m, OP_sqrt, true);
    if (root)
        root->in[0]->in[1]->attr[SLOT_fill_value].real = 0;
    return root;
}

static bool add_mean(struct module *m)
{
    struct inst *shift = find_inst(m, OP_sub, true);
    if (shift)
        shift->op = OP_add;
    return shift;
}

/* A weight is used as if it had not been scaled. */
static bool forget_scale(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (has(inst, PRODUCT) && !inst_is_constant(inst) && inst->in[1]->op == OP_mul &&
            shape_equal(&inst->in[1]->shape, &inst->in[1]->in[0]->shape)) {
            inst_set_input(inst, 1, inst->in[1]->in[0]);
            return true;
        }
    return false;
}

static bool drop_a_bias(struct module *m)
{
    for (struct inst *inst = m->last; inst; inst = inst->prev)
        if (inst->op == OP_linear && !inst_is_constant(inst) && inst->inputs == 3 &&
            strcmp(inst->label, "fc") != 0) {
            inst_drop_inputs(inst, 2);
            return true;
        }
    return false;
}

static bool drop_last_bias(struct module *m)
{
    struct inst *linear = m->last->in[0];
    if (linear->op == OP_linear && linear->inputs == 3) {
        inst_drop_inputs(linear, 2);
        return true;
    }
    return false;
}

/* Drops a relu that belongs to the table's contents. */
static bool forget_relu(struct module *m)
{
    struct inst *relu = find_inst(m, OP_relu, true);
    if (relu)
        inst_replace_uses(m, relu, relu->in[0]);
    return relu;
}

static bool tabulate_sums(struct module *m)
{
    struct inst *relation = find_inst(m, OP_relation, true);
    if (relation)
        relation->attr[SLOT_relation_kind].integer = relation_kind_summation;
    return relation;
}

static struct inst *equal_slice(struct inst *slice)
{
    for (struct inst *other = slice->next; other; other = other->next)
        if (other->op == OP_slice && other->in[0] == slice->in[0] &&
            shape_equal(&other->shape, &slice->shape))
            return other;
    return NULL;
}

static bool swap_slices(struct module *m)
{
    for (struct inst *slice = m->first; slice; slice = slice->next) {
        struct inst *other =
            slice->op == OP_slice && !inst_is_constant(slice) ? equal_slice(slice) : NULL;
        if (!other)
            continue;
        union attr begin = slice->attr[SLOT_slice_begin], end = slice->attr[SLOT_slice_end];
        slice->attr[SLOT_slice_begin] = other->attr[SLOT_slice_begin];
        slice->attr[SLOT_slice_end] = other->attr[SLOT_slice_end];
        other->attr[SLOT_slice_begin] = begin;
        other->attr[SLOT_slice_end] = end;
        return true;
    }
    return false;
}

static bool slice_one_further(struct module *m)
{
    struct inst *slice = find_inst(m, OP_slice, false);
    if (slice) {
        slice->attr[SLOT_slice_begin].integer++;
        slice->attr[SLOT_slice_end].integer++;
    }
    return slice;
}

static bool swap_weights(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_concat && inst_is_constant(inst) && inst->shape.rank == 2 &&
            shape_equal(&inst->in[0]->shape, &inst->in[1]->shape)) {
            struct inst *first = inst->in[0];
            inst_set_input(inst, 0, inst->in[1]);
            inst_set_input(inst, 1, first);
            return true;
        }
    return false;
}

static bool pad_the_other_way(struct module *m)
{
    struct inst *pad = find_inst(m, OP_pad, false);
    if (pad) {
        int64_t *padding = &pad->attr[SLOT_pad_padding].integer;
        *padding = *padding == padding_kind_zero ? padding_kind_reflect : padding_kind_zero;
    }
    return pad;
}

static bool pad_before_relu(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_aggregate) {
            inst->attr[SLOT_aggregate_dilation].integer++;
            return true;
        }
    return false;
}

static bool add_in_a_window(struct module *m)
{
    struct inst *difference = find_inst(m, OP_sub, false);
    if (difference)
        difference->op = OP_add;
    return difference;
}

/* The first sign of all that is -1. */
static bool forget_sign(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_fill && inst->attr[SLOT_fill_value].real == -1) {
            inst->attr[SLOT_fill_value].real = 1;
            return true;
        }
    return false;
}

/* The weights of places lie column by column. */
static bool turn_weights(struct module *m)
{
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_transpose && inst_is_constant(inst) && inst->shape.rank == 4 &&
            inst->shape.dim[0] == 4) {
            int64_t *order = inst->attr[SLOT_transpose_order].shape.dim, first = order[0];
            order[0] = order[1];
            order[1] = first;
            return true;
        }
    return false;
}

const struct plant planted_graph[] = {
    {"expand_batch_norm", "eps is forgotten", IN_PAIRS, forget_eps},
    {"expand_batch_norm", "the mean is added, not subtracted", IN_PAIRS, add_mean},
    {"fold_affine", "one weight is left unscaled", IN_PAIRS, forget_scale},
    {"fold_affine", "a shift is lost with the bias", IN_PAIRS, drop_a_bias},
    {"tabulate_position", "tables of sums, not of differences", IN_PAIRS, tabulate_sums},
    {"tabulate_position", "a relu is left out of the table", IN_PAIRS, forget_relu},
    {"drop_softmax_bias", "a bias without a softmax goes too", IN_PATCHES, drop_a_bias},
    {"drop_softmax_bias", "the classifier's bias goes too", IN_PAIRS, drop_last_bias},
    {"merge_linears", "phi and psi change places", IN_PAIRS, swap_slices},
    {"merge_linears", "a slice begins one channel late", IN_PAIRS, slice_one_further},
    {"merge_linears", "weights in another order than slices", IN_PAIRS, swap_weights},
    {"pad_borders", "zeros for a reflection", IN_PAIRS, pad_the_other_way},
    {"pad_borders", "a reflection for zeros", ZERO_PADDING, pad_the_other_way},
    {"pad_borders", "a dilation one too large", IN_PATCHES, pad_before_relu},
    {"pad_borders", "a reflection around a convolution", IN_WINDOWS, pad_the_other_way},
    {"fold_affine", "a convolution is left unscaled", IN_WINDOWS, forget_scale},
    {"winograd", "pixels of a window are added, not subtracted", WITH_WINOGRAD, add_in_a_window},
    {"winograd", "a place is added to the result, not subtracted", WITH_WINOGRAD, forget_sign},
    {"winograd", "places have their weights turned", WITH_WINOGRAD, turn_weights},
    {0},
};
