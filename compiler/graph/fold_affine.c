/* %2 = linear %1, %w, %b            %w2 = mul %w, %s
 * %3 = mul %2, %s             =>    %b2 = add (mul %b, %s), %t
 * %4 = add %3, %t                   %4  = linear %1, %w2, %b2
 *
 * Moves a scale or a shift per channel, s or t of shape (c), towards the parameters that it can be
 * multiplied into. One rule per producer; each holds for scales of any sign, since only affine maps
 * change places. A producer with other readers is left alone: they need its old value.
 *
 *   linear, convolution   scale and shift go into the weights and the bias
 *   concat           each operand takes its channels' share
 *   subtraction, s (phi_i - psi_j) + t = (s phi_i + t) - (s psi_j): a padded zero stays zero
 *   summation        under the scale, and the shift goes to phi, which is never padded
 *   hadamard, dot    the scale goes to phi; that of a dot product is one number for all channels
 *   concatenation    phi and psi take their channels' share; a shift of psi only where the border
 *                    is reflected: a padded zero would miss it
 *   aggregate        the scale goes to beta, sum_j w_j (s beta_j) = s sum_j w_j beta_j; the shift
 *                    too where the weights sum to one (softmax) and no neighbour is a padded zero
 *   relu(concat)     becomes concat(relu), so that a constant part stays constant
 *
 * A relation or an aggregation passes on only what its operands' linears take in; tied transforms
 * (phi = psi, or phi = psi = beta) are not taken apart. */
#include "make.h"
#include "tidy.h"

pass_function fold_affine;

struct fold {
    struct builder b;
    bool scale;      /* mul; else add */
    struct inst *c;  /* the constant, (channels) */
    struct inst *of; /* what is scaled or shifted */
};

static struct inst *apply_constant(struct fold *f, struct inst *x, struct inst *c)
{
    return make_2(&f->b, f->scale ? OP_mul : OP_add, x, c);
}

static bool used_once(const struct fold *f, const struct inst *inst)
{
    return inst_count_uses(f->b.module, inst) == 1;
}

/* Whether a scale or a shift of this value can be folded into it. */
static bool takes(const struct fold *f, const struct inst *inst)
{
    return inst_is_constant(inst) || (has(inst, PRODUCT) && used_once(f, inst));
}

static struct inst *fold_product(struct fold *f)
{
    struct inst *product = f->of, *w = product->in[1];
    struct inst *bias = product->inputs == 3 ? product->in[2] : NULL;
    if (f->scale)
        w = apply_constant(f, w, f->c);
    if (bias)
        bias = apply_constant(f, bias, f->c);
    else if (!f->scale)
        bias = f->c;
    return make_product(&f->b, product, product->in[0], w, bias);
}

static struct inst *fold_concat(struct fold *f)
{
    struct inst *concat = f->of, *in[MAX_INPUTS];
    int axis = (int)concat->attr[SLOT_concat_axis].integer;
    int64_t begin = 0;
    if (axis != concat->shape.rank - 1)
        return NULL;
    for (int i = 0; i < concat->inputs; i++) {
        int64_t end = begin + last_dim(concat->in[i]);
        in[i] = apply_constant(f, concat->in[i], make_slice(&f->b, f->c, 0, begin, end));
        begin = end;
    }
    return make_concat(&f->b, axis, concat->inputs, in);
}

static struct inst *relation_again(struct fold *f, struct inst *phi, struct inst *psi)
{
    const union attr *a = f->of->attr;
    return make_footprint(&f->b, OP_relation, (int)a[SLOT_relation_kind].integer,
                          a[SLOT_relation_footprint].integer, a[SLOT_relation_dilation].integer,
                          (int)a[SLOT_relation_padding].integer, phi, psi);
}

static struct inst *fold_relation(struct fold *f)
{
    struct inst *phi = f->of->in[0], *psi = f->of->in[1];
    bool constant = inst_is_constant(phi) && inst_is_constant(psi);
    if (!constant && (phi == psi || !takes(f, phi) || !takes(f, psi)))
        return NULL;
    bool reflected = f->of->attr[SLOT_relation_padding].integer == padding_kind_reflect;
    int64_t channels = last_dim(phi);
    const struct relation_info *info = &relation_info[f->of->attr[SLOT_relation_kind].integer];
    if (info->traits & PATCHWISE)
        return NULL;
    switch (info->scalar) {
    case SCALAR_sub:
    case SCALAR_add:
        /* In two statements: C does not define the order in which arguments are evaluated. */
        psi = f->scale ? apply_constant(f, psi, f->c) : psi;
        phi = apply_constant(f, phi, f->c);
        return relation_again(f, phi, psi);
    case SCALAR_mul:
        return f->scale ? relation_again(f, apply_constant(f, phi, f->c), psi) : NULL;
    case SCALAR_load:
        if (!f->scale && !reflected)
            return NULL;
        psi = apply_constant(f, psi, make_slice(&f->b, f->c, 0, channels, 2 * channels));
        phi = apply_constant(f, phi, make_slice(&f->b, f->c, 0, 0, channels));
        return relation_again(f, phi, psi);
    default:
        return NULL;
    }
}

static struct inst *fold_aggregate(struct fold *f)
{
    const union attr *a = f->of->attr;
    struct inst *weight = f->of->in[0], *beta = f->of->in[1];
    int padding = (int)a[SLOT_aggregate_padding].integer;
    bool sums_to_one = weight->op == OP_softmax && weight->attr[SLOT_softmax_axis].integer == 3 &&
                       padding == padding_kind_reflect;
    if (!takes(f, beta) || !(f->scale || sums_to_one))
        return NULL;
    return make_footprint(&f->b, OP_aggregate, 0, a[SLOT_aggregate_footprint].integer,
                          a[SLOT_aggregate_dilation].integer, padding, weight,
                          apply_constant(f, beta, f->c));
}

static struct inst *fold_into(struct fold *f)
{
    bool one_for_all = f->scale && has(f->of, PRODUCT) && last_dim(f->c) == 1;
    if (!used_once(f, f->of) || (last_dim(f->of) != last_dim(f->c) && !one_for_all))
        return NULL;
    switch (f->of->op) {
    case OP_linear:
    case OP_convolution:
        return fold_product(f);
    case OP_concat:
        return fold_concat(f);
    case OP_relation:
        return fold_relation(f);
    case OP_aggregate:
        return fold_aggregate(f);
    default:
        return NULL;
    }
}

static struct inst *relu_of_concat(struct module *m, struct inst *relu)
{
    struct inst *concat = relu->in[0], *in[MAX_INPUTS];
    struct builder b = {m, relu, relu->label};
    if (concat->op != OP_concat || inst_count_uses(m, concat) != 1)
        return NULL;
    for (int i = 0; i < concat->inputs; i++)
        in[i] = make_1(&b, OP_relu, concat->in[i]);
    return make_concat(&b, (int)concat->attr[SLOT_concat_axis].integer, concat->inputs, in);
}

static struct inst *fold_one(struct module *m, struct inst *inst)
{
    if (inst_is_constant(inst))
        return NULL;
    if (inst->op == OP_relu)
        return relu_of_concat(m, inst);
    if ((inst->op != OP_mul && inst->op != OP_add) || !inst_is_constant(inst->in[1]) ||
        inst->in[1]->shape.rank != 1)
        return NULL;
    struct fold f = {{m, inst, inst->in[0]->label}, inst->op == OP_mul, inst->in[1], inst->in[0]};
    return fold_into(&f);
}

int fold_affine(struct module *m)
{
    int changes = 0, before;
    do {
        before = changes;
        for (struct inst *inst = m->first; inst; inst = inst->next) {
            struct inst *folded = fold_one(m, inst);
            if (!folded)
                continue;
            inst_replace_uses(m, inst, folded);
            changes++;
        }
        graph_tidy(m);
    } while (changes > before);
    return changes;
}
