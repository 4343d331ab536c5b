/* %q = relu (relation %p, %p { kind = subtraction, padding = reflect })      ; constant
 * %x = concat %d, %q { axis = 4 }
 * %y = linear %x, %w, %b
 * =>
 * %t = linear (select_classes %q), %w[rows of q], %b                         ; (classes, J, N)
 * %y = linear %d, %w[rows of d], (by_class %t, border_classes)
 *
 * What a relative position adds to the first linear of the mapping depends only on where a pixel's
 * neighbours lie: p is affine in the coordinates, so p_i - p_j is the same for all pixels with the
 * same distances to the borders: their reflected neighbours lie alike. A table with one bias per
 * such class replaces a map, and the sum loses the position's channels.
 *
 * Needs reflection: a padded zero is no position. Not done where the tables would not stay in a
 * cache. */
#include "make.h"
#include "tidy.h"

pass_function tabulate_position;

enum { TABLE_BYTES = 320 << 10 };

/* The relation under scales and shifts per channel and a relu, if it depends only on a pixel's
 * class. */
static const struct inst *position_relation(const struct inst *q)
{
    while (q->op == OP_relu || ((q->op == OP_mul || q->op == OP_add) && q->in[1]->shape.rank == 1))
        q = q->in[0];
    const union attr *a = q->attr;
    bool fits = q->op == OP_relation && inst_is_constant(q) && q->in[0] == q->in[1] &&
                a[SLOT_relation_kind].integer == relation_kind_subtraction &&
                a[SLOT_relation_padding].integer == padding_kind_reflect &&
                q->in[0]->op == OP_linear && q->in[0]->in[0]->op == OP_coordinates;
    return fits ? q : NULL;
}

static struct inst *tabulate(struct module *m, struct inst *linear)
{
    struct inst *concat = linear->in[0], *w = linear->in[1];
    if (concat->op != OP_concat || concat->inputs != 2 ||
        concat->attr[SLOT_concat_axis].integer != 4 || concat->shape.rank != 5 ||
        (linear->inputs == 3 && linear->in[2]->shape.rank != 1))
        return NULL;
    struct inst *d = concat->in[0], *q = concat->in[1];
    const struct inst *relation = position_relation(q);
    if (!relation)
        return NULL;
    int64_t border = relation->attr[SLOT_relation_dilation].integer *
                     (relation->attr[SLOT_relation_footprint].integer - 1) / 2;
    int64_t height = q->shape.dim[1], width = q->shape.dim[2];
    int64_t classes = border_class_count(height, border) * border_class_count(width, border);
    if (classes * q->shape.dim[3] * last_dim(linear) * 4 > TABLE_BYTES)
        return NULL;
    struct builder b = {m, linear, linear->label};
    union attr size[] = {{.integer = height}, {.integer = width}, {.integer = border}};
    struct inst *rows = make(&b, OP_select_classes, &size[2], 1, &q);
    struct inst *table = make_linear(&b, rows, make_slice(&b, w, 0, last_dim(d), w->shape.dim[0]),
                                     linear->inputs == 3 ? linear->in[2] : NULL);
    struct inst *in[] = {table, make(&b, OP_border_classes, size, 0, NULL)};
    struct inst *bias = make(&b, OP_by_class, size, 2, in);
    return make_linear(&b, d, make_slice(&b, w, 0, 0, last_dim(d)), bias);
}

int tabulate_position(struct module *m)
{
    int changes = 0;
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        struct inst *made =
            inst->op == OP_linear && !inst_is_constant(inst) ? tabulate(m, inst) : NULL;
        if (!made)
            continue;
        inst_replace_uses(m, inst, made);
        changes++;
    }
    graph_tidy(m);
    return changes;
}
