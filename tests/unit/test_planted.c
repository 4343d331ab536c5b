/* Planted miscompilations: passes that do their work and then one thing wrong, like a mistake in
 * the pass. `sanc verify --each-pass`, whose observer this uses, has to catch them and to name the
 * pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory.h"
#include "model_graph.h"
#include "planted.h"
#include "verify.h"
#include <stdlib.h>
#include <string.h>

static const char *const target[] = {"x86-64-v3"};

static const struct plant *const plants[] = {planted_graph, planted_lower, planted_loops,
                                             planted_schedules};

/* ---- models ---------------------------------------------------------------------------------- */

enum { HEIGHT = 14 };

/* Of the images; such that a residual network's maps are 4 x 6 where even sides are needed. */
static int width_of(enum kind kind)
{
    return kind == WITH_WINOGRAD ? 24 : 10;
}

static struct module *graph_of(enum kind kind)
{
    bool residual = kind == IN_WINDOWS || kind == WITH_WINOGRAD;
    struct model model = {.family = residual ? FAMILY_RESNET : FAMILY_SAN,
                          .name = "small",
                          .channels = 3,
                          .height = HEIGHT,
                          .width = width_of(kind),
                          .classes = 5,
                          .stem_channels = 8,
                          .stages = 1};
    struct attention attention = {.relation = relation_kind_subtraction,
                                  .mapping = 2,
                                  .position = POSITION_RELATIVE,
                                  .softmax = true,
                                  .footprint = 3,
                                  .dilation = 1,
                                  .share = 8,
                                  .relation_channels = 8,
                                  .value_channels = 16};
    if (kind == ZERO_PADDING)
        attention.padding = PADDING_ZERO;
    if (kind == IN_PATCHES) {
        attention.patchwise = true;
        attention.relation = relation_kind_concatenation;
        attention.position = POSITION_NONE;
        attention.softmax = false;
        attention.dilation = 2;
    }
    model.stage[0] = (struct stage){.blocks = 2, .channels = 40, .attention = attention};
    if (kind == IN_WINDOWS) {
        model.stages = 2;
        model.stage[0] = (struct stage){.blocks = 1, .channels = 8, .block = BLOCK_BOTTLENECK};
        model.stage[1] = (struct stage){.blocks = 1, .channels = 12, .block = BLOCK_BASIC};
    }
    if (kind == WITH_WINOGRAD)
        model.stage[0] = (struct stage){.blocks = 1, .channels = 16, .block = BLOCK_BASIC};
    return graph_from_model(&model, 2, 1, 1, target);
}

enum { MOST_TENSORS = 128 };

struct tensors {
    int count;
    const char *name[MOST_TENSORS];
    double *value[MOST_TENSORS];
};

/* Numbers that depend on the name alone: variances from 0.5 to 1.5, others from -1 to 1. */
static const double *find_tensor(void *context, const char *name, const struct shape *shape)
{
    struct tensors *tensors = context;
    for (int i = 0; i < tensors->count; i++)
        if (strcmp(tensors->name[i], name) == 0)
            return tensors->value[i];
    int64_t elements = shape_elements(shape);
    double *value = allocate(elements, sizeof *value);
    uint64_t state = 5381;
    for (const char *c = name; *c; c++)
        state = state * 33 + (unsigned char)*c;
    for (int64_t i = 0; i < elements; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double unit = (double)(state >> 40) * 0x1p-24;
        value[i] = strstr(name, "running_var") ? 0.5 + unit : 2 * unit - 1;
    }
    assert_in_range(tensors->count, 0, MOST_TENSORS - 1);
    tensors->name[tensors->count] = strdup(name);
    tensors->value[tensors->count++] = value;
    return value;
}

static void tensors_free(struct tensors *tensors)
{
    for (int i = 0; i < tensors->count; i++) {
        free((char *)(uintptr_t)tensors->name[i]);
        free(tensors->value[i]);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

struct trial {
    const struct plant *plant; /* NULL: none */
    bool planted;
    const char *caught; /* the pass that is named; NULL: none */
    bool located;       /* the element too */
    char how[640];
};

/* Runs the passes as verify --each-pass does, until one is caught. */
static void run_trial(struct trial *trial, enum kind kind)
{
    struct tensors tensors = {0};
    struct parameters parameters = {find_tensor, &tensors, NULL};
    int width = width_of(kind);
    double *value = random_images(7, 2, 3, HEIGHT, width);
    struct images images = {value, 2, 3 * HEIGHT * width};
    struct pass_check check = {.parameters = &parameters, .images = &images, .tolerance = 1e-9};
    struct module *m = graph_of(kind);
    struct error error;
    assert_true(pass_check_after(&check, NULL, 0, 0, m));
    for (int i = 0; i < pass_count && !trial->caught; i++) {
        const struct pass *pass = &pass_table[i];
        int changes = pass->run(m);
        if (trial->plant && strcmp(pass->name, trial->plant->pass) == 0)
            trial->planted = trial->plant->damage(m);
        bool right = module_verify(m, &error);
        if (right && pass_check_after(&check, pass, changes, 0, m))
            continue;
        trial->caught = pass->name;
        trial->located = !right || check.located;
        if (right)
            snprintf(trial->how, sizeof trial->how, "%s, %s", check.change.where,
                     check.change.element);
        else
            snprintf(trial->how, sizeof trial->how, "%.500s", error.text);
    }
    module_free(m);
    pass_check_free(&check);
    tensors_free(&tensors);
    free(value);
}

static void right_passes_are_not_caught(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct trial trial = {0};
        run_trial(&trial, kind);
        assert_null(trial.caught);
    }
}

static bool is_named(const struct plant *plant)
{
    struct trial trial = {.plant = plant};
    run_trial(&trial, plant->model);
    bool named = trial.caught && strcmp(trial.caught, plant->pass) == 0;
    print_message("%-18s %-44s %s\n", plant->pass, plant->what,
                  !trial.planted ? "NOT PLANTED"
                  : named        ? trial.how
                                 : "MISSED");
    assert_true(trial.planted && (!named || trial.located));
    return named;
}

static void wrong_passes_are_named(void **state)
{
    (void)state;
    int caught = 0, count = 0;
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++)
        for (const struct plant *plant = plants[i]; plant->pass; plant++, count++)
            caught += is_named(plant);
    print_message("%d of %d caught\n", caught, count);
    assert_true(count >= 30 && 30 * caught >= 29 * count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_passes_are_not_caught),
        cmocka_unit_test(wrong_passes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
