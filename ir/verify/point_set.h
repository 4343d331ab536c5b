/* Sets of the numbers of a group's points: an interval where the index says so, else a bit for
 * each. Private to this folder. */
#ifndef IR_VERIFY_POINT_SET_H
#define IR_VERIFY_POINT_SET_H
#include "groups.h"

/* ---- numbers of points, one by one ----------------------------------------------------------- */

enum { MOST_WALK = 64 };

/* Variables, with how many values each has. */
struct walk {
    int vars;
    const struct var *var[MOST_WALK];
    int64_t value[MOST_WALK];
};

/* An index over the slots of a walk. */
struct form;
struct form *form_of(struct query *query, struct walk *walk, const struct affine *index);
int64_t form_value(const struct form *form, const int64_t *value);
/* The variable's place in a walk; -1: it is not there. */
int walk_slot(const struct walk *walk, const struct var *var);
/* False: that would take more steps than the effort has. */
bool walk_starts(struct query *query, struct walk *walk);
bool walk_goes_on(struct walk *walk);

/* ---- sets ------------------------------------------------------------------------------------ */

/* Numbers of a group's points: those with a bit in `bits`, or all from least to most. */
struct set {
    int64_t size, least, most;
    uint64_t *bits;
};

/* The most points of a group for which bits are kept. */
static const int64_t MOST_BITS = INT64_C(1) << 28;

struct set set_of(struct query *query, int group, const struct points *points);
/* False: no interval, or not known to be one. */
bool set_interval(struct query *query, int group, const struct points *points, struct set *set);
bool set_is_empty(const struct set *set);
/* The least number; the set is not empty. */
int64_t set_first(const struct set *set);
bool sets_meet(const struct set *a, const struct set *b);
struct set set_common(struct query *query, const struct set *a, const struct set *b);
/* a without b, in two parts, of which either may be empty. */
void set_without(struct query *query, const struct set *a, const struct set *b, struct set part[2]);

#endif
