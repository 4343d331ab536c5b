/* Plans that differ from another one in one command. */
#ifndef COMPILER_NEIGHBOURS_H
#define COMPILER_NEIGHBOURS_H
#include "plan.h"

/* Shows plans in which one command has one or two other operands, or is given or left out. They may
 * break rules. */
typedef void neighbour_visitor(void *context, const struct plan *plan);
void neighbours_visit(const struct subject *subject, const struct plan *plan,
                      neighbour_visitor *visit, void *context);

#endif
