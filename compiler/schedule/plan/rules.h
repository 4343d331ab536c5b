/* The rules that a plan must obey. plan_read.c checks the rule of each command (commands.def); the
 * files in choose/ ask what a kernel allows. */
#ifndef COMPILER_RULES_H
#define COMPILER_RULES_H
#include "plan.h"

/* The most that a schedule may ask for: pixels; columns of a register tile; rows of one, and also
 * its vectors. */
enum { MOST_TILE = 4096, MOST_COLUMNS = 1024, MOST_VECTORS = 64 };

/* Why a plan is refused, and the operand of the command that is to blame. */
struct refusal {
    const char *why; /* NULL: it is allowed */
    int operand;
};
enum { OPERAND_NONE = -1 /* the command's word */ };

/* Checked after the whole plan is read. nest: for commands about one nest. */
typedef struct refusal plan_rule(const struct subject *s, const struct plan *plan, int nest);

/* The rules that the table names. */
#define COMMAND(id, syntax, scope, devices, rule, help) plan_rule rule;
#include "commands.def"

/* The columns of the results that a kernel stores to memory; 0: they cannot be shared out. */
int64_t nests_split_columns(const struct nests *nests);

/* Whether each worker computes only its own share of a nest's columns, where these are shared out:
 * of results, and of what stays on the stack if only such nests read it, each at its own column. */
bool nest_is_shared(const struct nests *nests, int nest);

/* Whether a nest takes the pixels of a tile one by one in any case. */
bool nest_repeats(const struct nests *nests, int64_t nest);

/* Whether a nest is a sum of products x[.., k] * w[k, column], whose even and odd terms may be
 * summed apart, in a vector of twice the columns. */
bool nest_can_halve(struct module *m, const struct kernel_nest *nest, const struct target *target);

/* Whether a nest is a sum of products whose terms the target's unit takes in pairs: neighbours in
 * memory of type bf16, for all columns of a vector. */
enum { LEAST_PAIR_LANES = 4 };
bool nest_can_pair(struct module *m, const struct kernel_nest *nest, const struct target *target);

/* The same for a unit that multiplies tiles: the pairs of all columns lie together, too. */
bool nest_can_amx(struct module *m, const struct kernel_nest *nest, const struct target *target);

#endif
