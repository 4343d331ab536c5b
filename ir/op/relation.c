/* relation: how each pixel is related to those of its footprint. relations.def has the kinds and
 * how they differ. */
#include "footprint.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct relation_info relation_info[RELATIONS] = {
#define RELATION(name, traits, scalar) [relation_kind_##name] = {traits, SCALAR_##scalar},
#include "relations.def"
};

static const struct relation_info *info_of(const struct inst *inst)
{
    return &relation_info[inst->attr[SLOT_relation_kind].integer];
}

/* ---- shapes ---------------------------------------------------------------------------------- */

int64_t relation_width(int kind, int64_t neighbours, int64_t channels)
{
    const struct relation_info *info = &relation_info[kind];
    int64_t pairs = info->traits & ALL_PAIRS   ? neighbours * neighbours
                    : info->traits & PATCHWISE ? neighbours
                                               : 1;
    if (info->scalar == SCALAR_load)
        return (pairs + 1) * channels;
    return info->traits & SUMMED ? pairs : pairs * channels;
}

/* The pixels are phi's. Where all pairs are related with padding valid, phi carries the border too,
 * which is taken off. */
bool relation_shape(struct inst *inst, struct error *error)
{
    unsigned traits = info_of(inst)->traits;
    int64_t footprint = inst->attr[SLOT_relation_footprint].integer;
    int64_t dilation = inst->attr[SLOT_relation_dilation].integer;
    int64_t padding = inst->attr[SLOT_relation_padding].integer;
    if (!want_rank(inst, 0, 4, error))
        return false;
    struct shape map = inst->in[0]->shape;
    if (traits & ALL_PAIRS && padding == padding_kind_valid) {
        int64_t s = dilation * (footprint - 1) / 2;
        map.dim[1] -= 2 * s;
        map.dim[2] -= 2 * s;
        if (map.dim[1] < 1 || map.dim[2] < 1)
            return error_set(error, "input 0 has no pixels within its border of %lld",
                             (long long)s);
    }
    if (!want_neighbours(inst, 1, map, footprint, dilation, padding, error))
        return false;
    int64_t j = footprint * footprint;
    int64_t width = relation_width((int)inst->attr[SLOT_relation_kind].integer, j, map.dim[3]);
    inst->shape = traits & PATCHWISE ? shape_of(4, map.dim[0], map.dim[1], map.dim[2], width, 0)
                                     : shape_of(5, map.dim[0], map.dim[1], map.dim[2], j, width);
    return true;
}

struct inst_count relation_count(const struct inst *inst)
{
    const struct relation_info *info = info_of(inst);
    int64_t elements = shape_elements(&inst->shape);
    return (struct inst_count){
        .macs = info->traits & SUMMED ? elements * shape_last(&inst->in[0]->shape) : 0,
        .extras = info->scalar == SCALAR_sub ? elements : 0};
}

/* ---- values ---------------------------------------------------------------------------------- */

static double *append(double *out, int64_t count, const double *from)
{
    memcpy(out, from, (size_t)count * sizeof *out);
    return out + count;
}

/* The relation of one pair of pixels. Returns the place after it in `out`. */
static double *relate(const struct eval *e, int64_t channels, const double *phi, const double *psi,
                      double *out)
{
    const struct relation_info *info = info_of(e->inst);
    if (info->scalar == SCALAR_load)
        return append(info->traits & PATCHWISE ? out : append(out, channels, phi), channels, psi);
    double sum = 0;
    for (int64_t c = 0; c < channels; c++) {
        double value = eval_round(e, scalar_apply(info->scalar, phi[c], psi[c]));
        if (info->traits & SUMMED)
            sum = eval_round(e, sum + value);
        else
            *out++ = value;
    }
    if (info->traits & SUMMED)
        *out++ = sum;
    return out;
}

static double *relate_pixel(const struct eval *e, const struct footprint *f, const struct map *phi,
                            const struct map *psi, double *out)
{
    const struct relation_info *info = info_of(e->inst);
    int64_t count = footprint_count(f), channels = psi->channels;
    if (info->traits & ALL_PAIRS) {
        for (int64_t j = 0; j < count; j++)
            for (int64_t l = 0; l < count; l++)
                out = relate(e, channels, footprint_at(f, phi, j), footprint_at(f, psi, l), out);
        return out;
    }
    const double *centre = map_at(phi, f->y, f->x);
    if (info->scalar == SCALAR_load && info->traits & PATCHWISE)
        out = append(out, channels, centre);
    for (int64_t j = 0; j < count; j++)
        out = relate(e, channels, centre, footprint_at(f, psi, j), out);
    return out;
}

bool relation_eval(const struct eval *e)
{
    const struct shape *y = &e->inst->shape;
    int64_t padding = e->inst->attr[SLOT_relation_padding].integer;
    struct footprint f = footprint_new(e->inst->attr[SLOT_relation_footprint].integer,
                                       e->inst->attr[SLOT_relation_dilation].integer, padding);
    double *zeros = zeros_new(e->inst->in[1]->shape.dim[3]), *out = e->out;
    struct map phi = map_of(e, 0, padding, zeros), psi = map_of(e, 1, padding, zeros);
    for (int64_t n = 0; n < y->dim[0]; n++, map_next_image(&phi), map_next_image(&psi))
        for (f.y = 0; f.y < y->dim[1]; f.y++)
            for (f.x = 0; f.x < y->dim[2]; f.x++)
                out = relate_pixel(e, &f, &phi, &psi, out);
    assert(out == e->out + shape_elements(y));
    free(zeros);
    return true;
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* What a nest stores: where phi and psi are both kept, each has a nest of its own. */
enum part { PART_PHI, PART_PSI, PART_BOTH };

static const struct expr *value_of(struct lowering *l, const struct relation_info *info,
                                   enum part part, const struct expr *phi, const struct expr *psi,
                                   struct var *channel)
{
    if (part != PART_BOTH)
        return part == PART_PHI ? phi : psi;
    const struct expr *value = expr_op2(l, info->scalar, phi, psi);
    return info->traits & SUMMED ? expr_reduce(l->m, SCALAR_sum, 1, &channel, value, NULL) : value;
}

/* The channel of the result, or the row and the channel, after the pixel in near->loops.index. */
static void index_result(struct lowering *l, const struct inst *inst, enum part part,
                         struct near *near, affine_ref pair, affine_ref channel)
{
    struct arena *arena = l->m->arena;
    const struct relation_info *info = info_of(inst);
    int64_t channels = shape_last(&inst->in[0]->shape), before = part == PART_PSI;
    affine_ref *index = &near->loops.index[3];
    if (!(info->traits & PATCHWISE)) {
        *index++ = pair;
        pair = index_zero(l);
    }
    *index =
        info->traits & SUMMED
            ? pair
            : affine_add(arena, affine_scale(arena, affine_offset(arena, pair, before), channels),
                         channel);
}

static void relation_nest(struct lowering *l, struct inst *inst, enum part part)
{
    struct arena *arena = l->m->arena;
    const struct relation_info *info = info_of(inst);
    int64_t k = inst->attr[SLOT_relation_footprint].integer;
    int64_t dilation = inst->attr[SLOT_relation_dilation].integer;
    bool once = part == PART_PHI && info->traits & PATCHWISE;
    struct kernel *kernel = lowering_kernel(l, inst);
    struct near near = near_loops(l, inst, once ? 1 : k, dilation);
    struct var *c = var_new(l->m, "c", shape_last(&inst->in[0]->shape));
    affine_ref left[3], pair = near.neighbour;
    memcpy(left, info->traits & ALL_PAIRS ? near.pixel : near.loops.index, sizeof left);
    if (info->traits & ALL_PAIRS) {
        struct var *ey = loop_over(l, &near.loops, "ey", k);
        struct var *ex = loop_over(l, &near.loops, "ex", k);
        near_at(l, &near, ey, ex, dilation);
        pair = affine_add(arena, affine_scale(arena, pair, k * k), near.neighbour);
    }
    if (!(info->traits & SUMMED))
        near.loops.var[near.loops.vars++] = c;
    const struct expr *phi = load_pixel(l, inst->in[0], left, index_of(l, c));
    const struct expr *psi = once ? NULL : load_pixel(l, inst->in[1], near.pixel, index_of(l, c));
    index_result(l, inst, part, &near, pair, index_of(l, c));
    finish_nest(l, kernel, &near.loops, lowering_buffer(l, inst),
                value_of(l, info, part, phi, psi, c));
}

void relation_lower(struct lowering *l, struct inst *inst)
{
    assert(inst->attr[SLOT_relation_padding].integer == padding_kind_valid);
    if (info_of(inst)->scalar != SCALAR_load) {
        relation_nest(l, inst, PART_BOTH);
    } else {
        relation_nest(l, inst, PART_PHI);
        relation_nest(l, inst, PART_PSI);
    }
}
