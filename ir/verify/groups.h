/* Groups of coordinates that share variables. A set of points is the product of its sets in each
 * group. The points of a group are numbered. Private to this folder. */
#ifndef IR_VERIFY_GROUPS_H
#define IR_VERIFY_GROUPS_H
#include "space.h"

struct query {
    struct arena *arena;
    struct effort *effort;
    const struct space *space;
    bool unknown;
    int groups;
    int group[MOST_COORDINATES]; /* of each coordinate */
};

/* First each coordinate is a group, then groups are joined, then numbered from 0 on. */
void groups_begin(struct query *query);
void groups_join(struct query *query, int a, int b); /* of these coordinates */
void groups_join_sharing(struct query *query, const struct points *points);
void groups_end(struct query *query);

/* The number of points in a group's space. */
int64_t group_size(struct query *query, int group);
/* The number of a point among its group's. */
const struct affine *group_number(struct query *query, int group, const struct points *points);

#endif
