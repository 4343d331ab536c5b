/* Mistakes are named: a pass that changes the result, a kernel that is compiled wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory.h"
#include "model_graph.h"
#include "verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const target[] = {"x86-64-v3"};

static struct module *small_graph(void)
{
    struct model model = {.name = "small",
                          .channels = 3,
                          .height = 12,
                          .width = 10,
                          .classes = 5,
                          .stem_channels = 8,
                          .stages = 1};
    model.stage[0] = (struct stage){.blocks = 1,
                                    .channels = 32,
                                    .attention = {.relation = relation_kind_subtraction,
                                                  .mapping = 2,
                                                  .position = POSITION_RELATIVE,
                                                  .softmax = true,
                                                  .footprint = 3,
                                                  .dilation = 1,
                                                  .share = 8,
                                                  .relation_channels = 8,
                                                  .value_channels = 16}};
    return graph_from_model(&model, 2, 1, 1, target);
}

/* ---- parameters without a file --------------------------------------------------------------- */

enum { MOST_TENSORS = 64 };

struct tensors {
    int count;
    const char *name[MOST_TENSORS];
    double *value[MOST_TENSORS];
};

/* Numbers that depend on the name alone, between 0.1 and 0.6: a variance must not be negative. */
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
        value[i] = 0.1 + (double)(state >> 40) * 0x1p-25;
    }
    assert_in_range(tensors->count, 0, MOST_TENSORS - 1);
    tensors->name[tensors->count] = name;
    tensors->value[tensors->count++] = value;
    return value;
}

struct fixture {
    struct module *module;
    struct tensors tensors;
    struct parameters parameters;
    double *value;
    struct images images;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->module = small_graph();
    f->parameters = (struct parameters){find_tensor, &f->tensors, NULL};
    f->value = random_images(7, 2, 3, 12, 10);
    f->images = (struct images){f->value, 2, 3 * 12 * 10};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < f->tensors.count; i++)
        free(f->tensors.value[i]);
    free(f->value);
    module_free(f->module);
    free(f);
    return 0;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void measures_errors(void **state)
{
    (void)state;
    const double zero[2] = {0, 0}, ref[2] = {3, 4}, near[2] = {3, 4.05}, bad[2] = {3, NAN};
    assert_true(relative_error(ref, ref, 2) == 0);
    assert_true(relative_error(zero, zero, 2) == 0);
    assert_true(fabs(relative_error(near, ref, 2) - 0.01) < 1e-12);
    assert_true(isinf(relative_error(bad, ref, 2)));
    assert_true(isinf(relative_error(ref, zero, 2)));
    const double broken[3] = {INFINITY, NAN, 4}, near_broken[3] = {INFINITY, NAN, 4.04};
    const double other[3] = {-INFINITY, NAN, 4}, mended[3] = {INFINITY, 0, 4};
    assert_true(relative_error(broken, broken, 3) == 0);
    assert_true(fabs(relative_error(near_broken, broken, 3) - 0.01) < 1e-12);
    assert_true(isinf(relative_error(other, broken, 3)));
    assert_true(isinf(relative_error(mended, broken, 3)));
    assert_true(isinf(relative_error(broken, mended, 3)));
}

static void images_depend_on_the_seed_alone(void **state)
{
    (void)state;
    double *a = random_images(1, 1, 2, 5, 6), *b = random_images(1, 1, 2, 5, 6);
    double *c = random_images(2, 1, 2, 5, 6);
    assert_memory_equal(a, b, 60 * sizeof *a);
    assert_true(memcmp(a, c, 60 * sizeof *a) != 0);
    for (int i = 0; i < 60; i++)
        assert_true(a[i] == (float)a[i] && fabs(a[i]) < 4);
    free(a);
    free(b);
    free(c);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static void accepts_the_passes(void **state)
{
    struct fixture *f = *state;
    struct pass_check check = {
        .parameters = &f->parameters, .images = &f->images, .tolerance = 1e-9};
    struct pass_observer observer = {pass_check_after, &check};
    assert_int_equal(STATUS_DONE, passes_run(f->module, NULL, &observer));
    assert_null(check.pass);
    assert_true(check.error < 1e-9);
    pass_check_free(&check);
}

/* Wrong by little: the largest slack that a batch norm may have. */
static int damage_graph(struct module *module)
{
    for (struct inst *inst = module->first; inst; inst = inst->next) {
        if (inst->op != OP_batch_norm)
            continue;
        inst->attr[SLOT_batch_norm_eps].real *= 2;
        return 1;
    }
    return 0;
}

static int damage_loops(struct module *module)
{
    struct stmt *stmt = module->kernels->body;
    while (stmt->kind == STMT_FOR)
        stmt = stmt->body;
    stmt->value = expr_op(module, SCALAR_mul, stmt->value, expr_constant(module, 1.001), NULL);
    return 1;
}

static const struct pass wrong_graph = {"wrong_graph", damage_graph, ""};
static const struct pass wrong_loops = {"wrong_loops", damage_loops, ""};

/* Runs the passes up to `last`, then a wrong one, all under observation. */
static void assert_names(struct fixture *f, const char *last, const struct pass *wrong,
                         const char *where, const char *element)
{
    struct pass_check check = {
        .parameters = &f->parameters, .images = &f->images, .tolerance = 1e-9};
    struct pass_observer observer = {pass_check_after, &check};
    if (last)
        assert_int_equal(STATUS_DONE, passes_run(f->module, last, &observer));
    else
        assert_true(pass_check_after(&check, NULL, 0, 0, f->module));
    int changes = wrong->run(f->module);
    assert_int_equal(1, changes);
    assert_false(pass_check_after(&check, wrong, changes, 0, f->module));
    assert_string_equal(wrong->name, check.pass);
    assert_true(check.error > 1e-9);
    assert_true(check.located);
    assert_true(strncmp(check.change.where, where, strlen(where)) == 0);
    assert_string_equal(check.change.element, element);
    assert_true(fabs(check.change.is - check.change.was) > 1e-9 * fabs(check.change.was));
    assert_int_equal(STATUS_DONE, check.status);
    pass_check_free(&check);
}

static void names_a_wrong_graph_pass(void **state)
{
    assert_names(*state, NULL, &wrong_graph, "%10 = batch_norm", "v10[0, 0, 0, 0]");
}

static void names_a_wrong_loop_pass(void **state)
{
    assert_names(*state, "lower", &wrong_loops, "kernel ", "v1[0, 0, 0, 0]");
}

/* ---- kernels --------------------------------------------------------------------------------- */

static struct kernel *kernel_number(struct module *module, int number)
{
    struct kernel *kernel = module->kernels;
    while (number-- > 0)
        kernel = kernel->next;
    return kernel;
}

static struct stmt *first_store(struct stmt *stmt, enum place place)
{
    for (; stmt; stmt = stmt->next) {
        struct stmt *found = stmt->kind == STMT_FOR         ? first_store(stmt->body, place)
                             : stmt->buffer->place == place ? stmt
                                                            : NULL;
        if (found)
            return found;
    }
    return NULL;
}

/* Compiles the module, with kernel `damaged` made wrong unless it is negative, and checks against
 * the module as it should be. */
static void check_kernels(struct fixture *f, int damaged, struct kernel_check *check)
{
    static const uint8_t sha256[32];
    struct error error;
    struct backend_file object = {0};
    struct backend_loaded *loaded = NULL;
    struct stmt *store = NULL;
    const struct expr *right = NULL;
    if (damaged >= 0) {
        store = first_store(kernel_number(f->module, damaged)->body, PLACE_WORKSPACE);
        assert_non_null(store);
        right = store->value;
        store->value = expr_op(f->module, SCALAR_mul, right, expr_constant(f->module, 1.5), NULL);
    }
    const struct backend_request request = {.kind = BACKEND_OBJECT};
    assert_true(backend_emit(f->module, &f->parameters, sha256, &request, &object, &error));
    if (store)
        store->value = right;
    const struct san_model *model = backend_load(&object, "small", &loaded, &error);
    assert_non_null(model);
    enum status status = kernels_check(f->module, &f->parameters, model, &f->images, 1e-4, check);
    backend_unload(loaded);
    free(object.data);
    assert_int_equal(STATUS_DONE, status);
}

static void names_a_wrong_kernel(void **state)
{
    struct fixture *f = *state;
    struct kernel_check check;
    struct error error;
    if (!target_runs_here(target_find(target[0], &error), precision_kind_f32, &error)) {
        print_message("SKIPPED: this machine does not run %s: %s\n", target[0], error.text);
        skip();
    }
    assert_int_equal(STATUS_DONE, passes_run(f->module, NULL, NULL));
    check_kernels(f, -1, &check);
    assert_null(check.kernel);
    for (int i = 0; i < 3; i++) {
        check_kernels(f, i, &check);
        assert_string_equal(kernel_number(f->module, i)->name, check.kernel);
        assert_true(check.error > 1e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_errors),
        cmocka_unit_test(images_depend_on_the_seed_alone),
        cmocka_unit_test_setup_teardown(accepts_the_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_a_wrong_graph_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_a_wrong_loop_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_a_wrong_kernel, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
