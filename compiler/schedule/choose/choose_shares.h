#ifndef COMPILER_CHOOSE_SHARES_H
#define COMPILER_CHOOSE_SHARES_H
#include "plan.h"

/* Divides a kernel without loops over pixels by its columns, where that is worth it. */
void shares_choose(const struct subject *subject, struct plan *plan);

#endif
