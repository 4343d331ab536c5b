/* Index arithmetic: quasi-affine expressions of loop variables, kept canonical. Terms are sorted
 * and merged; divisions and remainders are simplified by the ranges of the variables. */
#ifndef IR_AFFINE_H
#define IR_AFFINE_H
#include "ir.h"

const struct affine *affine_constant(struct arena *arena, int64_t value);
const struct affine *affine_var(struct arena *arena, struct var *var);
const struct affine *affine_add(struct arena *arena, const struct affine *a,
                                const struct affine *b);
const struct affine *affine_offset(struct arena *arena, const struct affine *a, int64_t value);
const struct affine *affine_scale(struct arena *arena, const struct affine *a, int64_t factor);
const struct affine *affine_div(struct arena *arena, const struct affine *a, int64_t divisor);
const struct affine *affine_mod(struct arena *arena, const struct affine *a, int64_t divisor);
const struct affine *affine_lookup(struct arena *arena, struct buffer *table,
                                   const struct affine *inner, int64_t limit);
/* a with every use of var replaced */
const struct affine *affine_substitute(struct arena *arena, const struct affine *a,
                                       const struct var *var, const struct affine *with);
void affine_range(const struct affine *a, int64_t *least, int64_t *most);
bool affine_equal(const struct affine *a, const struct affine *b);
bool affine_uses(const struct affine *a, const struct var *var);
/* Sets *step to what one more of var adds; false where that depends on its value, as in div. */
bool affine_step(const struct affine *a, const struct var *var, int64_t *step);
bool affine_is_constant(const struct affine *a);
/* The row-major element offset of an access, in elements. */
const struct affine *affine_linearize(struct arena *arena, const struct shape *shape,
                                      const struct affine *const *index);
#endif
