/* What the ops on feature maps (n, h, w, c) compute: pooling, borders, footprints, softmax. */
#include "eval.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool max_pool_eval(const struct eval *e)
{
    int64_t size = e->inst->attr[SLOT_max_pool_size].integer;
    const struct shape *x = &e->inst->in[0]->shape, *y = &e->inst->shape;
    int64_t channels = x->dim[3];
    double *out = e->out;
    for (int64_t pixel = 0; pixel < y->dim[0] * y->dim[1] * y->dim[2]; pixel++) {
        int64_t column = pixel % y->dim[2], row = pixel / y->dim[2] % y->dim[1];
        int64_t image = pixel / (y->dim[2] * y->dim[1]);
        int64_t corner = (image * x->dim[1] + row * size) * x->dim[2] + column * size;
        for (int64_t c = 0; c < channels; c++) {
            double top = -HUGE_VAL;
            for (int64_t i = 0; i < size; i++)
                for (int64_t j = 0; j < size; j++)
                    top = scalar_max(top, e->in[0][(corner + i * x->dim[2] + j) * channels + c]);
            *out++ = top;
        }
    }
    return true;
}

bool mean_eval(const struct eval *e)
{
    const struct shape *x = &e->inst->in[0]->shape;
    int64_t channels = x->dim[3], pixels = x->dim[1] * x->dim[2];
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t c = 0; c < channels; c++) {
            const double *in = e->in[0] + n * pixels * channels + c;
            double sum = 0;
            for (int64_t i = 0; i < pixels; i++)
                sum = eval_round(e, sum + in[i * channels]);
            e->out[n * channels + c] = eval_round(e, sum / (double)pixels);
        }
    return true;
}

bool softmax_eval(const struct eval *e)
{
    const struct shape *x = &e->inst->shape;
    int axis = (int)e->inst->attr[SLOT_softmax_axis].integer;
    int64_t count = x->dim[axis], inner = 1;
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    for (int64_t i = 0; i < shape_elements(x) / count; i++) {
        int64_t first = i / inner * inner * count + i % inner;
        const double *in = e->in[0] + first;
        double *out = e->out + first, top = -HUGE_VAL, sum = 0;
        for (int64_t j = 0; j < count; j++)
            top = scalar_max(top, in[j * inner]);
        for (int64_t j = 0; j < count; j++) {
            out[j * inner] = eval_round(e, exp(eval_round(e, in[j * inner] - top)));
            sum = eval_round(e, sum + out[j * inner]);
        }
        for (int64_t j = 0; j < count; j++)
            out[j * inner] = eval_round(e, out[j * inner] / sum);
    }
    return true;
}

/* ---- borders --------------------------------------------------------------------------------- */

/* A map of one image, read at pixels that may lie outside of it. */
struct map {
    const double *data;
    int64_t height, width, channels;
    int64_t padding; /* padding_kind_reflect or _zero */
    const double *zeros;
};

static int64_t reflect(int64_t i, int64_t count)
{
    return i < 0 ? -i : i >= count ? 2 * (count - 1) - i : i;
}

/* The channels of a pixel. */
static const double *map_at(const struct map *map, int64_t y, int64_t x)
{
    if (map->padding == padding_kind_reflect) {
        y = reflect(y, map->height);
        x = reflect(x, map->width);
    }
    if (y < 0 || y >= map->height || x < 0 || x >= map->width) {
        assert(map->padding == padding_kind_zero);
        return map->zeros;
    }
    return map->data + (y * map->width + x) * map->channels;
}

static double *zeros_new(int64_t count)
{
    double *zeros = allocate(count, sizeof(double));
    memset(zeros, 0, (size_t)count * sizeof *zeros);
    return zeros;
}

static struct map map_of(const struct eval *e, int input, int64_t padding, const double *zeros)
{
    const struct shape *x = &e->inst->in[input]->shape;
    return (struct map){e->in[input], x->dim[1], x->dim[2], x->dim[3], padding, zeros};
}

static void map_next_image(struct map *map)
{
    map->data += map->height * map->width * map->channels;
}

bool pad_eval(const struct eval *e)
{
    int64_t size = e->inst->attr[SLOT_pad_size].integer;
    const struct shape *y = &e->inst->shape;
    double *zeros = zeros_new(y->dim[3]), *out = e->out;
    struct map map = map_of(e, 0, e->inst->attr[SLOT_pad_padding].integer, zeros);
    for (int64_t n = 0; n < y->dim[0]; n++, map_next_image(&map))
        for (int64_t i = 0; i < y->dim[1]; i++)
            for (int64_t j = 0; j < y->dim[2]; j++, out += map.channels)
                memcpy(out, map_at(&map, i - size, j - size), (size_t)map.channels * sizeof *out);
    free(zeros);
    return true;
}

/* ---- footprints ------------------------------------------------------------------------------ */

/* One pixel and its neighbours. */
struct footprint {
    int64_t size, dilation;
    int64_t border; /* that an operand read by neighbours carries already */
    int64_t y, x;
};

static struct footprint footprint_new(int64_t size, int64_t dilation, int64_t padding)
{
    int64_t border = padding == padding_kind_valid ? dilation * (size - 1) / 2 : 0;
    return (struct footprint){size, dilation, border, 0, 0};
}

static int64_t footprint_count(const struct footprint *f)
{
    return f->size * f->size;
}

/* The channels of neighbour j. */
static const double *footprint_at(const struct footprint *f, const struct map *map, int64_t j)
{
    int64_t middle = (f->size - 1) / 2;
    return map_at(map, f->y + f->border + (j / f->size - middle) * f->dilation,
                  f->x + f->border + (j % f->size - middle) * f->dilation);
}

static double dot(const struct eval *e, int64_t count, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum = eval_round(e, sum + eval_round(e, a[i] * b[i]));
    return sum;
}

static double *append(double *out, int64_t count, const double *from)
{
    memcpy(out, from, (size_t)count * sizeof *out);
    return out + count;
}

/* Of phi_i, or phi_j in a clique, and psi_j; what follows it in `out`. */
static double *relate(const struct eval *e, int64_t channels, const double *phi, const double *psi,
                      double *out)
{
    switch (e->inst->attr[SLOT_relation_kind].integer) {
    case relation_kind_subtraction:
        for (int64_t c = 0; c < channels; c++)
            *out++ = eval_round(e, phi[c] - psi[c]);
        return out;
    case relation_kind_summation:
        for (int64_t c = 0; c < channels; c++)
            *out++ = eval_round(e, phi[c] + psi[c]);
        return out;
    case relation_kind_hadamard:
        for (int64_t c = 0; c < channels; c++)
            *out++ = eval_round(e, phi[c] * psi[c]);
        return out;
    case relation_kind_concatenation:
        return append(append(out, channels, phi), channels, psi);
    case relation_kind_patch_concatenation:
        return append(out, channels, psi);
    default:
        *out = dot(e, channels, phi, psi);
        return out + 1;
    }
}

static double *relate_pixel(const struct eval *e, const struct footprint *f, const struct map *phi,
                            const struct map *psi, double *out)
{
    int64_t kind = e->inst->attr[SLOT_relation_kind].integer, count = footprint_count(f);
    if (kind == relation_kind_clique) {
        for (int64_t j = 0; j < count; j++)
            for (int64_t l = 0; l < count; l++)
                out =
                    relate(e, psi->channels, footprint_at(f, phi, j), footprint_at(f, psi, l), out);
        return out;
    }
    const double *centre = map_at(phi, f->y, f->x);
    if (kind == relation_kind_patch_concatenation)
        out = append(out, phi->channels, centre);
    for (int64_t j = 0; j < count; j++)
        out = relate(e, psi->channels, centre, footprint_at(f, psi, j), out);
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

/* out[c] = sum_j weight[j][c mod m] beta_j[c] */
static void aggregate_pixel(const struct eval *e, const struct footprint *f, int64_t m,
                            const double *weight, const struct map *beta, double *out)
{
    memset(out, 0, (size_t)beta->channels * sizeof *out);
    for (int64_t j = 0; j < footprint_count(f); j++, weight += m) {
        const double *near = footprint_at(f, beta, j);
        for (int64_t c = 0; c < beta->channels; c++)
            out[c] = eval_round(e, out[c] + eval_round(e, weight[c % m] * near[c]));
    }
}

bool aggregate_eval(const struct eval *e)
{
    const struct shape *y = &e->inst->shape;
    int64_t padding = e->inst->attr[SLOT_aggregate_padding].integer;
    int64_t m = e->inst->in[0]->shape.dim[4];
    struct footprint f = footprint_new(e->inst->attr[SLOT_aggregate_footprint].integer,
                                       e->inst->attr[SLOT_aggregate_dilation].integer, padding);
    double *zeros = zeros_new(y->dim[3]), *out = e->out;
    const double *weight = e->in[0];
    struct map beta = map_of(e, 1, padding, zeros);
    for (int64_t n = 0; n < y->dim[0]; n++, map_next_image(&beta))
        for (f.y = 0; f.y < y->dim[1]; f.y++)
            for (f.x = 0; f.x < y->dim[2]; f.x++) {
                aggregate_pixel(e, &f, m, weight, &beta, out);
                weight += footprint_count(&f) * m;
                out += y->dim[3];
            }
    free(zeros);
    return true;
}
