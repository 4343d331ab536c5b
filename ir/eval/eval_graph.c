/* The graph form's meaning: instruction by instruction, in order, whole tensors at a time. What
 * each op computes is in op/. */
#include "memory.h"
#include "op.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct value {
    bool needed, constant;
    int uses;        /* that are still to come */
    double *data;    /* constants unrounded */
    double *rounded; /* a constant as the object holds it, made when first used */
};

struct graph {
    const struct module *module;
    const struct parameters *parameters;
    enum precision precision;
    const double *image;
    value_visitor *visit; /* NULL: none */
    void *context;
    struct value *value; /* by instruction id */
};

/* Marks what `wanted` depends on, and counts the uses of each. */
static void mark_needed(struct graph *g, const struct inst *wanted)
{
    g->value[wanted->id].needed = true;
    g->value[wanted->id].uses = 1; /* the caller's */
    for (const struct inst *inst = wanted; inst; inst = inst->prev) {
        if (!g->value[inst->id].needed)
            continue;
        for (int i = 0; i < inst->inputs; i++) {
            g->value[inst->in[i]->id].needed = true;
            g->value[inst->in[i]->id].uses++;
        }
    }
}

static const double *operand(struct graph *g, const struct inst *user, const struct inst *in)
{
    struct value *value = &g->value[in->id];
    bool round = value->constant && !g->value[user->id].constant;
    if (!round || g->precision == PRECISION_F64)
        return value->data;
    if (!value->rounded) {
        int64_t elements = shape_elements(&in->shape);
        value->rounded = allocate(elements, sizeof(double));
        for (int64_t i = 0; i < elements; i++)
            value->rounded[i] = single_of(value->data[i]);
    }
    return value->rounded;
}

static void value_release(struct value *value)
{
    assert(value->uses > 0);
    if (--value->uses)
        return;
    free(value->data);
    free(value->rounded);
    value->data = value->rounded = NULL;
}

static bool run_inst(struct graph *g, const struct inst *inst)
{
    struct value *value = &g->value[inst->id];
    value->constant = inst_is_constant(inst);
    if (inst->op == OP_reshape && value->constant && g->value[inst->in[0]->id].uses == 1) {
        value->data = g->value[inst->in[0]->id].data; /* in its last use */
        g->value[inst->in[0]->id].data = NULL;
        value_release(&g->value[inst->in[0]->id]);
        return true;
    }
    value->data = allocate(shape_elements(&inst->shape), sizeof(double));
    struct eval e = {.inst = inst,
                     .single = g->precision == PRECISION_F32 && !value->constant,
                     .out = value->data,
                     .image = g->image,
                     .parameters = g->parameters};
    for (int i = 0; i < inst->inputs; i++)
        e.in[i] = operand(g, inst, inst->in[i]);
    if (!inst_eval(&e))
        return false;
    if (g->visit && !value->constant)
        g->visit(g->context, inst, value->data);
    for (int i = 0; i < inst->inputs; i++)
        value_release(&g->value[inst->in[i]->id]);
    return true;
}

/* The value of one instruction; free() it. NULL: a parameter is missing. */
static double *graph_run(struct graph g, const struct inst *wanted)
{
    const struct module *module = g.module;
    g.value = allocate(module->next_id + 1, sizeof *g.value);
    mark_needed(&g, wanted);
    bool ok = true;
    for (const struct inst *inst = module->first; ok; inst = inst->next) {
        ok = !g.value[inst->id].needed || run_inst(&g, inst);
        if (inst == wanted)
            break;
    }
    double *result = NULL;
    if (ok) {
        result = g.value[wanted->id].data;
        g.value[wanted->id].data = NULL;
    }
    for (int i = 0; i <= module->next_id; i++) {
        free(g.value[i].data);
        free(g.value[i].rounded);
    }
    free(g.value);
    return result;
}

double *inst_eval_constant(const struct module *module, const struct parameters *parameters,
                           const struct inst *inst)
{
    assert(inst_is_constant(inst));
    struct graph g = {.module = module, .parameters = parameters, .precision = PRECISION_F64};
    return graph_run(g, inst);
}

static const struct inst *output_of(const struct module *module)
{
    const struct inst *result = module->last;
    while (result && result->op != OP_output)
        result = result->prev;
    assert(result);
    return result;
}

bool module_eval_graph(const struct module *module, const struct parameters *parameters,
                       enum precision precision, const double *input, double *output)
{
    struct graph g = {
        .module = module, .parameters = parameters, .precision = precision, .image = input};
    const struct inst *result = output_of(module);
    double *data = graph_run(g, result);
    if (!data)
        return false;
    memcpy(output, data, (size_t)shape_elements(&result->shape) * sizeof *data);
    free(data);
    return true;
}

bool module_visit_values(const struct module *module, const struct parameters *parameters,
                         const double *input, value_visitor *visit, void *context)
{
    struct graph g = {.module = module,
                      .parameters = parameters,
                      .precision = PRECISION_F64,
                      .image = input,
                      .visit = visit,
                      .context = context};
    double *data = graph_run(g, output_of(module));
    free(data);
    return data;
}
