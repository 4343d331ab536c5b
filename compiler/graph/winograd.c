/* %2 = convolution %1, %w, %b { size = 3, stride = 1, padding = 0 } : f32[1, 56, 56, 64]
 * =>
 * %v = concat (sums of four pixels of a window of %1, for 16 places) : f32[1, 28, 28, 1024]
 * %m = grouped_linear %v, (weights of all places) { groups = 16 } : f32[1, 28, 28, 1024]
 * %2 = add (linear %m, %signs), %b, its four numbers as pixels : f32[1, 56, 56, 64]
 *
 * Winograd's F(2x2, 3x3), after Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2015: four pixels of the result come from a window d of 4 x 4 pixels by 16 products for each pair
 * of channels instead of 36,
 *
 *   A' ((G g G') . (B' d B)) A
 *
 *        1  0 -1  0         1    0    0          1  1  1  0
 *   B' = 0  1  1  0    G = 1/2  1/2  1/2    A' = 0  1 -1 -1
 *        0 -1  1  0        1/2 -1/2  1/2
 *        0  1  0 -1         0    0    1
 *
 * The weights G g G' are constant, so they are computed in float64 and rounded once. The products of
 * a place, summed over channels, are a linear, and those of all places a grouped one.
 *
 * Needs even height and width. Done where there are enough channels that the products take most of
 * the time, and enough windows in an image that it does not wait for the weights, which are 16 / 9 as
 * many. Rounded operands would lose more digits, so they stay; so do convolutions of GPUs.
 * Requires: no padding (pad_borders). */
#include "make.h"
#include "target.h"
#include "tidy.h"

pass_function winograd;

/* The window's lines and columns, and the places along either; the weights' and the result's. */
enum { WINDOW = 4, PLACES = WINDOW * WINDOW, WEIGHTS = 3, RESULT = 2 };
enum { LEAST_CHANNELS = 16, LEAST_WINDOWS = 6 };

/* The convolution at hand. */
struct transform {
    struct builder b;
    struct inst *x, *w;
    int64_t images, height, width; /* of windows */
    int64_t channels, results;
};

static struct inst *matrix(struct builder *b, int64_t rows, int64_t columns, const double *value)
{
    struct inst *in[MAX_INPUTS];
    int count = (int)(rows * columns);
    for (int i = 0; i < count; i++) {
        in[i] = NULL;
        for (int j = 0; j < i && !in[i]; j++)
            in[i] = value[j] == value[i] ? in[j] : NULL;
        if (!in[i])
            in[i] = make_fill(b, value[i], SHAPE(1));
    }
    return make_reshape(b, make_concat(b, 0, count, in), SHAPE(rows, columns));
}

/* G g G', (places c, N), of weights (9 c, N). */
static struct inst *weights_of_places(struct transform *t)
{
    static const double g[WEIGHTS * WINDOW] = {1, 0.5, 0.5, 0, 0, 0.5, -0.5, 0, 0, 0.5, 0.5, 1};
    struct builder *b = &t->b;
    struct inst *by = matrix(b, WEIGHTS, WINDOW, g);
    struct inst *w = make_reshape(b, t->w, SHAPE(WEIGHTS, WEIGHTS, t->channels, t->results));
    w = make_linear(b, make_transpose(b, w, SHAPE(2, 3, 0, 1)), by, NULL);
    w = make_linear(b, make_transpose(b, w, SHAPE(0, 1, 3, 2)), by, NULL);
    w = make_transpose(b, w, SHAPE(3, 2, 0, 1));
    return make_reshape(b, w, SHAPE(PLACES * t->channels, t->results));
}

/* Lines (axis 1) or columns (axis 3) number `at` of all windows, which are two apart; x is
 * (n, lines / 2, 2, columns / 2, 2, c). */
static struct inst *every_other(struct builder *b, struct inst *x, int axis, int64_t at)
{
    int64_t first = at / 2, windows = x->shape.dim[axis] - 1;
    x = make_slice(b, x, axis + 1, at % 2, at % 2 + 1);
    return make_slice(b, x, axis, first, first + windows);
}

/* Pixel (i, j) of all windows, (n, h, w, c) each. */
static void window_pixels(struct transform *t, struct inst *pixel[WINDOW][WINDOW])
{
    struct builder *b = &t->b;
    struct inst *x =
        make_reshape(b, t->x, SHAPE(t->images, t->height + 1, 2, t->width + 1, 2, t->channels));
    for (int i = 0; i < WINDOW; i++) {
        struct inst *line = every_other(b, x, 1, i);
        for (int j = 0; j < WINDOW; j++)
            pixel[i][j] = make_reshape(b, every_other(b, line, 3, j),
                                       SHAPE(t->images, t->height, t->width, t->channels));
    }
}

/* A row of B': an element, and another one that is added or subtracted. */
static const struct {
    int first, second;
    enum op op;
} row_of[WINDOW] = {{0, 2, OP_sub}, {1, 2, OP_add}, {2, 1, OP_sub}, {1, 3, OP_sub}};

/* B' d B, (n, h, w, places c). */
static struct inst *windows(struct transform *t)
{
    struct builder *b = &t->b;
    struct inst *pixel[WINDOW][WINDOW], *place[PLACES];
    window_pixels(t, pixel);
    for (int i = 0; i < PLACES; i++) {
        int y = i / WINDOW, x = i % WINDOW, left = row_of[x].first, right = row_of[x].second;
        struct inst **top = pixel[row_of[y].first], **bottom = pixel[row_of[y].second];
        struct inst *upper = make_2(b, row_of[x].op, top[left], top[right]);
        struct inst *lower = make_2(b, row_of[x].op, bottom[left], bottom[right]);
        place[i] = make_2(b, row_of[y].op, upper, lower);
    }
    return make_concat(b, 3, PLACES, place);
}

/* A' m A, as pixels (n, 2 h, 2 w, N). */
static struct inst *map_of(struct transform *t, struct inst *m)
{
    static const double a[WINDOW * RESULT] = {1, 0, 1, 1, 1, -1, 0, -1};
    struct builder *b = &t->b;
    struct inst *by = matrix(b, WINDOW, RESULT, a);
    struct inst *lines = make_reshape(b, by, SHAPE(WINDOW, 1, RESULT, 1));
    struct inst *columns = make_reshape(b, by, SHAPE(1, WINDOW, 1, RESULT));
    struct inst *signs =
        make_reshape(b, make_2(b, OP_mul, lines, columns), SHAPE(PLACES, RESULT * RESULT));
    m = make_reshape(b, m, SHAPE(t->images, t->height, t->width, PLACES, t->results));
    struct inst *y = make_linear(b, make_transpose(b, m, SHAPE(0, 1, 2, 4, 3)), signs, NULL);
    y = make_reshape(b, y, SHAPE(t->images, t->height, t->width, t->results, RESULT, RESULT));
    y = make_transpose(b, y, SHAPE(0, 1, 4, 2, 5, 3));
    return make_reshape(b, y, SHAPE(t->images, RESULT * t->height, RESULT * t->width, t->results));
}

static struct inst *transformed(struct module *m, struct inst *convolution)
{
    const struct shape *y = &convolution->shape;
    struct transform t = {.b = {m, convolution, convolution->label},
                          .x = convolution->in[0],
                          .w = convolution->in[1],
                          .images = y->dim[0],
                          .height = y->dim[1] / RESULT,
                          .width = y->dim[2] / RESULT,
                          .channels = last_dim(convolution->in[0]),
                          .results = last_dim(convolution)};
    struct inst *weights = weights_of_places(&t);
    struct inst *in[] = {windows(&t), weights};
    struct inst *products = make(&t.b, OP_grouped_linear, &(union attr){.integer = PLACES}, 2, in);
    struct inst *map = map_of(&t, products);
    return convolution->inputs == 3 ? make_2(&t.b, OP_add, map, convolution->in[2]) : map;
}

static bool pays(const struct inst *inst)
{
    const union attr *a = inst->attr;
    const struct shape *y = &inst->shape;
    return inst->op == OP_convolution && a[SLOT_convolution_size].integer == WEIGHTS &&
           a[SLOT_convolution_stride].integer == 1 && !a[SLOT_convolution_padding].integer &&
           y->dim[1] % RESULT == 0 && y->dim[2] % RESULT == 0 &&
           y->dim[1] * y->dim[2] >= LEAST_WINDOWS * RESULT * RESULT &&
           inst_is_constant(inst->in[1]) && last_dim(inst->in[0]) >= LEAST_CHANNELS &&
           last_dim(inst) >= LEAST_CHANNELS;
}

static bool for_processors(const struct module *m)
{
    bool all = true;
    for (int i = 0; i < m->targets; i++)
        all &= !target_is_gpu(m->target[i]);
    return all;
}

int winograd(struct module *m)
{
    int changes = 0;
    if (m->precision != precision_kind_f32 || !for_processors(m))
        return 0;
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        if (inst_is_constant(inst) || !pays(inst))
            continue;
        inst_replace_uses(m, inst, transformed(m, inst));
        changes++;
    }
    graph_tidy(m);
    return changes;
}
