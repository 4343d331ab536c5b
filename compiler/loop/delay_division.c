/* w[j, c] = e[j, c] / t[c]                                  (gone)
 * y[c] = sum j (w[j, c] * b[j, c])                    =>    y[c] = sum j (e[j, c] * b[j, c]) / t[c]
 *
 * A divisor that is the same for all terms of a sum divides the sum: a softmax is normalised after
 * the aggregation, once per channel instead of once per neighbour. Needs a divisor that depends on
 * none of the sum's variables, and a quotient that nothing else reads.
 *
 * Requires: kernels as inline_values leaves them. */
#include "touches.h"

pass_function delay_division;

struct delay {
    struct producer p;
    const struct expr *reduce;  /* of the reader */
    const struct expr *divisor; /* found meanwhile; NULL: none, or it cannot be moved */
};

static bool uses_any(const struct expr *expr, const struct expr *reduce)
{
    for (int i = 0; i < reduce->vars; i++)
        if (expr_uses_var(expr, reduce->var[i]))
            return true;
    return false;
}

/* The sum's body with the quotient's dividend in its place. */
static const struct expr *undivided(struct module *m, struct delay *d, const struct expr *body)
{
    for (int i = 0; i < 2; i++) {
        const struct expr *load = body->in[i];
        if (load->op != SCALAR_load || load->buffer != d->p.buffer)
            continue;
        const struct expr *quotient = producer_value(m, &d->p, load);
        if (uses_any(quotient->in[1], d->reduce))
            return NULL;
        d->divisor = quotient->in[1];
        return expr_op(m, SCALAR_mul, i ? body->in[0] : quotient->in[0],
                       i ? quotient->in[0] : body->in[1], NULL);
    }
    return NULL;
}

static const struct expr *rebuild(struct module *m, const struct expr *expr, const struct delay *d,
                                  const struct expr *sum)
{
    if (expr == d->reduce)
        return sum;
    struct expr *clone = arena_copy(m->arena, expr, sizeof *expr);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            clone->in[i] = rebuild(m, expr->in[i], d, sum);
    return clone;
}

static struct kernel *only_reader(const struct buffer *buffer)
{
    struct kernel *reader = NULL;
    for (const struct touch *touch = buffer->touches; touch; touch = touch->next) {
        if (touch->loads > 1 || (touch->loads && reader))
            return NULL;
        if (touch->loads)
            reader = touch->kernel;
    }
    return reader;
}

static bool try_delay(struct module *m, struct buffer *buffer)
{
    struct delay d = {0};
    struct nest nest;
    struct kernel *reader;
    if (buffer->place != PLACE_WORKSPACE || !producer_find(buffer, &d.p) ||
        d.p.nest.store->value->op != SCALAR_div || expr_has_reduce(d.p.nest.store->value) ||
        !(reader = only_reader(buffer)) || !nest_of(reader->body, &nest))
        return false;
    d.reduce = expr_find_reduce(nest.store->value);
    if (!d.reduce || d.reduce->op != SCALAR_sum || d.reduce->in[1] ||
        d.reduce->in[0]->op != SCALAR_mul)
        return false;
    const struct expr *body = undivided(m, &d, d.reduce->in[0]);
    if (!body)
        return false;
    const struct expr *sum = expr_reduce(m, SCALAR_sum, d.reduce->vars, d.reduce->var, body, NULL);
    sum = expr_op(m, SCALAR_div, sum, d.divisor, NULL);
    touches_forget(reader);
    nest.store->value = rebuild(m, nest.store->value, &d, sum);
    touches_add(m, reader);
    kernel_remove(d.p.kernel);
    return true;
}

int delay_division(struct module *m)
{
    int changes = 0;
    touches_index(m);
    for (struct buffer *buffer = m->buffers; buffer; buffer = buffer->next)
        changes += try_delay(m, buffer);
    buffers_remove_unused(m);
    touches_finish(m);
    return changes;
}
