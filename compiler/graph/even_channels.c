/* %2 = convolution %1, %w, %b { size = 7, .. } : f32[1, 112, 112, 64]     ; %1 : f32[1, 224, 224, 3]
 * =>
 * %3 = concat %1, 0 : f32[1, 224, 224, 4]
 * %2 = convolution %3, (%w, its rows for the new channel 0), %b { size = 7, .. }
 *
 * In precision bf16 GPUs' and some processors' units take the terms of a sum in pairs, and so an
 * even number of them from a line of a window. A channel of zeros adds nothing to a sum. Nothing is
 * done for modules without such a target. */
#include "make.h"
#include "tidy.h"
#include "units.h"

pass_function even_channels;

/* The weights (size size channels, N) with a row of zeros after the rows of each pixel. */
static struct inst *more_rows(struct builder *b, struct inst *w, int64_t pixels, int64_t channels)
{
    int64_t columns = last_dim(w);
    w = make_reshape(b, w, SHAPE(pixels, channels, columns));
    struct inst *zeros = make_fill(b, 0, SHAPE(pixels, 1, columns));
    w = make_concat(b, 1, 2, (struct inst *[]){w, zeros});
    return make_reshape(b, w, SHAPE(pixels * (channels + 1), columns));
}

static struct inst *with_even_channels(struct module *m, const struct inst *inst)
{
    struct inst *x = inst->in[0];
    struct builder b = {m, (struct inst *)inst, inst->label};
    int64_t size = inst->attr[SLOT_convolution_size].integer, channels = last_dim(x);
    struct inst *zeros =
        make_fill(&b, 0, SHAPE(x->shape.dim[0], x->shape.dim[1], x->shape.dim[2], 1));
    struct inst *even = make_concat(&b, 3, 2, (struct inst *[]){x, zeros});
    struct inst *w = more_rows(&b, inst->in[1], size * size, channels);
    return make_product(&b, inst, even, w, inst->inputs == 3 ? inst->in[2] : NULL);
}

int even_channels(struct module *m)
{
    int changes = 0;
    if (!module_takes_pairs(m))
        return 0;
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        if (inst->op != OP_convolution || inst_is_constant(inst) ||
            !inst_is_constant(inst->in[1]) || inst->attr[SLOT_convolution_size].integer == 1 ||
            last_dim(inst->in[0]) % PAIR == 0)
            continue;
        inst_replace_uses(m, inst, with_even_channels(m, inst));
        changes++;
    }
    graph_tidy(m);
    return changes;
}
