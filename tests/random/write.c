/* A random model as files. */
#define _GNU_SOURCE /* asprintf */
#include "execute.h"
#include "model_write.h"
#include "op.h"
#include "random_model.h"
#include "verify.h"
#include "weights.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { IMAGES = 8 };

static char *path_of(const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

static bool write_json(const struct model *model, const char *folder)
{
    char *path = path_of(folder, "model.json");
    FILE *file = fopen(path, "w");
    free(path);
    if (!file)
        return false;
    model_write_json(model, file);
    return fclose(file) == 0;
}

static bool write_weights(const struct random_model *m, const struct values *values,
                          const char *folder)
{
    size_t count;
    struct arena *arena = arena_new();
    struct tensor_need *needs = graph_parameters(&m->model, arena, &count);
    struct tensor_data *tensors = arena_alloc(arena, count * sizeof *tensors);
    for (size_t i = 0; needs && i < count; i++) {
        struct shape shape = {needs[i].rank, {0}};
        memcpy(shape.dim, needs[i].dim, sizeof shape.dim);
        tensors[i] = (struct tensor_data){.name = needs[i].name, .rank = shape.rank};
        memcpy(tensors[i].dim, shape.dim, sizeof shape.dim);
        tensors[i].wide =
            values->parameters.find(values->parameters.context, needs[i].name, &shape);
    }
    char *path = path_of(folder, "weights.safetensors");
    bool good = needs && weights_write(path, tensors, count) == STATUS_DONE;
    free(path);
    free(needs);
    arena_free(arena);
    return good;
}

/* The model's own images where it is exact, since only these are known to be; else as many as are
 * wanted. */
static bool write_images(const struct random_model *m, const struct values *values,
                         const char *folder)
{
    const struct model *model = &m->model;
    int count = m->exact ? m->batch : IMAGES, classes = model->classes;
    double *images = values->images, *result = allocate(count * classes, sizeof *result);
    double *single = allocate(count * classes, sizeof *single);
    struct module *graph = graph_from_model(model, count, 1, 0, NULL);
    struct shape shape = module_input_shape(graph);
    const int64_t *dim = shape.dim;
    if (!m->exact)
        images = random_input(graph, m->seed, count);
    bool good = module_eval_graph(graph, &values->parameters, PRECISION_F64, images, result) &&
                module_eval_graph(graph, &values->parameters, PRECISION_F32, images, single);
    module_free(graph);
    struct tensor_data tensors[] = {{"input", NULL, 4, {dim[0], dim[1], dim[2], dim[3]}, images},
                                    {"output", NULL, 2, {count, classes}, result},
                                    {"single", NULL, 2, {count, classes}, single}};
    char *path = path_of(folder, "io.safetensors");
    good = good && weights_write(path, tensors, 3) == STATUS_DONE;
    free(path);
    free(result);
    free(single);
    if (!m->exact)
        free(images);
    return good;
}

bool random_model_write(const struct random_model *asked, const char *folder, int number)
{
    struct random_model m = *asked;
    m.model.input_type = IMAGE_F32; /* whose images other tests change */
    struct values values;
    char name[32];
    if (!values_make(&values, &m)) { /* grow too large to be exact: real ones then */
        values_free(&values);
        m.exact = false;
        values_make(&values, &m);
    }
    snprintf(name, sizeof name, "%s_%d", m.exact ? "exact" : "real", number);
    char *own = path_of(folder, name);
    bool good = (mkdir(own, 0777) == 0 || errno == EEXIST) && write_json(&m.model, own) &&
                write_weights(&m, &values, own) && write_images(&m, &values, own);
    if (!good)
        fprintf(stderr, "%s: not written\n", own);
    free(own);
    values_free(&values);
    return good;
}
