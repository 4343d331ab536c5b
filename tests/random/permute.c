/* Weight channels in another order, which must not change the results.
 *
 * Channel c of beta is weighted by weight channel c mod m. If the last linear of the mapping gives
 * its m weight channels in another order, and beta's linear, bn2 and the inputs of the block's last
 * linear are reordered alike in every group of m channels, the block computes the same as before.
 */
#include "random_model.h"
#include <stdlib.h>
#include <string.h>

/* What a tensor is to its block's attention. */
struct role {
    const struct attention *attention;
    const char *name; /* after "layer0.0." */
    int block;        /* its number in the network */
};

static bool role_of(const struct model *model, const char *name, struct role *role)
{
    int stage, block, length = 0;
    if (sscanf(name, "layer%d.%d.%n", &stage, &block, &length) != 2 || !length)
        return false;
    *role = (struct role){&model->stage[stage].attention, name + length, stage * 1000 + block};
    return true;
}

/* Where phi and psi are tied to beta, they would have to be reordered too, and with them everything
 * up to the weights. Without a mapping the weights are the relation itself. */
static bool may_permute(const struct attention *a)
{
    return a->transforms != TRANSFORMS_PHI_PSI_BETA && a->mapping > 0;
}

/* data is [groups][order's count][run]. */
static void permute(double *data, int64_t groups, const int *order, int count, int64_t run)
{
    size_t bytes = (size_t)(count * run) * sizeof *data;
    double *old = malloc(bytes);
    if (!old)
        abort();
    for (int64_t group = 0; group < groups; group++, data += count * run) {
        memcpy(old, data, bytes);
        for (int i = 0; i < count; i++)
            memcpy(data + i * run, old + order[i] * run, (size_t)run * sizeof *data);
    }
    free(old);
}

static void permute_tensor(const struct role *role, const struct inst *inst, double *data,
                           const int *order)
{
    const struct attention *a = role->attention;
    const struct shape *shape = &inst->shape;
    int m = a->value_channels / a->share, last = 3 * a->mapping - 1, layer = -1;
    int64_t row = shape_elements(shape) / shape->dim[0];
    if (sscanf(role->name, "sam.conv_w.%d.", &layer) == 1 && layer == last) {
        int64_t neighbours = a->patchwise ? (int64_t)a->footprint * a->footprint : 1;
        permute(data, 1, order, m, neighbours * row);
    } else if (strncmp(role->name, "sam.conv3.", 10) == 0 || strncmp(role->name, "bn2.", 4) == 0) {
        permute(data, a->share, order, m, row);
    } else if (strcmp(role->name, "conv.weight") == 0) {
        permute(data, shape->dim[0] * a->share, order, m, 1);
    }
}

static void draw_order(struct random r, int *order, int count)
{
    for (int i = 0; i < count; i++) {
        int j = random_between(&r, 0, i);
        order[i] = order[j];
        order[j] = i;
    }
}

bool values_permute(struct values *values, const struct random_model *m)
{
    bool any = false;
    if (m->model.family != FAMILY_SAN)
        return false;
    for (const struct inst *inst = values->graph->first; inst; inst = inst->next) {
        struct role role;
        if (inst->op != OP_parameter ||
            !role_of(&m->model, inst->attr[SLOT_parameter_name].string, &role) ||
            !may_permute(role.attention))
            continue;
        int count = role.attention->value_channels / role.attention->share;
        int *order = calloc((size_t)count, sizeof *order);
        if (!order)
            abort();
        draw_order(random_from(m->seed, 2 + (uint64_t)role.block), order, count);
        permute_tensor(&role, inst, values->data[inst->id], order);
        free(order);
        any = any || count > 1;
    }
    return any;
}
