/* A module from text, compiled and loaded into a test. */
#ifndef TESTS_UNIT_LOADED_H
#define TESTS_UNIT_LOADED_H
#include "backend.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Small integers, so that sums are exact in float; of any shape. */
static inline const double *find_parameter(void *context, const char *name,
                                           const struct shape *shape)
{
    static double value[1 << 16];
    (void)context;
    assert_true(shape_elements(shape) <= 1 << 16);
    if (!strcmp(name, "missing"))
        return NULL;
    for (int i = 0; i < 1 << 16; i++)
        value[i] = strcmp(name, "table") ? (i * 7 + 3) % 17 - 8 : (i * 5 + 2) % 8;
    return value;
}

static const struct parameters parameters = {.find = find_parameter};
static const uint8_t sha256[32] = {1, 2, 3};

/* Parses without verifying. */
static inline struct module *parse_unverified(const char *text)
{
    struct error error;
    struct module *module = module_parse(text, strlen(text), &error);
    if (!module)
        print_error("%d:%d: %s\n", error.at.line, error.at.column, error.text);
    assert_non_null(module);
    return module;
}

static inline struct module *parse(const char *text)
{
    struct module *module = parse_unverified(text);
    struct error error;
    if (!module_verify(module, &error))
        fail_msg("%s", error.text);
    return module;
}

static inline struct backend_file emit(const struct module *module, enum backend_kind kind,
                                       const char *target)
{
    struct error error = {0};
    struct backend_file file = {0};
    const struct backend_request request = {.kind = kind, .target = target};
    if (!backend_emit(module, &parameters, sha256, &request, &file, &error))
        fail_msg("%s", error.text);
    return file;
}

struct loaded {
    struct module *module;
    struct backend_file object;
    struct backend_loaded *code;
    const struct san_model *model;
    void *workspace;
    float *input, *output;
    size_t inputs, outputs;
};

/* Whether this machine runs one of the targets; says so if not. */
static inline bool runs_here(const struct module *module)
{
    struct error error = {0};
    for (int i = 0; i < module->targets; i++)
        if (target_runs_here(target_find(module->target[i], &error), module->precision, &error))
            return true;
    print_message("[  SKIPPED ] %s\n", error.text);
    return false;
}

/* For that target alone (NULL: for those of the text); NULL where this machine does not run it. */
static inline struct module *parse_for(const char *text, const char *target)
{
    struct module *module = parse(text);
    if (target) {
        module->targets = 1;
        module->target[0] = target;
    }
    if (runs_here(module))
        return module;
    module_free(module);
    return NULL;
}

static inline struct loaded load(struct module *module)
{
    struct error error;
    struct loaded l = {.module = module, .object = emit(module, BACKEND_OBJECT, NULL)};
    l.model = backend_load(&l.object, module->name, &l.code, &error);
    if (!l.model)
        fail_msg("%s", error.text);
    int64_t images = module_images(module);
    l.inputs = (size_t)(images * module->channels * module->height * module->width);
    l.outputs = (size_t)(images * module->classes);
    l.input = calloc(l.inputs, sizeof *l.input);
    l.output = calloc(l.outputs, sizeof *l.output);
    l.workspace = aligned_alloc(64, l.model->workspace_bytes);
    memset(l.workspace, 0xff, l.model->workspace_bytes);
    for (size_t i = 0; i < l.inputs; i++)
        l.input[i] = (float)((int)(i * 5 % 23) - 11);
    return l;
}

static inline void unload(struct loaded *l)
{
    backend_unload(l->code);
    free(l->object.data);
    free(l->input);
    free(l->output);
    free(l->workspace);
    module_free(l->module);
}

static inline int run(struct loaded *l, const struct san_exec *exec)
{
    memset(l->output, 0xff, l->outputs * sizeof *l->output);
    return l->model->run(l->input, l->output, l->workspace, exec);
}

#define HEAD(inputs, outputs)                                                                      \
    "sanir 1\nmodel \"t\"\ninput f32[1, 1, 1, " inputs "]\nclasses " outputs                       \
    "\ntargets \"x86-64-v3\" \"x86-64-v4\"\nthreads 3\n"

#endif
