/* %3 = linear %1, %w, %b                 %4 = linear %1, %w, %2
 * %4 = add %2, %3                  =>    %5 = mul %4, %s
 * %5 = mul %4, %s                        %6 = add %5, (add %t, (mul %b, %s))
 * %6 = add %5, %t
 *
 * Begins a linear's sums with the map that they are added to (a residual): AMX loads it into its
 * sums, and stores them where they belong, so that no vector touches either. The sums then have no
 * place for the bias. Every reader of the map takes it over: a batch norm into its shift,
 * s (x + b) + t = s x + (t + b s), and the next linear that is added to the map into its own bias.
 *
 * Where a reader could not, nothing changes, nor in modules for targets without AMX: vectors add the
 * map just as fast when the sums are done. Requires: batch norms that are folded, or a scale and a
 * shift. */
#include "make.h"
#include "tidy.h"
#include "units.h"

pass_function start_from_maps;

static bool is_per_channel(const struct inst *inst, enum op op)
{
    return inst->op == op && inst_is_constant(inst->in[1]) && inst->in[1]->shape.rank == 1 &&
           last_dim(inst->in[1]) == last_dim(inst);
}

/* Which operand of an addition is a linear that it may be merged with; -1: none is. */
static int linear_of(const struct module *m, const struct inst *add)
{
    for (int i = 0; add->op == OP_add && i < 2; i++) {
        const struct inst *linear = add->in[i], *map = add->in[1 - i];
        const struct inst *bias = linear->inputs == 3 ? linear->in[2] : NULL;
        if (linear->op == OP_linear && !inst_is_constant(linear) && map != linear &&
            !inst_is_constant(map) && inst_count_uses(m, linear) == 1 &&
            shape_equal(&map->shape, &linear->shape) &&
            (!bias || (inst_is_constant(bias) && bias->shape.rank == 1 &&
                       last_dim(bias) == last_dim(linear))))
            return i;
    }
    return -1;
}

/* Whether all readers of a value would take over what is no longer added to it. */
static bool readers_take(const struct module *m, const struct inst *map)
{
    for (const struct use *use = map->users; use; use = use->next) {
        const struct inst *user = use->user;
        bool scaled = user && is_per_channel(user, OP_mul) && user->in[0] == map;
        for (const struct use *of = scaled ? user->users : NULL; of; of = of->next)
            scaled = scaled && of->user && is_per_channel(of->user, OP_add);
        int linear = user && !scaled ? linear_of(m, user) : -1;
        if (!scaled && (linear < 0 || user->in[linear] == map || !readers_take(m, user)))
            return false;
    }
    return true;
}

/* Adds `bias` to a constant operand of an instruction; `old` is NULL where it has none. */
static struct inst *plus(struct module *m, struct inst *after, struct inst *old, struct inst *bias)
{
    struct builder b = {m, after, after->label};
    return old ? make_2(&b, OP_add, old, bias) : bias;
}

/* A batch norm, of which this is the scale, takes the bias over. */
static void into_shift(struct module *m, struct inst *scale, struct inst *bias)
{
    struct builder b = {m, scale, scale->label};
    struct inst *scaled = make_2(&b, OP_mul, bias, scale->in[1]);
    for (struct use *use = scale->users; use; use = use->next)
        inst_set_input(use->user, 1, plus(m, scaled, use->user->in[1], scaled));
}

static void into_bias(struct module *m, struct inst *linear, struct inst *bias)
{
    struct inst *sum = plus(m, linear, linear->inputs == 3 ? linear->in[2] : NULL, bias);
    struct builder b = {m, sum == bias ? linear : sum, linear->label};
    inst_replace_uses(m, linear, make_linear(&b, linear->in[0], linear->in[1], sum));
    inst_remove(m, linear);
}

static void hand_over(struct module *m, struct inst *map, struct inst *bias)
{
    for (struct use *use = map->users; use; use = use->next)
        if (use->user->op == OP_mul)
            into_shift(m, use->user, bias);
        else
            into_bias(m, use->user->in[linear_of(m, use->user)], bias);
}

static struct inst *merge(struct module *m, struct inst *add)
{
    int of = linear_of(m, add);
    if (of < 0 || (add->in[of]->inputs == 3 && !readers_take(m, add)))
        return NULL;
    struct inst *linear = add->in[of], *bias = linear->inputs == 3 ? linear->in[2] : NULL;
    struct builder b = {m, add, add->label};
    struct inst *merged = make_linear(&b, linear->in[0], linear->in[1], add->in[1 - of]);
    inst_replace_uses(m, add, merged);
    inst_remove(m, add);
    inst_remove(m, linear);
    if (bias)
        hand_over(m, merged, bias);
    return merged;
}

int start_from_maps(struct module *m)
{
    int changes = 0;
    if (!module_takes_tiles(m))
        return 0;
    for (struct inst *inst = m->first; inst; inst = inst->next) {
        struct inst *merged = merge(m, inst);
        if (!merged)
            continue;
        inst = merged;
        changes++;
    }
    graph_tidy(m);
    return changes;
}
