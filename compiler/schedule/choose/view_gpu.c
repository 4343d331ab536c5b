/* What plans for GPUs see of a kernel, and which of its locals are too large for shared memory. */
#include "view_gpu.h"
#include "tiles.h"
#include <string.h>

bool gpu_kernel_is_list(const struct kernel *kernel)
{
    struct var *pixel[3];
    struct stmt **stages;
    return !kernel->locals && !kernel_stages(kernel, pixel, &stages);
}

struct touching {
    struct view *view;
    int stage;
};

static void touch(struct touching *t, const struct buffer *buffer)
{
    for (int i = 0; i < t->view->locals; i++)
        if (t->view->local[i] == buffer) {
            if (t->view->first[i] < 0)
                t->view->first[i] = t->stage;
            t->view->last[i] = t->stage;
        }
}

static void visit_load(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    touch(context, load->buffer);
}

static void view_stage(struct view *v, int i)
{
    const struct kernel_stage *s = &v->stage[i];
    v->rows[i] = v->columns[i] = v->depth[i] = 1;
    for (int j = 0; j < s->nest.vars; j++)
        *(j < s->rows ? &v->rows[i] : &v->columns[i]) *= s->nest.var[j]->extent;
    for (int j = 0; s->reduce && j < s->reduce->vars; j++)
        v->depth[i] *= s->reduce->var[j]->extent;
    struct touching touching = {v, i};
    stmt_visit_loads(&s->alone, 1, visit_load, &touching);
    touch(&touching, s->nest.store->buffer);
}

static int64_t local_bytes(const struct view *v, int local, int64_t tile)
{
    struct shape shape = gpu_local_shape(v->local[local], v->in_pixels, tile);
    return 4 * shape_elements(&shape);
}

int64_t view_shared_bytes(const struct view *v, int64_t tile)
{
    struct shared_buffer buffer[MAX_STAGES_OF_KERNEL];
    int count = 0;
    for (int i = 0; i < v->locals; i++)
        if (!v->memory[i])
            buffer[count++] = (struct shared_buffer){
                .bytes = local_bytes(v, i, tile), .first = v->first[i], .last = v->last[i]};
    return shared_place(count, buffer);
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
        bytes += v->memory[i] ? local_bytes(v, i, tile) : 0;
    return bytes;
}

/* What shared memory cannot hold of even one pixel goes to the workspace, the largest first. */
static void place_locals(struct view *v)
{
    memset(v->memory, 0, sizeof v->memory);
    while (view_shared_bytes(v, 1) > v->gpu->shared_bytes) {
        int largest = -1;
        for (int i = 0; i < v->locals; i++)
            if (!v->memory[i] && (largest < 0 || local_bytes(v, i, 1) > local_bytes(v, largest, 1)))
                largest = i;
        v->memory[largest] = true;
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
    for (int i = 0; i < far->view->locals; i++)
        far->found |= far->view->memory[i] && far->view->local[i] == load->buffer;
}

static bool is_far(const struct view *v, const struct kernel_stage *stage)
{
    struct far far = {v, false};
    if (stage->reduce)
        expr_visit_loads(stage->reduce->in[0], 1, visit_far, &far);
    return far.found;
}

void view_kernel(struct module *m, const struct kernel *kernel, const struct target *target,
                 const struct rounding *rounding, struct view *v)
{
    struct var *pixel[3];
    int pixels;
    v->stages = kernel_list_stages(m, kernel, &pixels, pixel, v->stage);
    v->in_pixels = pixels > 0;
    v->list = gpu_kernel_is_list(kernel);
    v->pixels = 1;
    for (int i = 0; i < pixels; i++)
        v->pixels *= pixel[i]->extent;
    v->locals = 0;
    for (const struct buffer *local = kernel->locals; local; local = local->next) {
        v->first[v->locals] = v->last[v->locals] = -1;
        v->local[v->locals++] = local;
    }
    v->gpu = target->gpu;
    v->terms = matrix_depth(m->precision);
    for (int i = 0; i < v->stages; i++) {
        view_stage(v, i);
        v->stageable[i] = !stage_error(kernel, v->stage, v->stages, i, pixels, pixel);
        v->matrix[i] =
            v->terms && !matrix_error(m, kernel, &v->stage[i], pixels, pixel, target, rounding);
    }
    place_locals(v);
    for (int i = 0; i < v->stages; i++)
        v->far[i] = is_far(v, &v->stage[i]);
    v->shared_columns = gpu_columns(kernel, v->stage, v->stages);
}
