/* Compiles a model with its weights, loads it, runs it on one image, and compares it with the
 * evaluator. The bytes are the model's JSON, a zero, and numbers, which are repeated to make the
 * weights and the image. What compiles has to be right; where it cannot be compiled, the error must
 * blame the input, never the compiler. */
#include "backend.h"
#include "execute.h"
#include "fuzz.h"
#include "guarded.h"
#include "model_graph.h"
#include "passes.h"
#include "verify.h"
#include <math.h>
#include <string.h>

/* An input takes a fraction of a second, since larger ones are left out. */
enum {
    MOST_BLOCKS = 3,
    MOST_STAGES = 3,
    MOST_CHANNELS = 64,
    MOST_VALUES = 1 << 13,
    MOST_CLASSES = 100
};

/* Mistakes give errors of order 1; rounding errors depend on the network's condition. */
static const double LEAST_BOUND = 1e-3, TIMES_PLAIN = 1000;

static const char *const target[] = {"x86-64-v3"};

struct numbers {
    const uint8_t *byte;
    size_t count;
    double **value; /* of parameters, by instruction id */
    const struct module *graph;
};

static bool is_small(const struct model *model)
{
    int64_t pixels = (int64_t)model->height * model->width;
    int widest = model->stem_channels > model->channels ? model->stem_channels : model->channels;
    int blocks = 0;
    for (int i = 0; i < model->stages; i++) {
        const struct stage *stage = &model->stage[i];
        int channels = stage->channels;
        blocks += stage->blocks;
        if (stage->blocks &&
            (stage->attention.footprint > 7 || stage->attention.relation_channels > MOST_CHANNELS ||
             stage->attention.value_channels > MOST_CHANNELS))
            return false;
        widest = channels > widest ? channels : widest;
    }
    return blocks <= MOST_BLOCKS && model->stages <= MOST_STAGES && widest <= MOST_CHANNELS &&
           pixels * widest <= MOST_VALUES && model->classes <= MOST_CLASSES;
}

/* ---- weights and the image ------------------------------------------------------------------- */

/* Number i, from -1 to 1; some are subnormal in float32. */
static double number_at(const struct numbers *n, int64_t i)
{
    int byte = n->count ? n->byte[(size_t)i % n->count] : (int)(i * 37 % 256);
    return byte == 128 ? 1e-40 : byte == 129 ? -1e-42 : (double)(byte - 128) / 128;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Weights that neither let activations grow nor all outputs be almost 0. */
static double weight_at(const struct numbers *n, const char *name, const struct shape *shape,
                        int64_t i, int64_t seed)
{
    double value = number_at(n, seed + i);
    if (ends_with(name, ".running_var"))
        return 1 + value / 2;
    if (strcmp(name, "fc.bias") == 0)
        return copysign(2 + fabs(value), value);
    if (shape->rank == 1)
        return ends_with(name, ".weight") ? 1 + value / 2 : value / 4;
    return 1.5 * value / sqrt((double)(shape_elements(shape) / shape->dim[0]));
}

static void make_weights(struct numbers *n, const struct module *graph)
{
    int64_t seed = 0;
    n->graph = graph;
    n->value = allocate(graph->next_id + 1, sizeof *n->value);
    for (const struct inst *inst = graph->first; inst; inst = inst->next) {
        if (inst->op != OP_parameter)
            continue;
        int64_t count = shape_elements(&inst->shape);
        n->value[inst->id] = allocate(count, sizeof(double));
        for (int64_t i = 0; i < count; i++)
            n->value[inst->id][i] =
                (float)weight_at(n, inst->attr[SLOT_parameter_name].string, &inst->shape, i, seed);
        seed += 7 * count + 1; /* not the same again */
    }
}

static void free_weights(struct numbers *n)
{
    for (int i = 0; i <= n->graph->next_id; i++)
        free(n->value[i]);
    free(n->value);
}

static const double *find_weights(void *context, const char *name, const struct shape *shape)
{
    const struct numbers *n = context;
    for (const struct inst *inst = n->graph->first; inst; inst = inst->next)
        if (inst->op == OP_parameter && !strcmp(inst->attr[SLOT_parameter_name].string, name))
            return shape_elements(&inst->shape) == shape_elements(shape) ? n->value[inst->id]
                                                                         : NULL;
    return NULL;
}

/* The image; the last byte may break a pixel of it. True: it is all finite. */
static bool make_image(const struct numbers *n, double *image, int64_t count)
{
    int last = n->count ? n->byte[n->count - 1] : 0;
    for (int64_t i = 0; i < count; i++)
        image[i] = (float)number_at(n, 3 * i + 1);
    if (last < 253)
        return true;
    image[count / 2] = last == 253 ? NAN : last == 254 ? HUGE_VAL : -HUGE_VAL;
    return false;
}

/* ---- compiled -------------------------------------------------------------------------------- */

static bool runs_here(void)
{
    struct error error;
    const struct target *own = target_find(target[0], &error);
    return own && target_runs_here(own, precision_kind_f32, &error);
}

static void run(const struct san_model *model, const double *image, double *found)
{
    size_t each = (size_t)model->channels * model->height * model->width;
    struct guarded in = guarded_new(each * sizeof(float));
    struct guarded out = guarded_new(model->classes * sizeof(float));
    struct guarded workspace = guarded_new((size_t)model->workspace_bytes);
    for (size_t i = 0; i < each; i++)
        ((float *)in.data)[i] = (float)image[i];
    fuzz_expect(model->run(in.data, out.data, workspace.data, NULL) == SAN_OK);
    for (uint32_t i = 0; i < model->classes; i++)
        found[i] = (double)((float *)out.data)[i];
    guarded_free(&in);
    guarded_free(&out);
    guarded_free(&workspace);
}

/* False: it was refused, since a constant is not finite in float32. */
static bool compile_and_run(const struct model *model, const struct parameters *parameters,
                            const double *image, double *found)
{
    static const uint8_t sha256[32] = {1};
    static const struct backend_request request = {.kind = BACKEND_OBJECT};
    struct module *module = graph_from_model(model, 1, 1, 1, target);
    struct backend_file object = {0};
    struct backend_loaded *loaded = NULL;
    struct error error = {0};
    fuzz_expect(passes_run(module, NULL, NULL) == STATUS_DONE);
    bool good = backend_emit(module, parameters, sha256, &request, &object, &error);
    fuzz_expect(good || !module_check_constants(module, parameters, &error));
    if (good) {
        const struct san_model *compiled = backend_load(&object, module->name, &loaded, &error);
        fuzz_expect(compiled != NULL);
        if (runs_here())
            run(compiled, image, found);
        backend_unload(loaded);
    }
    free(object.data);
    module_free(module);
    return good && runs_here();
}

static void compare(const struct model *model, const struct module *graph, struct numbers *n)
{
    struct parameters parameters = {find_weights, n, NULL};
    int64_t each = (int64_t)model->channels * model->height * model->width,
            classes = model->classes;
    double *image = allocate(each, sizeof *image), *found = allocate(classes, sizeof *found);
    double *reference = allocate(classes, sizeof *found), *plain = allocate(classes, sizeof *found);
    bool finite = make_image(n, image, each);
    fuzz_expect(module_eval_graph(graph, &parameters, PRECISION_F64, image, reference));
    fuzz_expect(module_eval_graph(graph, &parameters, PRECISION_F32, image, plain));
    if (compile_and_run(model, &parameters, image, found)) {
        double bound = fmax(LEAST_BOUND, TIMES_PLAIN * relative_error(plain, reference, classes));
        for (int64_t i = 0; i < classes; i++)
            fuzz_expect(isnan(found[i]) == isnan(reference[i]));
        fuzz_expect(!finite || relative_error(found, reference, classes) <= bound);
    }
    free(image);
    free(found);
    free(reference);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t text = end ? (size_t)(end - data) : size;
    struct numbers numbers = {.byte = end ? end + 1 : NULL, .count = end ? size - text - 1 : 0};
    struct model model;
    if (model_parse("fuzz", (const char *)data, text, &model) != STATUS_DONE || !is_small(&model))
        return 0;
    struct module *graph = graph_from_model(&model, 1, 1, 0, NULL);
    make_weights(&numbers, graph);
    compare(&model, graph, &numbers);
    free_weights(&numbers);
    module_free(graph);
    return 0;
}
