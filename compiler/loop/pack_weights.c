/* w : weights f32[K, N] = %4            =>     w_packed : weights f32[N / 32, K, 32] = %7
 * .. w[k, c] ..                                .. w_packed[c div 32, k, c mod 32] ..
 *
 * A register tile of a linear reads 32 or fewer columns of every row of its weights; packed, these
 * are consecutive in memory; in rows of N columns they would lie a page apart. The last panel is
 * filled up with zeros, which nothing reads. 32 is right for all targets, so they share one copy.
 *
 * In precision bf16 processors have panels of type bf16: half the bytes, for a shift when they are
 * loaded. Where a target adds two terms at once, these lie together, also in narrow weights:
 *
 *   w : weights f32[K, N]                 =>     w_packed : weights bf16[N / 32, K / 2, 32, 2]
 *   w : weights f32[K, 8]                 =>     w_packed : weights bf16[K / 2, 8, 2]
 *
 * On a GPU only those of as many terms as its unit takes: FMAs would have to widen the others. */
#include "make.h"
#include "units.h"
#include "rounding.h"
#include "target.h"
#include "tiles.h"
#include "touches.h"

pass_function pack_weights;

struct packing {
    struct buffer *from, *to;
};

static const struct expr *load_packed(struct rewriter *r, const struct expr *load)
{
    const struct packing *p = r->context;
    struct arena *arena = r->m->arena;
    if (load->buffer != p->from)
        return load;
    const struct affine *index[MAX_RANK], *row = load->index[0], *column = load->index[1];
    int64_t together = weights_together(p->to);
    bool panels = p->to->shape.rank > (together > 1 ? 3 : 2);
    int rank = 0;
    if (panels)
        index[rank++] = affine_div(arena, column, PANEL);
    index[rank++] = affine_div(arena, row, together);
    index[rank++] = panels ? affine_mod(arena, column, PANEL) : column;
    if (together > 1)
        index[rank] = affine_mod(arena, row, together);
    return expr_load(r->m, p->to, index);
}

/* (rows, columns) to (panels, rows, PANEL), or (1, rows, columns) of no more columns. */
static struct inst *in_panels(struct builder *b, struct inst *w)
{
    int64_t rows = w->shape.dim[0], columns = w->shape.dim[1];
    int64_t panels = (columns + PANEL - 1) / PANEL, missing = panels * PANEL - columns;
    if (panels == 1)
        return make_reshape(b, w, SHAPE(1, rows, columns));
    if (missing)
        w = make_concat(b, 1, 2, (struct inst *[]){w, make_fill(b, 0, SHAPE(rows, missing))});
    w = make_reshape(b, w, SHAPE(rows, panels, PANEL));
    return make_transpose(b, w, SHAPE(1, 0, 2));
}

static struct inst *packed_value(struct module *m, struct inst *w, bool pairs)
{
    struct builder b = {m, w, w->label};
    w = in_panels(&b, w);
    int64_t panels = w->shape.dim[0], rows = w->shape.dim[1], columns = w->shape.dim[2];
    if (!pairs)
        return w;
    w = make_reshape(&b, w, SHAPE(panels, rows / PAIR, PAIR, columns));
    w = make_transpose(&b, w, SHAPE(0, 1, 3, 2));
    return panels > 1 ? w : make_reshape(&b, w, SHAPE(rows / PAIR, columns, PAIR));
}

static bool wants_pairs(const struct module *m, const struct buffer *buffer)
{
    return module_takes_pairs(m) && buffer->shape.dim[0] % PAIR == 0 &&
           buffer->shape.dim[0] >= units_least_terms(m) &&
           recipe_is_rounded(buffer->value, precision_kind_bf16);
}

static bool wants_packing(const struct module *m, const struct buffer *buffer)
{
    return buffer->place == PLACE_WEIGHTS && buffer->shape.rank == 2 && buffer->shape.dim[0] > 1 &&
           (buffer->shape.dim[1] > PANEL || wants_pairs(m, buffer));
}

static enum dtype packed_type(const struct module *m, const struct inst *value, bool pairs)
{
    for (int i = 0; i < m->targets && !pairs; i++)
        if (target_is_gpu(m->target[i]))
            return DTYPE_F32;
    return recipe_is_rounded(value, precision_kind_bf16) ? DTYPE_BF16 : DTYPE_F32;
}

static void pack_loads(struct module *m, struct packing *p, struct kernel *kernel)
{
    struct rewriter r = {.m = m, .load = load_packed, .context = p};
    touches_forget(kernel);
    kernel->body = rewrite_stmts(&r, kernel->body);
    touches_add(m, kernel);
}

int pack_weights(struct module *m)
{
    int changes = 0;
    struct buffer **end = &m->buffers;
    touches_index(m);
    for (struct buffer *buffer = m->buffers; buffer; buffer = buffer->next) {
        if (!wants_packing(m, buffer))
            continue;
        bool pairs = wants_pairs(m, buffer);
        struct inst *value = packed_value(m, buffer->value, pairs);
        struct packing p = {buffer,
                            buffer_new(m, end, arena_printf(m->arena, "%s_packed", buffer->name),
                                       PLACE_WEIGHTS, value->shape)};
        end = &p.to->next;
        buffer_set_value(p.to, value);
        p.to->dtype = packed_type(m, value, pairs);
        for (struct touch *touch = buffer->touches, *next; touch; touch = next) {
            next = touch->next;
            if (touch->loads)
                pack_loads(m, &p, touch->kernel);
        }
        changes++;
    }
    buffers_remove_unused(m);
    touches_finish(m);
    return changes;
}
