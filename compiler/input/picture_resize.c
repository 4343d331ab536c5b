/* Bilinear with antialiasing, in fixed point, the width first, rounding to bytes after each pass:
 * what PIL does (Resample.c), number by number. Its late versions begin with the height where that
 * is more than twice the width; then some bytes differ by one.
 *
 *   out[i] = sum of weight[i][k] * in[first[i] + k],  a triangle around the centre of i, as wide as
 *                                                     an output pixel or, enlarging, an input pixel
 */
#include "memory.h"
#include "picture.h"
#include <math.h>
#include <stdlib.h>

enum { FRACTION_BITS = 22 };

/* One direction: the inputs of each output, and their weights. */
struct resampling {
    int outputs, taps; /* room for each output's weights */
    int *first, *count;
    int32_t *weight; /* [output][tap] */
};

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static void set_weights(struct resampling *r, int i, double centre, double reach, double *weight)
{
    double sum = 0;
    for (int k = 0; k < r->count[i]; k++) {
        weight[k] = triangle((k + r->first[i] - centre + 0.5) * (1 / reach));
        sum += weight[k];
    }
    for (int k = 0; k < r->count[i]; k++) {
        double share = sum != 0 ? weight[k] / sum : weight[k];
        r->weight[(int64_t)i * r->taps + k] = (int32_t)(0.5 + share * (1 << FRACTION_BITS));
    }
}

static struct resampling resampling_new(int inputs, int outputs)
{
    double scale = (double)inputs / outputs, reach = scale < 1 ? 1 : scale;
    struct resampling r = {.outputs = outputs, .taps = (int)ceil(reach) * 2 + 1};
    r.first = allocate(outputs, sizeof *r.first);
    r.count = allocate(outputs, sizeof *r.count);
    r.weight = allocate((int64_t)outputs * r.taps, sizeof *r.weight);
    double *weight = allocate(r.taps, sizeof *weight);
    for (int i = 0; i < outputs; i++) {
        double centre = (i + 0.5) * scale;
        int first = (int)(centre - reach + 0.5), end = (int)(centre + reach + 0.5);
        r.first[i] = first < 0 ? 0 : first;
        r.count[i] = (end > inputs ? inputs : end) - r.first[i];
        set_weights(&r, i, centre, reach, weight);
    }
    free(weight);
    return r;
}

static void resampling_free(struct resampling *r)
{
    free(r->first);
    free(r->count);
    free(r->weight);
}

/* A line of outputs, each of `step` bytes' distance, from inputs of the same distance. */
static void resample(const struct resampling *r, const uint8_t *from, uint8_t *to, int64_t step)
{
    for (int i = 0; i < r->outputs; i++) {
        int32_t sum = 1 << (FRACTION_BITS - 1);
        const int32_t *weight = r->weight + (int64_t)i * r->taps;
        for (int k = 0; k < r->count[i]; k++)
            sum += from[(r->first[i] + k) * step] * weight[k];
        int32_t value = sum >> FRACTION_BITS;
        to[i * step] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static void resize_width(struct picture *picture, int width)
{
    int channels = picture->channels;
    struct resampling r = resampling_new(picture->width, width);
    uint8_t *to = allocate((int64_t)width * picture->height * channels, 1);
    for (int64_t y = 0; y < picture->height; y++)
        for (int c = 0; c < channels; c++)
            resample(&r, picture->data + y * picture->width * channels + c,
                     to + y * width * channels + c, channels);
    resampling_free(&r);
    free(picture->data);
    picture->data = to;
    picture->width = width;
}

static void resize_height(struct picture *picture, int height)
{
    int64_t row = (int64_t)picture->width * picture->channels;
    struct resampling r = resampling_new(picture->height, height);
    uint8_t *to = allocate(row * height, 1);
    for (int64_t x = 0; x < row; x++)
        resample(&r, picture->data + x, to + x, row);
    resampling_free(&r);
    free(picture->data);
    picture->data = to;
    picture->height = height;
}

void picture_resize(struct picture *picture, int size)
{
    int64_t width = picture->width, height = picture->height;
    int64_t shorter = width < height ? width : height, longer = width < height ? height : width;
    int other = (int)((double)(size * longer) / (double)shorter);
    int new_width = width <= height ? size : other, new_height = width <= height ? other : size;
    if (new_width != width)
        resize_width(picture, new_width);
    if (new_height != height)
        resize_height(picture, new_height);
}
