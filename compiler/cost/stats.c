#include "stats.h"
#include "memory.h"
#include "names.h"
#include "op.h"
#include <stdlib.h>
#include <string.h>

/* ---- layers ---------------------------------------------------------------------------------- */

struct count_state {
    const struct module *module;
    enum count count;
    struct stats *stats;
    struct names layers; /* number of a layer, by name */
    bool *varies;        /* by the id of an instruction: depends on the image */
};

/* The layer of that name (its first `length` bytes), new if there is none. */
static struct layer *layer_named(struct count_state *state, const char *name, size_t length)
{
    struct stats *stats = state->stats;
    struct name_entry *known = names_find(&state->layers, name, length);
    if (known)
        return &stats->layer[(intptr_t)known->value];
    if (stats->count == stats->room) {
        int room = stats->room ? 2 * stats->room : 64;
        stats->layer = allocate_again(stats->layer, room, sizeof *stats->layer);
        stats->room = room;
    }
    struct layer *layer = &stats->layer[stats->count];
    *layer = (struct layer){.name = arena_printf(state->module->arena, "%.*s", (int)length, name)};
    names_add(&state->layers, layer->name, length, (void *)(intptr_t)stats->count++);
    return layer;
}

/* A model's graph has each parameter once. */
static void count_parameter(struct count_state *state, const struct inst *inst)
{
    const char *name = inst->attr[SLOT_parameter_name].string;
    const char *dot = strrchr(name, '.');
    const char *last = dot ? dot + 1 : name;
    size_t length = dot ? (size_t)(dot - name) : strlen(name);
    struct layer *layer = layer_named(state, name, length);
    if (strcmp(last, "running_mean") != 0 && strcmp(last, "running_var") != 0)
        layer->parameters += shape_elements(&inst->shape);
}

/* ---- operations ------------------------------------------------------------------------------ */

static bool depends_on_image(const struct count_state *state, const struct inst *inst)
{
    bool depends = inst->op == OP_input;
    for (int i = 0; i < inst->inputs; i++)
        depends |= state->varies[inst->in[i]->id];
    return depends;
}

/* What depends on parameters alone is computed by the compiler and costs nothing. */
static void count_operations(struct count_state *state, const struct inst *inst)
{
    state->varies[inst->id] = depends_on_image(state, inst);
    if (!state->varies[inst->id])
        return;
    struct inst_count count = inst_count(inst);
    int64_t operations = count.macs + (state->count == COUNT_PAPER ? count.extras : 0);
    if (operations == 0)
        return;
    const char *name = inst->label ? inst->label : op_info[inst->op].name;
    layer_named(state, name, strlen(name))->operations += operations / state->module->batch;
}

void graph_stats(const struct module *module, enum count count, struct stats *stats)
{
    *stats = (struct stats){0};
    struct count_state state = {.module = module, .count = count, .stats = stats};
    state.layers.arena = module->arena;
    state.varies = allocate(module->next_id + 1, sizeof *state.varies);
    for (const struct inst *inst = module->first; inst; inst = inst->next) {
        if (inst->op == OP_parameter)
            count_parameter(&state, inst);
        else
            count_operations(&state, inst);
    }
    free(state.varies);
    for (int i = 0; i < stats->count; i++) {
        stats->parameters += stats->layer[i].parameters;
        stats->operations += stats->layer[i].operations;
    }
}

void stats_free(struct stats *stats)
{
    free(stats->layer);
    *stats = (struct stats){0};
}

static int64_t in_cache_lines(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

int64_t module_workspace_bytes(const struct module *module)
{
    return in_cache_lines(module->workspace_bytes) +
           module->threads * in_cache_lines(module->scratch_bytes);
}
