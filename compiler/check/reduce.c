#include "reduce.h"
#include "execute.h"
#include "file.h"
#include "memory.h"
#include "model_graph.h"
#include "model_shrink.h"
#include "model_write.h"
#include "progress.h"
#include "weights.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- models ---------------------------------------------------------------------------------- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct model model_reduce(const struct model *model, model_predicate *fails, void *context,
                          double seconds)
{
    struct model best = *model;
    double end = seconds_now() + seconds;
    int tried = 0, kept = 0;
    bool changed = true;
    while (changed) {
        changed = false;
        for (int i = 0; i < model_changes(&best) && seconds_now() < end; i++) {
            if (progress_due())
                progress_show("reducing: %.0f of at most %.0f s, %d models tried, %d times smaller",
                              seconds - (end - seconds_now()), seconds, tried, kept);
            struct model next = best;
            model_change(&next, i);
            if (model_equal(&next, &best) || !model_valid(&next))
                continue;
            tried++;
            if (!fails(context, &next))
                continue;
            kept++;
            best = next;
            changed = true;
        }
    }
    return best;
}

/* ---- weights --------------------------------------------------------------------------------- */

struct drawn_tensor {
    const char *name;
    int64_t elements;
    double *value;
    struct drawn_tensor *next;
};

struct drawn {
    struct arena *arena;
    struct drawn_tensor *tensors;
};

struct drawn *drawn_new(void)
{
    struct arena *arena = arena_new();
    struct drawn *drawn = ARENA_NEW(arena, struct drawn);
    drawn->arena = arena;
    return drawn;
}

void drawn_free(struct drawn *drawn)
{
    if (drawn)
        arena_free(drawn->arena);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* In [-1, 1), by SplitMix64 (Steele, Lea and Flood). */
static double draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)(int64_t)(z ^ z >> 31) * 0x1p-63;
}

static void fill(double *value, const char *name, const struct shape *shape)
{
    int64_t elements = shape_elements(shape);
    bool variance = ends_with(name, ".running_var"), vector = shape->rank == 1;
    bool scale = vector && ends_with(name, ".weight");
    double middle = variance || scale ? 1 : 0, spread = 0.3;
    if (!vector) /* a variance of 2 / inputs: it makes up for the ReLUs */
        spread = sqrt(6 * (double)shape->dim[0] / (double)elements);
    uint64_t state = 0;
    for (const char *c = name; *c; c++)
        state = state * 33 + (unsigned char)*c;
    for (int64_t i = 0; i < elements; i++) {
        value[i] = (float)(middle + spread * draw(&state));
        if (scale && draw(&state) < -0.75)
            value[i] = -value[i];
    }
}

static const double *find_drawn(void *context, const char *name, const struct shape *shape)
{
    struct drawn *drawn = context;
    int64_t elements = shape_elements(shape);
    for (struct drawn_tensor *t = drawn->tensors; t; t = t->next)
        if (t->elements == elements && strcmp(t->name, name) == 0)
            return t->value;
    struct drawn_tensor *tensor = ARENA_NEW(drawn->arena, struct drawn_tensor);
    *tensor = (struct drawn_tensor){arena_printf(drawn->arena, "%s", name), elements,
                                    arena_alloc(drawn->arena, (size_t)elements * sizeof(double)),
                                    drawn->tensors};
    fill(tensor->value, name, shape);
    drawn->tensors = tensor;
    return tensor->value;
}

struct parameters drawn_parameters(struct drawn *drawn)
{
    return (struct parameters){find_drawn, drawn, NULL};
}

/* ---- files ----------------------------------------------------------------------------------- */

static enum status write_json(const char *path, const struct model *model)
{
    char *text = NULL;
    size_t size;
    FILE *stream = memory_stream(&text, &size);
    model_write_json(model, stream);
    memory_stream_end(stream);
    enum status status = file_write(path, text, size);
    free(text);
    return status;
}

static enum status write_weights(const char *path, const struct model *model, struct drawn *drawn)
{
    size_t count;
    struct arena *arena = arena_new();
    struct tensor_need *needs = graph_parameters(model, arena, &count);
    struct tensor_data *tensors = arena_alloc(arena, count * sizeof *tensors);
    for (size_t i = 0; i < count; i++) {
        struct shape shape = {needs[i].rank, {0}};
        memcpy(shape.dim, needs[i].dim, sizeof shape.dim);
        const double *value = find_drawn(drawn, needs[i].name, &shape);
        int64_t elements = shape_elements(&shape);
        float *data = arena_alloc(arena, (size_t)elements * sizeof *data);
        for (int64_t e = 0; e < elements; e++)
            data[e] = (float)value[e];
        tensors[i] = (struct tensor_data){.name = needs[i].name, .data = data, .rank = shape.rank};
        memcpy(tensors[i].dim, shape.dim, sizeof shape.dim);
    }
    enum status status = weights_write(path, tensors, count);
    free(needs);
    arena_free(arena);
    return status;
}

enum status reduced_write(const char *stem, const struct model *model, struct drawn *drawn)
{
    struct arena *arena = arena_new();
    const char *json = arena_printf(arena, "%s.json", stem);
    bool was_there = access(json, F_OK) == 0;
    enum status status = write_json(json, model);
    if (status == STATUS_DONE) {
        status = write_weights(arena_printf(arena, "%s.safetensors", stem), model, drawn);
        if (status != STATUS_DONE && !was_there)
            unlink(json);
    }
    arena_free(arena);
    return status;
}
