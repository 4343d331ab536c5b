/* y[n, y1, x1, c] = x[n, y1, x1, c] + ..        =>    x[n, y1, x1, c] = x[n, y1, x1, c] + ..
 *
 * The sum of a map and something else takes the map's memory, where nothing reads the map later.
 * There is one map fewer, and stores go to cache lines that were just read.
 *
 * Right because an element is read only by the iteration that computes the new element in its
 * place, before that is stored. Requires: one kernel stores y, once per element; x has y's shape
 * and is read by that kernel's store alone, at its own element and outside of reductions, but for
 * what they begin with. A map of values that are rounded to bf16 stays apart from one of others where
 * only so it can have that type (narrow_values.c). */
#include "affine.h"
#include "rounding.h"
#include "touches.h"
#include "units.h"

pass_function update_in_place;

struct reads {
    const struct buffer *x;
    const struct stmt *store; /* NULL: in another statement, where no read is allowed */
    int own;                  /* loads of the element that is stored */
    bool others;
};

static bool reads_own_element(const struct reads *r, const struct expr *load, bool reduced)
{
    if (!r->store || reduced)
        return false;
    for (int i = 0; i < load->buffer->shape.rank; i++)
        if (!affine_equal(load->index[i], r->store->index[i]))
            return false;
    return true;
}

static void find_reads(struct reads *r, const struct expr *expr, bool reduced)
{
    if (expr->op == SCALAR_load && expr->buffer == r->x) {
        if (reads_own_element(r, expr, reduced))
            r->own++;
        else
            r->others = true;
    }
    for (int i = 0; i < 3; i++)
        if (expr->in[i]) /* what a reduction begins with is read once, before */
            find_reads(r, expr->in[i], reduced || (expr->vars && i == 0));
}

static void find_in_stmts(struct reads *r, const struct stmt *stmt, const struct buffer *y)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR) {
            find_in_stmts(r, stmt->body, y);
        } else if (stmt->kind == STMT_STORE) {
            r->store = stmt->buffer == y ? stmt : NULL;
            find_reads(r, stmt->value, false);
        }
    }
}

/* The one kernel that stores y, which no kernel before it touches; or NULL. */
static struct kernel *writer_of(const struct buffer *y)
{
    struct kernel *writer = NULL;
    for (const struct touch *t = y->touches; t; t = t->next) {
        if (t->stores && (writer || t->stores > 1))
            return NULL;
        if (t->stores)
            writer = t->kernel;
    }
    for (const struct touch *t = y->touches; t; t = t->next)
        if (t->kernel != writer && writer && t->kernel->number < writer->number)
            return NULL;
    return writer;
}

static bool is_last(const struct buffer *x, const struct kernel *kernel)
{
    for (const struct touch *t = x->touches; t; t = t->next)
        if (t->kernel->number > kernel->number || (t->kernel == kernel && t->stores))
            return false;
    return true;
}

static bool stores_only_bf16(const struct stmt *stmt, const struct buffer *buffer)
{
    for (; stmt; stmt = stmt->next) {
        bool other =
            stmt->kind == STMT_STORE && stmt->buffer == buffer && !expr_is_bf16(stmt->value);
        if (other || (stmt->kind == STMT_FOR && !stores_only_bf16(stmt->body, buffer)))
            return false;
    }
    return true;
}

static bool is_bf16(const struct buffer *buffer)
{
    for (const struct touch *t = buffer->touches; t; t = t->next)
        if (!stores_only_bf16(t->kernel->body, buffer))
            return false;
    return true;
}

/* A buffer whose memory y may take; or NULL. `narrow`: values of type bf16 are stored as such. */
static struct buffer *find_place(const struct buffer *y, const struct kernel *writer, bool narrow)
{
    bool rounded = narrow && is_bf16(y);
    for (const struct touch *t = writer->touches; t; t = t->of_kernel) {
        struct reads r = {.x = t->buffer};
        if (t->buffer == y || t->buffer->place != PLACE_WORKSPACE ||
            !shape_equal(&t->buffer->shape, &y->shape) || !is_last(t->buffer, writer) ||
            (rounded && !is_bf16(t->buffer)))
            continue;
        find_in_stmts(&r, writer->body, y);
        if (r.own && !r.others)
            return t->buffer;
    }
    return NULL;
}

struct renaming {
    const struct buffer *from;
    struct buffer *to;
};

static const struct expr *load_renamed(struct rewriter *r, const struct expr *load)
{
    const struct renaming *n = r->context;
    return load->buffer == n->from ? expr_load(r->m, n->to, load->index) : load;
}

static void store_renamed(struct rewriter *r, struct buffer **buffer, const struct affine **index)
{
    const struct renaming *n = r->context;
    (void)index;
    if (*buffer == n->from)
        *buffer = n->to;
}

static void rename_buffer(struct module *m, struct buffer *from, struct buffer *to)
{
    struct renaming renaming = {from, to};
    for (struct touch *t = from->touches, *next; t; t = next) {
        struct rewriter r = {
            .m = m, .load = load_renamed, .store = store_renamed, .context = &renaming};
        next = t->next;
        struct kernel *kernel = t->kernel;
        touches_forget(kernel);
        kernel->body = rewrite_stmts(&r, kernel->body);
        touches_add(m, kernel);
    }
}

int update_in_place(struct module *m)
{
    int changes = 0;
    bool narrow = module_takes_pairs(m);
    touches_index(m);
    for (struct buffer *y = m->buffers; y; y = y->next) {
        const struct kernel *writer = y->place == PLACE_WORKSPACE ? writer_of(y) : NULL;
        struct buffer *x = writer ? find_place(y, writer, narrow) : NULL;
        if (!x)
            continue;
        rename_buffer(m, y, x);
        changes++;
    }
    buffers_remove_unused(m);
    touches_finish(m);
    return changes;
}
