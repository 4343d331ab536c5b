/* v2[n, y, x, c] = sum k in 32 (a[n, y, x, k] * w[k, c])      =>   (gone)
 * v3[n, y, x, c] = max(v2[n, y, x, c], 0)                     =>   v3[..] = max(sum k in 32 (..),
 * 0)
 *
 * A value is computed where it is read, and its buffer disappears, where that computes nothing
 * twice: copies (views of other buffers) always; other values where each element is read at most
 * once. A reduction joins only a reader that does not reduce, so that a nest has at most one of
 * them.
 *
 * Right because a workspace buffer with one nest that stores it is written once, before its
 * readers, and whatever it is computed from is not written again.
 *
 * Requires: kernels as lower leaves them, one nest for a value. */
#include "loops.h"
#include "passes.h"
#include <string.h>

struct reads {
    const struct buffer *buffer;
    int loads;
    int64_t iterations; /* most of any load */
};

static void count_reads(void *context, const struct expr *load, int64_t iterations)
{
    struct reads *reads = context;
    if (load->buffer == reads->buffer) {
        reads->loads++;
        if (iterations > reads->iterations)
            reads->iterations = iterations;
    }
}

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
    reader->body = rewrite_stmts(&r, reader->body);
}

/* Whether the reader's one load of the buffer stands beside no reduction and in none. */
static bool reader_reduces(const struct kernel *reader)
{
    struct nest nest;
    return !nest_of(reader->body, &nest) || expr_has_reduce(nest.store->value);
}

static bool try_inline(struct module *m, struct buffer *buffer)
{
    struct producer p;
    if (buffer->place != PLACE_WORKSPACE || !producer_find(m, buffer, &p))
        return false;
    const struct expr *value = p.nest.store->value;
    struct kernel *reader = NULL;
    struct reads all = {.buffer = buffer};
    for (struct kernel *k = m->kernels; k; k = k->next) {
        int before = all.loads;
        stmt_visit_loads(k->body, 1, count_reads, &all);
        if (all.loads > before)
            reader = k;
    }
    if (!reader)
        return false;
    if (value->op != SCALAR_load) {
        if (all.loads != 1 || all.iterations > shape_elements(&buffer->shape))
            return false;
        if (expr_has_reduce(value) && reader_reduces(reader))
            return false;
    }
    for (struct kernel *k = m->kernels; k; k = k->next) {
        struct reads reads = {.buffer = buffer};
        stmt_visit_loads(k->body, 1, count_reads, &reads);
        if (reads.loads)
            inline_into(m, &p, k);
    }
    if (expr_has_reduce(value)) { /* the reader becomes a part of the work */
        reader->name = p.kernel->name;
        reader->label = p.kernel->label;
    }
    kernel_remove(m, p.kernel);
    return true;
}

int inline_values(struct module *m)
{
    int changes = 0, before;
    do {
        before = changes;
        for (struct buffer *buffer = m->buffers; buffer; buffer = buffer->next)
            changes += try_inline(m, buffer);
        buffers_remove_unused(m);
    } while (changes > before);
    kernels_name_vars(m);
    return changes;
}
