#include "tidy.h"

static void remove_dead(struct module *m)
{
    for (struct inst *inst = m->last, *prev; inst; inst = prev) {
        prev = inst->prev;
        if (inst->op != OP_output && inst->op != OP_input && !inst_count_uses(m, inst))
            inst_remove(m, inst);
    }
}

/* A list of instructions under construction. */
struct chain {
    struct inst *first, *last;
};

static void chain_append(struct chain *chain, struct inst *inst)
{
    inst->prev = chain->last;
    inst->next = NULL;
    *(chain->last ? &chain->last->next : &chain->first) = inst;
    chain->last = inst;
}

void graph_tidy(struct module *m)
{
    struct chain part[2] = {{0}, {0}};
    remove_dead(m);
    for (struct inst *inst = m->first, *next; inst; inst = next) {
        next = inst->next;
        chain_append(&part[!inst_is_constant(inst)], inst);
    }
    m->first = part[0].first ? part[0].first : part[1].first;
    m->last = part[1].last ? part[1].last : part[0].last;
    if (part[0].last && part[1].first) {
        part[0].last->next = part[1].first;
        part[1].first->prev = part[0].last;
    }
}
