/* Which registers of tiles a kernel uses, and how they are set up. Private to this folder. */
#ifndef BACKEND_TILE_PLAN_H
#define BACKEND_TILE_PLAN_H
#include "ir.h"

enum { TILE_REGISTERS = 8, MOST_TILE_GROUPS = 64 };

/* Rows, and bytes of each. */
struct tile_shape {
    int64_t rows, bytes;
};

/* A registers buffer whose last two dimensions are a tile's, and the factors of its products. */
enum tile_role { TILE_SUMS, TILE_LEFT, TILE_RIGHT, TILE_ROLES };
struct tile_group {
    const struct buffer *sums;
    struct tile_shape shape[TILE_ROLES];
    int count[TILE_ROLES]; /* registers */
    int at[TILE_ROLES][TILE_REGISTERS];
};

struct tile_plan {
    int groups;
    struct tile_group group[MOST_TILE_GROUPS];
    /* One shape of each register serves all groups; else each group sets up its own. */
    bool shared;
};

/* NULL: the kernel has no tiles. In *why, why its code cannot be made (NULL: it can), and *buffer
 * is to blame: it asks for more registers than there are, or for two groups at once. */
struct tile_plan *tile_plan_new(struct arena *arena, const struct kernel *kernel, const char **why,
                                const struct buffer **buffer);
struct tile_group *tile_group_of(struct tile_plan *plan, const struct buffer *sums);

/* What ldtilecfg reads. */
enum { TILE_CONFIG_BYTES = 64 };
void tile_config(const struct tile_plan *plan, const struct tile_group *group,
                 uint8_t bytes[TILE_CONFIG_BYTES]);

#endif
