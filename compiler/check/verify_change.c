/* Finds where a pass moved the result: compares values and buffers of the same name before and
 * after the pass, in the order in which they are computed. The buffer of %12 is v12, that of the
 * output is logits. */
#include "memory.h"
#include "observe.h"
#include "trace.h"
#include "verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tensor {
    char where[160], name[132];
    struct shape shape;
    double *value;
};

static const int64_t MOST_ELEMENTS = INT64_C(1) << 27; /* 1 GiB of doubles, before and after */

struct state {
    int count, room;
    int64_t elements;
    bool full; /* MOST_ELEMENTS are kept: no room for more */
    struct tensor *tensor;
};

static struct tensor *add_tensor(struct state *state, const struct shape *shape,
                                 const double *value)
{
    if (state->count == state->room) {
        state->room = state->room ? 2 * state->room : 64;
        state->tensor = allocate_again(state->tensor, state->room, sizeof *state->tensor);
    }
    struct tensor *tensor = &state->tensor[state->count];
    state->elements += shape_elements(shape);
    if (state->elements > MOST_ELEMENTS)
        return NULL;
    *tensor = (struct tensor){.shape = *shape};
    tensor->value = allocate(shape_elements(shape), sizeof *value);
    memcpy(tensor->value, value, (size_t)shape_elements(shape) * sizeof *value);
    state->count++;
    return tensor;
}

static void add_value(void *context, const struct inst *inst, const double *value)
{
    struct state *state = context;
    struct tensor *tensor = add_tensor(state, &inst->shape, value);
    state->full |= !tensor;
    if (!tensor)
        return;
    snprintf(tensor->where, sizeof tensor->where, "%%%d = %s%s%.100s", inst->id,
             op_info[inst->op].name, inst->label ? " of " : "", inst->label ? inst->label : "");
    if (inst->op == OP_output)
        snprintf(tensor->name, sizeof tensor->name, "logits");
    else
        snprintf(tensor->name, sizeof tensor->name, "v%d", inst->id);
}

/* Adds each buffer's contents after the last kernel that writes it. */
static enum status add_buffers(struct state *state, const struct module *module,
                               const struct parameters *parameters, const struct images *images)
{
    struct trace trace;
    enum status status = trace_evaluate(&trace, module, parameters, images);
    for (int i = 0; i < trace.count && status == STATUS_DONE; i++) {
        const struct written *w = &trace.written[i];
        bool last = true;
        for (int j = i + 1; j < trace.count; j++)
            last &= trace.written[j].buffer != w->buffer;
        struct tensor *tensor =
            last ? add_tensor(state, &w->buffer->shape, trace.value + w->begin) : NULL;
        state->full |= last && !tensor;
        if (!tensor)
            continue;
        snprintf(tensor->where, sizeof tensor->where, "kernel %s", kernel_name(module, w->kernel));
        snprintf(tensor->name, sizeof tensor->name, "%s", w->buffer->name);
    }
    trace_free(&trace);
    return status;
}

static enum status make_state(struct state *state, const struct module *module,
                              const struct parameters *parameters, const struct images *images)
{
    enum status status = STATUS_DONE;
    if (module->kernels) {
        status = add_buffers(state, module, parameters, images);
    } else {
        double *batch = batch_of(module, images);
        if (!batch || !module_visit_values(module, parameters, batch, add_value, state))
            status = STATUS_SYSTEM;
        free(batch);
    }
    return state->full ? STATUS_SYSTEM : status;
}

static void free_state(struct state *state)
{
    for (int i = 0; i < state->count; i++)
        free(state->tensor[i].value);
    free(state->tensor);
}

static const struct tensor *find_tensor(const struct state *state, const struct tensor *like)
{
    for (int i = state->count; i-- > 0;)
        if (strcmp(state->tensor[i].name, like->name) == 0 &&
            shape_elements(&state->tensor[i].shape) == shape_elements(&like->shape))
            return &state->tensor[i];
    return NULL;
}

/* The first element that is off by more than `tolerance` of the largest; -1: none is. */
static int64_t first_off(const struct tensor *was, const struct tensor *is, double tolerance)
{
    double most = 0;
    int64_t elements = shape_elements(&is->shape);
    for (int64_t i = 0; i < elements; i++)
        if (isfinite(was->value[i]) && fabs(was->value[i]) > most)
            most = fabs(was->value[i]);
    for (int64_t i = 0; i < elements; i++)
        if (!isnan(was->value[i]) && off_by(is->value[i], was->value[i]) > tolerance * most)
            return i;
    return -1;
}

static void describe(struct change *change, const struct tensor *was, const struct tensor *is,
                     int64_t at)
{
    int64_t size = shape_elements(&is->shape), rest = at;
    snprintf(change->where, sizeof change->where, "%s", is->where);
    snprintf(change->element, sizeof change->element, "%s[", is->name);
    for (int i = 0; i < is->shape.rank; i++) {
        size_t used = strlen(change->element);
        size /= is->shape.dim[i];
        snprintf(change->element + used, sizeof change->element - used, "%s%lld", i ? ", " : "",
                 (long long)(rest / size));
        rest %= size;
    }
    size_t used = strlen(change->element);
    snprintf(change->element + used, sizeof change->element - used, "]");
    change->was = was->value[at];
    change->is = is->value[at];
}

bool change_find(const struct module *before, const struct module *after,
                 const struct parameters *parameters, const struct images *images, double tolerance,
                 struct change *change)
{
    struct state was = {0}, is = {0};
    bool found = false;
    bool good = make_state(&was, before, parameters, images) == STATUS_DONE &&
                make_state(&is, after, parameters, images) == STATUS_DONE;
    for (int i = 0; good && i < is.count && !found; i++) {
        const struct tensor *old = find_tensor(&was, &is.tensor[i]);
        int64_t at = old ? first_off(old, &is.tensor[i], tolerance) : -1;
        found = at >= 0;
        if (found)
            describe(change, old, &is.tensor[i], at);
    }
    free_state(&was);
    free_state(&is);
    return found;
}
