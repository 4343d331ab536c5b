/* %5 = relation %3, %4 { footprint = 7, padding = reflect }
 * =>
 * %6 = pad %4 { size = 3, padding = reflect }
 * %5 = relation %3, %6 { footprint = 7, padding = valid }
 *
 * A border is made once, and every read of a neighbour is then a plain offset. Where phi, psi and
 * beta are channels of one value, that whole value gets one border, and phi is cut out of it again,
 * so that the value is stored once, inside its border. Convolutions get a border of zeros, pools one
 * that never wins. */
#include "make.h"
#include "tidy.h"
#include <string.h>

pass_function pad_borders;

/* An operand's pad of that size, made at most once. */
static struct inst *pad(struct builder *b, struct inst *x, int64_t size, int64_t padding)
{
    bool channels = x->op == OP_slice && x->attr[SLOT_slice_axis].integer == 3;
    struct inst *whole = channels ? x->in[0] : x, *found = NULL;
    for (const struct use *use = whole->users; use && !found; use = use->next)
        if (use->user && use->user->op == OP_pad &&
            use->user->attr[SLOT_pad_size].integer == size &&
            use->user->attr[SLOT_pad_padding].integer == padding)
            found = use->user;
    if (!found) {
        union attr values[] = {{.integer = size}, {.integer = padding}};
        b->after = whole;
        b->label = whole->label;
        found = make(b, OP_pad, values, 1, &whole);
    }
    if (!channels)
        return found;
    b->after = found;
    b->label = x->label;
    return make_slice(b, found, 3, x->attr[SLOT_slice_begin].integer,
                      x->attr[SLOT_slice_end].integer);
}

/* Channels of a value that has a border are cut from inside of it. */
static int cut_from_padded(struct module *m, struct inst *padded)
{
    struct inst *x = padded->in[0], *inner = NULL;
    struct builder b = {m, padded, padded->label};
    int64_t size = padded->attr[SLOT_pad_size].integer;
    if (inst_is_constant(x))
        return 0;
    for (struct use *use = x->users, *next; use; use = next) {
        next = use->next;
        if (!use->user || use->user->op != OP_slice)
            continue;
        if (!inner) {
            inner = make_slice(&b, padded, 1, size, size + x->shape.dim[1]);
            inner = make_slice(&b, inner, 2, size, size + x->shape.dim[2]);
        }
        inst_set_input(use->user, 0, inner);
    }
    return inner != NULL;
}

static int pad_operands(struct module *m, struct inst *inst, int64_t footprint, int64_t dilation,
                        union attr *padding, int first)
{
    struct builder b = {.module = m};
    int64_t size = dilation * (footprint - 1) / 2, kind = padding->integer;
    if (kind == padding_kind_valid)
        return 0;
    padding->integer = padding_kind_valid;
    for (int i = first; size && i < 2; i++)
        inst_set_input(inst, i, pad(&b, inst->in[i], size, kind));
    return 1;
}

/* A convolution's or a pool's map. */
static int pad_map(struct module *m, struct inst *inst, union attr *padding, int64_t kind)
{
    struct builder b = {.module = m};
    if (!padding->integer)
        return 0;
    inst_set_input(inst, 0, pad(&b, inst->in[0], padding->integer, kind));
    padding->integer = 0;
    return 1;
}

int pad_borders(struct module *m)
{
    int changes = 0;
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        union attr *a = inst->attr;
        if (inst->op == OP_relation)
            changes += pad_operands(
                m, inst, a[SLOT_relation_footprint].integer, a[SLOT_relation_dilation].integer,
                &a[SLOT_relation_padding],
                relation_info[a[SLOT_relation_kind].integer].traits & ALL_PAIRS ? 0 : 1);
        else if (inst->op == OP_aggregate)
            changes +=
                pad_operands(m, inst, a[SLOT_aggregate_footprint].integer,
                             a[SLOT_aggregate_dilation].integer, &a[SLOT_aggregate_padding], 1);
        else if (inst->op == OP_convolution)
            changes += pad_map(m, inst, &a[SLOT_convolution_padding], padding_kind_zero);
        else if (inst->op == OP_max_pool)
            changes += pad_map(m, inst, &a[SLOT_max_pool_padding], padding_kind_lowest);
    }
    for (struct inst *inst = m->first; inst; inst = inst->next)
        if (inst->op == OP_pad)
            changes += cut_from_padded(m, inst);
    graph_tidy(m);
    return changes;
}
