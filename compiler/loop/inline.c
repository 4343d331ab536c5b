/* v2[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])      =>   (gone)
 * v3[n, y, x, c] = max(v2[n, y, x, c], 0)                     =>   v3[..] = max(sum k in 32 (..),
 * 0)
 *
 * A value is computed where it is read, and its buffer disappears, if nothing is computed twice
 * then: copies (views of other buffers) always, other values where each element is read at most
 * once. A reduction joins only a reader without one, so that a nest has at most one, and none that
 * transposes: its columns would lie apart.
 *
 * Right because a workspace buffer with one nest that stores it is written once, before its
 * readers, and whatever it is computed from is not written again.
 *
 * Requires: kernels as lower leaves them, one nest for a value. */
#include "touches.h"

pass_function inline_values;

static const struct expr *replace_load(struct rewriter *r, const struct expr *load)
{
    const struct producer *p = r->context;
    if (load->buffer != p->buffer)
        return load;
    return producer_value(r->m, p, load);
}

static void inline_into(struct module *m, struct producer *p, struct kernel *reader)
{
    struct rewriter r = {.m = m, .load = replace_load, .context = p};
    touches_forget(reader);
    reader->body = rewrite_stmts(&r, reader->body);
    touches_add(m, reader);
}

/* Whether the reader has a reduction already, or is not a single nest. */
static bool reader_reduces(const struct kernel *reader)
{
    struct nest nest;
    return !nest_of(reader->body, &nest) || expr_has_reduce(nest.store->value);
}

/* Whether a nest copies, and what are neighbours in memory before are none after. */
static bool transposes(const struct kernel *kernel)
{
    struct nest nest;
    if (!nest_of(kernel->body, &nest) || nest.store->value->op != SCALAR_load || !nest.vars)
        return false;
    const struct expr *load = nest.store->value;
    const struct var *column = nest.var[nest.vars - 1];
    const struct affine *last = load->index[load->buffer->shape.rank - 1];
    for (int i = 0; i < last->count; i++)
        if (last->term[i].kind != TERM_VAR ||
            (last->term[i].var == column && last->term[i].factor == 1))
            return false;
    return column->extent > 1;
}

/* Whether every reader may compute the value itself. */
static bool may_inline(const struct buffer *buffer, const struct expr *value)
{
    const struct touch *reader = NULL;
    int loads = 0;
    for (const struct touch *touch = buffer->touches; touch; touch = touch->next)
        if (touch->loads) {
            reader = touch;
            loads += touch->loads;
        }
    if (!reader || value->op == SCALAR_load)
        return reader != NULL;
    return loads == 1 && reader->iterations <= shape_elements(&buffer->shape) &&
           !(expr_has_reduce(value) &&
             (reader_reduces(reader->kernel) || transposes(reader->kernel)));
}

static bool try_inline(struct module *m, struct buffer *buffer)
{
    struct producer p;
    if (buffer->place != PLACE_WORKSPACE || !producer_find(buffer, &p))
        return false;
    const struct expr *value = p.nest.store->value;
    if (!may_inline(buffer, value))
        return false;
    for (struct touch *touch = buffer->touches, *next; touch; touch = next) {
        next = touch->next;
        if (!touch->loads)
            continue;
        inline_into(m, &p, touch->kernel);
        if (expr_has_reduce(value)) { /* the reader becomes a part of the work */
            touch->kernel->name = p.kernel->name;
            touch->kernel->label = p.kernel->label;
        }
    }
    kernel_remove(p.kernel);
    return true;
}

int inline_values(struct module *m)
{
    int changes = 0, before;
    touches_index(m);
    do {
        before = changes;
        for (struct buffer *buffer = m->buffers; buffer; buffer = buffer->next)
            changes += try_inline(m, buffer);
        buffers_remove_unused(m);
    } while (changes > before);
    touches_finish(m);
    return changes;
}
