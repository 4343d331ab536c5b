/* Weights and images for a model, made while its graph is evaluated: the statistics of a batch norm
 * are those of the values that reach it.
 *
 * Real numbers: activations stay of order one; a batch norm's scale may be negative or zero. Whole
 * numbers: a batch norm with the variance 1 - 1e-5 scales by exactly its weight; its mean shifts
 * values above a limit down to the limit, and the ReLU after it cuts off the rest. So numbers stay
 * small, and the sums of their absolute values are checked to fit float32 in any order. */
#include "execute.h"
#include "memory.h"
#include "op.h"
#include "random_model.h"
#include "verify.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const double EPS = 1e-5; /* of every batch norm */

/* How small the whole numbers are, from the first try to the last. */
static const struct grade {
    int limit;  /* what a ReLU lets through */
    int terms;  /* nonzero ones in a row of weights */
    int weight; /* the largest */
} grades[] = {{24, 4, 2}, {12, 4, 2}, {8, 3, 1}, {4, 3, 1}, {2, 2, 1}, {1, 1, 1}};

struct making {
    const struct random_model *m;
    struct values *values;
    double **of; /* by instruction id: what each computes */
    struct random random;
    const struct grade *grade; /* of whole numbers; else NULL */
    double largest;            /* sum of absolute values, in units of the last digit */
    double pixels;             /* after the mean: its divisor; else 1 */
};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static double rounded(const struct making *k, double value)
{
    return k->m->doubles ? value : (double)(float)value;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* Rows of few whole numbers. */
static void fill_rows(struct making *k, double *data, int64_t rows, int64_t columns)
{
    memset(data, 0, (size_t)(rows * columns) * sizeof *data);
    for (int64_t row = 0; row < rows; row++)
        for (int i = 0; i < k->grade->terms; i++) {
            int value = random_between(&k->random, 1, k->grade->weight);
            int64_t column = (int64_t)(random_next(&k->random) % (uint64_t)columns);
            data[row * columns + column] = random_chance(&k->random, 0.5) ? value : -value;
        }
}

static void fill_whole(struct making *k, const char *name, const struct shape *shape, double *data)
{
    if (shape->rank > 1) {
        fill_rows(k, data, shape->dim[0], shape_elements(shape) / shape->dim[0]);
        return;
    }
    for (int64_t i = 0; i < shape->dim[0]; i++) {
        int sign = random_chance(&k->random, 0.3) ? -1 : 1;
        data[i] = !ends_with(name, ".weight")       ? random_between(&k->random, -2, 2)
                  : random_chance(&k->random, 0.03) ? 0
                                                    : sign * random_between(&k->random, 1, 2);
    }
}

static void fill_real(struct making *k, const char *name, const struct shape *shape, double *data)
{
    int64_t count = shape_elements(shape);
    bool weight = ends_with(name, ".weight"), norm = weight && shape->rank == 1;
    double columns = (double)(count / shape->dim[0]);
    bool logits = strcmp(name, "fc.bias") == 0;
    double scale = logits ? 1 : norm || !weight ? 0.2 : sqrt(2 / columns);
    for (int64_t i = 0; i < count; i++) {
        double value = scale * random_normal(&k->random) + norm;
        if (norm && random_chance(&k->random, 0.15))
            value = -value;
        if (norm && random_chance(&k->random, 0.02))
            value = 0;
        if (logits && count < 7) /* few logits must not all be near 0: errors are relative */
            value = copysign(2 + fabs(value), value);
        data[i] = rounded(k, value);
    }
}

static double *parameter_new(struct making *k, const struct inst *inst)
{
    const char *name = inst->attr[SLOT_parameter_name].string;
    int64_t count = shape_elements(&inst->shape);
    double *data = allocate(count, sizeof(double));
    k->values->data[inst->id] = data;
    if (ends_with(name, ".running_mean") || ends_with(name, ".running_var"))
        for (int64_t i = 0; i < count; i++)
            data[i] =
                (double)i; /* until they are measured, the index, which says where each goes */
    else if (k->grade)
        fill_whole(k, name, &inst->shape, data);
    else
        fill_real(k, name, &inst->shape, data);
    return data;
}

static struct inst *parameter_of(struct inst *inst)
{
    while (inst->op != OP_parameter)
        inst = inst->in[0];
    return inst;
}

/* ---- statistics ------------------------------------------------------------------------------ */

/* Chooses the shift that moves the largest of `sign` x to a random place in [1, limit] before the
 * ReLU. */
static void settle_whole(struct making *k, const double *x, int64_t count, int64_t stride,
                         double weight, double bias, double *mean)
{
    double top = -HUGE_VAL;
    for (int64_t i = 0; i < count; i++)
        top = fmax(top, weight * x[i * stride]);
    double limit = k->grade->limit,
           wanted = top > limit || top < 1 ? random_between(&k->random, 1, (int)limit) : top;
    *mean = weight == 0 ? 0 : floor((top + bias - wanted) / weight);
}

/* Close to measured statistics, but with a mean nearer to 0 and a variance that is not small: where
 * a channel hardly varies, as on a small map, a batch norm would magnify rounding errors. */
static void settle_real(struct making *k, const double *x, int64_t count, int64_t stride,
                        double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i * stride];
    double shift = sum / (double)count * (0.8 * random_unit(&k->random) - 0.2);
    for (int64_t i = 0; i < count; i++)
        squares += (x[i * stride] - shift) * (x[i * stride] - shift);
    double spread = squares / (double)count + 0.1;
    *variance = rounded(k, spread * (1 + 0.1 * random_unit(&k->random)));
    *mean = rounded(k, shift + 0.1 * random_normal(&k->random) * sqrt(spread));
}

static void settle_norm(struct making *k, const struct inst *norm)
{
    int64_t channels = norm->in[1]->shape.dim[0];
    int64_t count = shape_elements(&norm->shape) / channels;
    double *mean = k->of[norm->in[3]->id], *variance = k->of[norm->in[4]->id];
    double *means = k->values->data[parameter_of(norm->in[3])->id];
    double *variances = k->values->data[parameter_of(norm->in[4])->id];
    for (int64_t c = 0; c < channels; c++) {
        const double *x = k->of[norm->in[0]->id] + c;
        int64_t at = (int64_t)mean[c];
        if (k->grade) {
            settle_whole(k, x, count, channels, k->of[norm->in[1]->id][c],
                         k->of[norm->in[2]->id][c], &mean[c]);
            variance[c] = 1 - EPS;
        } else {
            settle_real(k, x, count, channels, &mean[c], &variance[c]);
        }
        means[at] = mean[c];
        variances[at] = variance[c];
    }
}

/* ---- sums ------------------------------------------------------------------------------------ */

static double largest_of(const double *data, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(data[i]));
    return largest;
}

/* The largest sum of absolute values in an instruction, which bounds its partial sums in any order.
 */
static double largest_sum(struct making *k, const struct inst *inst, const struct eval *e)
{
    double *absolute[MAX_INPUTS], sum = 0;
    struct eval own = *e;
    if (!has(inst, PRODUCT) && inst->op != OP_relation && inst->op != OP_aggregate) {
        for (int i = 0; i < inst->inputs; i++)
            sum += largest_of(e->in[i], shape_elements(&inst->in[i]->shape));
        return inst->op == OP_batch_norm ? 4 * sum : sum; /* times a scale of at most 2 */
    }
    for (int i = 0; i < inst->inputs; i++) {
        int64_t count = shape_elements(&inst->in[i]->shape);
        own.in[i] = absolute[i] = allocate(count, sizeof(double));
        for (int64_t j = 0; j < count; j++)
            absolute[i][j] = fabs(e->in[i][j]);
        sum = fmax(sum, largest_of(e->in[i], count));
    }
    int64_t count = shape_elements(&inst->shape);
    own.out = allocate(count, sizeof(double));
    inst_eval(&own);
    sum = fmax(2 * sum, largest_of(own.out, count));
    free(own.out);
    for (int i = 0; i < inst->inputs; i++)
        free(absolute[i]);
    return sum * k->pixels;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void run_inst(struct making *k, const struct inst *inst)
{
    struct eval e = {
        .inst = inst, .image = k->values->images, .parameters = &k->values->parameters};
    if (inst->op == OP_parameter)
        parameter_new(k, inst);
    if (inst->op == OP_batch_norm)
        settle_norm(k, inst);
    for (int i = 0; i < inst->inputs; i++)
        e.in[i] = k->of[inst->in[i]->id];
    e.out = k->of[inst->id] = allocate(shape_elements(&inst->shape), sizeof(double));
    inst_eval(&e);
    if (!k->grade)
        return;
    if (!inst_is_constant(inst))
        k->largest = fmax(k->largest, largest_sum(k, inst, &e));
    if (inst->op == OP_mean) {
        const struct shape *map = &inst->in[0]->shape;
        k->pixels = (double)(map->dim[1] * map->dim[2]);
        k->largest = fmax(k->largest, k->pixels * largest_of(e.in[0], shape_elements(map)));
    }
}

static const double *find_value(void *context, const char *name, const struct shape *shape)
{
    const struct values *values = context;
    for (const struct inst *inst = values->graph->first; inst; inst = inst->next)
        if (inst->op == OP_parameter && !strcmp(inst->attr[SLOT_parameter_name].string, name))
            return shape_elements(&inst->shape) == shape_elements(shape) ? values->data[inst->id]
                                                                         : NULL;
    return NULL;
}

static double *whole_images(struct random *r, int64_t count)
{
    double *images = allocate(count, sizeof(double));
    for (int64_t i = 0; i < count; i++)
        images[i] = random_between(r, -3, 3);
    return images;
}

/* One try. The limit leaves room for scales folded into weights: 2 for each of two batch norms. */
static bool make_once(struct values *values, const struct random_model *m,
                      const struct grade *grade)
{
    static const double MOST = 1 << 22;
    const struct model *model = &m->model;
    *values = (struct values){.parameters = {find_value, values, NULL}};
    values->graph = graph_from_model(model, m->batch, m->threads, 0, NULL);
    size_t count = (size_t)values->graph->next_id + 1;
    struct making k = {m, values, calloc(count, sizeof(double *)), random_from(m->seed, 1), grade,
                       0, 1};
    values->data = calloc(count, sizeof *values->data);
    values->images = grade ? whole_images(&k.random, (int64_t)m->batch * model->channels *
                                                         model->height * model->width)
                           : random_input(values->graph, m->seed, m->batch);
    if (!k.of || !values->data || !values->images)
        abort();
    for (const struct inst *inst = values->graph->first; inst; inst = inst->next)
        run_inst(&k, inst);
    for (size_t i = 0; i < count; i++)
        free(k.of[i]);
    free(k.of);
    return !grade || k.largest < MOST;
}

bool values_make(struct values *values, const struct random_model *m)
{
    if (!m->exact)
        return make_once(values, m, NULL);
    for (size_t i = 0; i < sizeof grades / sizeof *grades; i++) {
        if (i)
            values_free(values);
        if (make_once(values, m, &grades[i]))
            return true;
    }
    return false;
}

void values_free(struct values *values)
{
    for (int i = 0; values->data && i <= values->graph->next_id; i++)
        free(values->data[i]);
    free(values->data);
    free(values->images);
    module_free(values->graph);
    *values = (struct values){0};
}
