/* A kernel as plans for GPUs see it, and which of its locals are too large for shared memory. */
#include "view_gpu.h"
#include "build_local.h"
#include "plan_shared.h"
#include "rounding.h"
#include "rules_gpu.h"
#include "units.h"

struct touching {
    struct view *view;
    int nest;
};

static void touch(struct touching *t, const struct buffer *buffer)
{
    for (int i = 0; i < t->view->locals; i++) {
        struct local_view *local = &t->view->local[i];
        if (local->buffer != buffer)
            continue;
        if (local->first < 0)
            local->first = t->nest;
        local->last = t->nest;
    }
}

static void visit_load(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    touch(context, load->buffer);
}

static bool has_halves(const struct kernel_nest *nest)
{
    const struct expr *row = nest->row_factor;
    if (!row || !expr_is_bf16(row))
        return false;
    const struct expr *const *factor = nest->reduce->in[0]->in, *column = factor[row == factor[0]];
    return column->op == SCALAR_load && weights_together(column->buffer) == PAIR;
}

static void view_nest(struct view *v, const struct subject *subject, int i)
{
    const struct kernel_nest *nest = &v->nests->nest[i];
    struct nest_view *view = &v->nest[i];
    *view = (struct nest_view){.rows = 1, .columns = 1, .depth = nest_depth(nest)};
    for (int j = 0; j < nest->loops.vars; j++)
        *(j < nest->rows ? &view->rows : &view->columns) *= nest->loops.var[j]->extent;
    view->staging = !nest_no_staging(v->nests, i);
    view->matrix = v->terms && !nest_no_matrix(subject, i);
    view->halves = has_halves(nest);
    struct touching touching = {v, i};
    expr_visit_loads(nest->loops.store->value, 1, visit_load, &touching);
    touch(&touching, nest->loops.store->buffer);
}

static int64_t local_bytes(const struct view *v, int local, int64_t tile)
{
    const struct buffer *buffer = v->local[local].buffer;
    struct shape shape = local_shared_shape(buffer, v->nests->pixels > 0, tile);
    return dtype_bytes[buffer->dtype] * shape_elements(&shape);
}

int64_t view_shared_bytes_without(const struct view *v, const struct buffer *without, int64_t tile)
{
    struct shared_buffer buffer[MAX_NESTS];
    int count = 0;
    for (int i = 0; i < v->locals; i++)
        if (!v->local[i].in_workspace && v->local[i].buffer != without)
            buffer[count++] = (struct shared_buffer){.bytes = local_bytes(v, i, tile),
                                                     .first = v->local[i].first,
                                                     .last = v->local[i].last};
    return shared_place(count, buffer);
}

int64_t view_shared_bytes(const struct view *v, int64_t tile)
{
    return view_shared_bytes_without(v, NULL, tile);
}

int64_t view_tile_bytes(const struct view *v, int64_t tile)
{
    int64_t bytes = 0;
    for (int i = 0; i < v->locals; i++)
        bytes += local_bytes(v, i, tile);
    return bytes;
}

int64_t view_slice_bytes(const struct view *v, int64_t tile)
{
    int64_t bytes = 0;
    for (int i = 0; i < v->locals; i++)
        bytes += v->local[i].in_workspace ? local_bytes(v, i, tile) : 0;
    return bytes;
}

/* If shared memory cannot hold the buffers of even one pixel, some go to the workspace, the largest
 * first. */
static void place_locals(struct view *v)
{
    while (view_shared_bytes(v, 1) > v->gpu->shared_bytes) {
        int largest = -1;
        for (int i = 0; i < v->locals; i++)
            if (!v->local[i].in_workspace &&
                (largest < 0 || local_bytes(v, i, 1) > local_bytes(v, largest, 1)))
                largest = i;
        v->local[largest].in_workspace = true;
    }
}

struct far {
    const struct view *view;
    bool found;
};

static void visit_far(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct far *far = context;
    far->found |= load->buffer->place != PLACE_STACK;
    for (int i = 0; i < far->view->locals; i++) {
        const struct local_view *local = &far->view->local[i];
        far->found |= local->in_workspace && local->buffer == load->buffer;
    }
}

static bool is_far(const struct view *v, const struct kernel_nest *nest)
{
    struct far far = {v, false};
    const struct expr *value = nest->reduce ? nest->reduce->in[0] : nest->loops.store->value;
    expr_visit_loads(value, 1, visit_far, &far);
    return far.found;
}

void view_init(struct view *v, const struct subject *subject)
{
    const struct nests *nests = v->nests = subject->nests;
    v->gpu = subject->target->gpu;
    v->terms = matrix_depth(subject->m->precision);
    v->shared_columns = nests_shared_columns(nests);
    v->locals = 0;
    for (const struct buffer *local = nests->kernel->locals; local; local = local->next)
        v->local[v->locals++] = (struct local_view){local, false, -1, -1};
    for (int i = 0; i < nests->count; i++)
        view_nest(v, subject, i);
    place_locals(v);
    for (int i = 0; i < nests->count; i++)
        v->nest[i].far = is_far(v, &nests->nest[i]);
}
