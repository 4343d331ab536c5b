/* x[n, y, x1, c] = a[n, y, x1, c]                              (c to 15)
 * x[n, y, x1, 16*j + c + 16] = b[n, y, x1, j, c]
 * z[n, y, x1, c2] = max(x[n, y, x1, c2] * s[c2], 0)
 * =>
 * z[n, y, x1, c] = max(a[n, y, x1, c] * s[c], 0)
 * z[n, y, x1, 16*j + c + 16] = max(b[n, y, x1, j, c] * s[16*j + c + 16], 0)
 *
 * Several nests store the parts of a buffer, such as a concatenation, and one elementwise nest
 * reads it: the reader's work moves into the nests that store, so that values go to memory once.
 * inline_values does the same for what one nest stores.
 *
 * Right because the reader reads each element once, for the same element of its result, and
 * otherwise weights alone.
 *
 * Requires: kernels as inline_values leaves them. */
#include "touches.h"

pass_function inline_readers;

struct reading {
    struct module *m;
    struct buffer *from;      /* what several nests store */
    struct producer result;   /* of what its one reader stores */
    const struct expr *value; /* of the current element */
    bool fits;
};

static void check_load(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct reading *r = context;
    const struct stmt *store = r->result.nest.store;
    if (load->buffer != r->from) {
        r->fits &= load->buffer->place == PLACE_WEIGHTS;
        return;
    }
    for (int i = 0; i < r->from->shape.rank; i++)
        r->fits &= affine_equal(load->index[i], store->index[i]);
}

static bool same_shape(const struct shape *a, const struct shape *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

/* The one kernel that reads the buffer, once, among others that are a nest each. */
static struct kernel *find_reader(const struct buffer *buffer)
{
    struct kernel *reader = NULL;
    struct nest nest;
    for (const struct touch *touch = buffer->touches; touch; touch = touch->next) {
        if (touch->loads + touch->stores != 1 || (touch->loads && reader) ||
            !nest_of(touch->kernel->body, &nest))
            return NULL;
        if (touch->loads)
            reader = touch->kernel;
    }
    return reader;
}

static bool find(struct reading *r)
{
    struct nest nest;
    struct kernel *reader = find_reader(r->from);
    if (r->from->place != PLACE_WORKSPACE || !reader || !nest_of(reader->body, &nest) ||
        !nest.store->buffer->touches || nest.store->buffer->place != PLACE_WORKSPACE ||
        !producer_find(nest.store->buffer, &r->result) ||
        !same_shape(&r->from->shape, &nest.store->buffer->shape) ||
        expr_has_reduce(nest.store->value))
        return false;
    r->fits = true;
    expr_visit_loads(nest.store->value, 1, check_load, r);
    return r->fits;
}

static const struct expr *replace_load(struct rewriter *rewriter, const struct expr *load)
{
    const struct reading *r = rewriter->context;
    return load->buffer == r->from ? r->value : load;
}

/* Changes a nest that stores an element of the buffer: it then stores the reader's result for it.
 */
static void store_result(struct reading *r, struct kernel *writer)
{
    struct nest nest;
    touches_forget(writer);
    nest_of(writer->body, &nest);
    struct stmt *store = nest.store;
    const struct expr *at = expr_load(r->m, r->result.buffer, store->index);
    struct rewriter replace = {.m = r->m, .load = replace_load, .context = r};
    r->value = store->value;
    store->value = rewrite_expr(&replace, producer_value(r->m, &r->result, at));
    store->buffer = r->result.buffer;
    touches_add(r->m, writer);
}

static bool try_inline(struct module *m, struct buffer *buffer)
{
    struct reading r = {.m = m, .from = buffer};
    if (!find(&r))
        return false;
    kernel_remove(r.result.kernel);
    for (struct touch *touch = buffer->touches, *next; touch; touch = next) {
        next = touch->next;
        store_result(&r, touch->kernel);
    }
    return true;
}

int inline_readers(struct module *m)
{
    int changes = 0;
    touches_index(m);
    for (struct buffer *buffer = m->buffers; buffer; buffer = buffer->next)
        changes += try_inline(m, buffer);
    buffers_remove_unused(m);
    touches_finish(m);
    return changes;
}
