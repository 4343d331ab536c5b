/* What a kernel's loops allow a plan to ask for. */
#include "schedule.h"

/* Loads of what the kernel stores, which columns must not be taken apart from each other by. */
struct stored {
    const struct kernel_stage *stage;
    int stages;
    bool own; /* all loads are of their store's own columns */
    const struct kernel_stage *at;
};

static bool to_memory(const struct kernel_stage *s)
{
    return s->nest.store->buffer->place != PLACE_STACK;
}

static bool is_column(const struct kernel_stage *s, const struct affine *index)
{
    return index->count == 1 && !index->constant && index->term[0].kind == TERM_VAR &&
           index->term[0].factor == 1 && index->term[0].var == s->nest.var[s->rows];
}

static void visit_stored(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct stored *s = context;
    if (load->buffer->place == PLACE_STACK)
        return;
    for (int i = 0; i < s->stages; i++)
        if (s->stage[i].nest.store->buffer == load->buffer)
            s->own &=
                to_memory(s->at) && is_column(s->at, load->index[load->buffer->shape.rank - 1]);
}

static bool has_columns(const struct kernel_stage *s)
{
    const struct stmt *store = s->nest.store;
    return s->rows + 1 == s->nest.vars && store->buffer->shape.rank &&
           is_column(s, store->index[store->buffer->shape.rank - 1]);
}

static int64_t columns_of(const struct kernel_stage *stage, int stages)
{
    struct stored stored = {stage, stages, true, NULL};
    int64_t columns = 0;
    for (int i = 0; i < stages; i++) {
        const struct kernel_stage *s = &stage[i];
        if (!to_memory(s))
            continue;
        int64_t own = has_columns(s) ? s->nest.var[s->rows]->extent : 0;
        if (!own || (columns && own != columns))
            return 0;
        columns = own;
    }
    for (int i = 0; i < stages && stored.own; i++) {
        stored.at = &stage[i];
        expr_visit_loads(stage[i].nest.store->value, 1, visit_stored, &stored);
    }
    return stored.own ? columns : 0;
}

int64_t kernel_columns(struct module *m, const struct kernel *kernel)
{
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    struct var *pixel[3];
    int pixels, stages = kernel_list_stages(m, kernel, &pixels, pixel, stage);
    return columns_of(stage, stages);
}

const char *plan_split_error(struct module *m, const struct kernel *kernel, const struct plan *plan)
{
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    struct var *pixel[3];
    int pixels, stages = kernel_list_stages(m, kernel, &pixels, pixel, stage);
    int64_t columns = columns_of(stage, stages);
    if (!columns || plan->split > columns)
        return "split is for kernels whose results have that many columns, computed apart";
    return pixels && columns % plan->split ? "split has to divide the columns" : NULL;
}

bool stages_together(const struct kernel_stage *stage, int stages, int pixels,
                     const int64_t *together)
{
    bool fits = pixels && together[0] < together[1] && together[1] < stages;
    for (int64_t i = together[0]; fits && i <= together[1]; i++)
        fits = stage_size(&stage[i], 2).repeats != 1;
    return fits;
}

struct touching {
    const struct buffer *buffer;
    bool found;
};

static void visit_touching(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct touching *t = context;
    t->found |= load->buffer == t->buffer;
}

bool stages_own(const struct kernel_stage *stage, int stages, const int64_t *together,
                const struct buffer *tile)
{
    struct touching t = {tile, false};
    for (int i = 0; i < stages; i++) {
        if (i >= together[0] && i <= together[1])
            continue;
        t.found |= stage[i].nest.store->buffer == tile;
        expr_visit_loads(stage[i].nest.store->value, 1, visit_touching, &t);
    }
    return !t.found;
}

const char *plan_depth_error(struct module *m, const struct kernel *kernel, const struct plan *plan,
                             int nest)
{
    static struct kernel_stage stage[MAX_STAGES_OF_KERNEL];
    struct var *pixel[3];
    int pixels;
    kernel_list_stages(m, kernel, &pixels, pixel, stage);
    const struct kernel_stage *s = &stage[nest];
    const struct nest_plan *n = &plan->nest[nest];
    if (!pixels || stage_size(s, plan->tile).repeats != 1 || !stage_row_factor(s, pixels, pixel))
        return "depth is for sums over one variable of rows times columns";
    if (s->reduce->var[0]->extent % n->depth || n->depth % n->lanes)
        return "depth has to divide the reduction, and to be whole vectors";
    int64_t columns = plan->split && to_memory(s) ? plan->split : s->nest.var[s->rows]->extent;
    int64_t width = n->columns > PANEL ? n->columns : PANEL;
    return columns % width || width % n->columns ? "depth needs columns in whole panels of 32, in "
                                                   "blocks that divide them or are whole "
                                                   "panels"
                                                 : NULL;
}
