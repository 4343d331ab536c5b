#include "touches.h"
#include <assert.h>

/* ---- the index ------------------------------------------------------------------------------- */

struct adding {
    struct module *m;
    struct kernel *kernel;
};

/* The touch of the current kernel; NULL: a local. If there is one already, it is first in the
 * buffer's list, since no other kernel is added meanwhile. */
static struct touch *touch_of(struct adding *a, struct buffer *buffer)
{
    struct touch *first = buffer->touches;
    if (buffer->place >= PLACE_STACK)
        return NULL;
    if (first && first->kernel == a->kernel)
        return first;
    struct touch *touch = ARENA_NEW(a->m->arena, struct touch);
    touch->kernel = a->kernel;
    touch->buffer = buffer;
    touch->next = first;
    if (first)
        first->prev = touch;
    buffer->touches = touch;
    touch->of_kernel = a->kernel->touches;
    a->kernel->touches = touch;
    return touch;
}

static void add_tables(struct adding *a, const struct affine *index)
{
    for (int i = 0; i < index->count; i++) {
        const struct term *t = &index->term[i];
        if (t->kind == TERM_LOOKUP)
            touch_of(a, t->table);
        if (t->kind != TERM_VAR)
            add_tables(a, t->inner);
    }
}

static void add_load(void *context, const struct expr *load, int64_t iterations)
{
    struct touch *touch = touch_of(context, load->buffer);
    if (touch) {
        touch->loads++;
        if (iterations > touch->iterations)
            touch->iterations = iterations;
    }
    for (int i = 0; i < load->buffer->shape.rank; i++)
        add_tables(context, load->index[i]);
}

static void add_stores(struct adding *a, const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR) {
            add_stores(a, stmt->body);
            continue;
        }
        if (stmt->kind != STMT_STORE)
            continue;
        struct touch *touch = touch_of(a, stmt->buffer);
        if (touch)
            touch->stores++;
        for (int i = 0; i < stmt->buffer->shape.rank; i++)
            add_tables(a, stmt->index[i]);
    }
}

void touches_add(struct module *m, struct kernel *kernel)
{
    struct adding a = {m, kernel};
    assert(!kernel->touches);
    stmt_visit_loads(kernel->body, 1, add_load, &a);
    add_stores(&a, kernel->body);
}

void touches_forget(struct kernel *kernel)
{
    for (struct touch *touch = kernel->touches; touch; touch = touch->of_kernel) {
        *(touch->prev ? &touch->prev->next : &touch->buffer->touches) = touch->next;
        if (touch->next)
            touch->next->prev = touch->prev;
    }
    kernel->touches = NULL;
}

void touches_index(struct module *m)
{
    int number = 0;
    for (struct buffer *buffer = m->buffers; buffer; buffer = buffer->next)
        buffer->touches = NULL;
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next) {
        kernel->touches = NULL;
        kernel->number = number++;
        touches_add(m, kernel);
    }
}

void touches_finish(struct module *m)
{
    for (struct kernel **at = &m->kernels; *at;)
        if ((*at)->removed)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    kernels_name_vars(m);
}

/* ---- changes by passes ----------------------------------------------------------------------- */

void kernel_remove(struct kernel *kernel)
{
    touches_forget(kernel);
    kernel->removed = true;
}

void buffers_remove_unused(struct module *m)
{
    for (struct buffer **at = &m->buffers; *at;) {
        struct buffer *buffer = *at;
        if (buffer->touches || buffer->place == PLACE_INPUT || buffer->place == PLACE_OUTPUT) {
            at = &buffer->next;
        } else {
            buffer_set_value(buffer, NULL);
            *at = buffer->next;
        }
    }
}

/* ---- producers ------------------------------------------------------------------------------- */

/* Whether a dimension's index is a number whose digits are loop variables, each used once, that
 * runs over the whole dimension: c, or 7*dy + dx. */
static bool covers(const struct affine *index, int64_t extent)
{
    if (index->constant)
        return false;
    for (int i = index->count - 1, digit = 1; i >= 0; i--) {
        const struct term *t = &index->term[i];
        if (t->kind != TERM_VAR || t->factor != digit)
            return false;
        digit *= (int)t->var->extent;
        if (i == 0)
            return digit == extent;
    }
    return extent == 1;
}

/* Whether the nest stores every element once, so that an element's index determines the loop
 * variables. */
static bool stores_all(const struct nest *nest)
{
    const struct stmt *store = nest->store;
    int64_t iterations = 1;
    for (int i = 0; i < nest->vars; i++)
        iterations *= nest->var[i]->extent;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        if (!covers(store->index[i], store->buffer->shape.dim[i]))
            return false;
    return iterations == shape_elements(&store->buffer->shape);
}

bool producer_find(struct buffer *buffer, struct producer *p)
{
    int stores = 0;
    p->buffer = buffer;
    for (const struct touch *touch = buffer->touches; touch; touch = touch->next) {
        stores += touch->stores;
        if (touch->stores)
            p->kernel = touch->kernel;
    }
    return stores == 1 && nest_of(p->kernel->body, &p->nest) && stores_all(&p->nest);
}

const struct expr *producer_value(struct module *m, const struct producer *p,
                                  const struct expr *load)
{
    struct rewriter value = {.m = m};
    const struct stmt *store = p->nest.store;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        for (int j = 0; j < store->index[i]->count; j++) {
            const struct term *t = &store->index[i]->term[j];
            const struct affine *digit = affine_div(m->arena, load->index[i], t->factor);
            rewriter_map(&value, t->var, affine_mod(m->arena, digit, t->var->extent));
        }
    return rewrite_expr(&value, p->nest.store->value);
}
