#include "units.h"
#include "rounding.h"
#include "target.h"

bool module_takes_pairs(const struct module *m)
{
    struct error error;
    bool pairs = false;
    int gpus = 0;
    for (int i = 0; i < m->targets && m->precision == precision_kind_bf16; i++) {
        const struct target *target = target_find(m->target[i], &error);
        if (!target)
            return false;
        pairs |= target->pairs || target->amx || target->gpu;
        gpus += target->gpu != NULL;
    }
    return pairs && (!gpus || gpus == m->targets);
}

int64_t units_least_terms(const struct module *m)
{
    return m->targets && target_is_gpu(m->target[0]) ? matrix_depth(m->precision) : 1;
}

bool module_takes_tiles(const struct module *m)
{
    struct error error;
    bool tiles = false;
    for (int i = 0; i < m->targets && module_takes_pairs(m); i++)
        tiles |= target_find(m->target[i], &error)->amx;
    return tiles;
}

int64_t weights_together(const struct buffer *weights)
{
    const struct shape *shape = &weights->shape;
    bool pairs =
        weights->dtype == DTYPE_BF16 && shape->rank > 2 && shape->dim[shape->rank - 1] == PAIR;
    return pairs ? PAIR : 1;
}
