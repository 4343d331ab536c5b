#include "model_family.h"
#include <stdio.h>

/* Fields that one family has, of the model and of a stage. */
static const struct {
    enum family family;
    enum field_id of_model, of_stage;
} own_fields[] = {{FAMILY_SAN, MODEL_ATTENTION, STAGE_ATTENTION},
                  {FAMILY_RESNET, MODEL_BLOCK, STAGE_BLOCK}};

/* `path` leads to the object: "" to the model, "stages[0]." to a stage. */
static void check_own(struct draft *draft, const char *path, enum field_id id,
                      const struct setting *set)
{
    char excerpt[JSON_EXCERPT];
    if (set->origin != FROM_FILE)
        return;
    const struct json_node *node = &draft->json->node[set->node];
    draft_error(draft, node->begin, "%s%s must be left out where family is \"%s\", found %s", path,
                model_field[id].name,
                model_field[MODEL_FAMILY].choice[draft->set[MODEL_FAMILY].value],
                json_excerpt(draft->json, node, excerpt));
}

void draft_check_family(struct draft *draft)
{
    char path[32];
    for (size_t i = 0; i < sizeof own_fields / sizeof *own_fields; i++) {
        if ((int)own_fields[i].family == draft->set[MODEL_FAMILY].value)
            continue;
        check_own(draft, "", own_fields[i].of_model, &draft->set[own_fields[i].of_model]);
        for (int j = 0; j < draft->stages; j++) {
            snprintf(path, sizeof path, "stages[%d].", j);
            check_own(draft, path, own_fields[i].of_stage,
                      &draft->stage[j].set[own_fields[i].of_stage]);
        }
    }
    for (int j = 0; j < draft->stages; j++) {
        struct setting *block = &draft->stage[j].set[STAGE_BLOCK];
        if (block->origin != FROM_FILE)
            block->value = draft->set[MODEL_BLOCK].value;
    }
}

void draft_check_resnet(struct draft *draft, int stage)
{
    const struct setting *set = draft->stage[stage].set;
    const struct json_node *nodes = draft->json->node;
    int blocks = set[STAGE_BLOCKS].value, channels = set[STAGE_CHANNELS].value;
    if (blocks < 1)
        draft_error(draft, nodes[set[STAGE_BLOCKS].node].begin,
                    "stages[%d].blocks must be an integer from 1 to %d where family is \"resnet\", "
                    "found %d",
                    stage, model_field[STAGE_BLOCKS].range[0].most, blocks);
    if (set[STAGE_BLOCK].value == BLOCK_BOTTLENECK && channels % BOTTLENECK)
        draft_error(
            draft, nodes[set[STAGE_CHANNELS].node].begin,
            "stages[%d].channels must be a multiple of %d where its blocks are bottlenecks, "
            "found %d",
            stage, BOTTLENECK, channels);
}
