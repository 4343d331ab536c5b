/* What a network costs: parameters and operations by layer, and memory. */
#ifndef COMPILER_STATS_H
#define COMPILER_STATS_H
#include "ir.h"

enum count { COUNT_MACS, COUNT_PAPER };

struct layer {
    const char *name;   /* as its parameters are named: "layer0.0.sam.conv1" */
    int64_t parameters; /* learned numbers: not running_mean and running_var */
    int64_t operations; /* per image, see graph_stats */
};

struct stats {
    int count, room;
    struct layer *layer; /* in the order of the network */
    int64_t parameters, operations;
};

/* Counts a graph form, best as graph_from_model made it: what passes fold away is not counted.
 * COUNT_MACS: multiply-adds of linears, of relations that are dot products, and of aggregations.
 * COUNT_PAPER: as the paper's table 2 does; besides those, 1 for each element that a bias is added
 * to, 2 for each of a batch norm, 1 for each of a ReLU, of a pooling's operand and of a difference.
 * Names belong to the module. Free with stats_free. */
void graph_stats(const struct module *module, enum count count, struct stats *stats);
void stats_free(struct stats *stats);

/* The memory that the compiled model's caller provides: the tensors, and the stack of each thread.
 */
int64_t module_workspace_bytes(const struct module *module);

#endif
