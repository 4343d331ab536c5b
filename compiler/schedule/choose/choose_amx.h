#ifndef COMPILER_CHOOSE_AMX_H
#define COMPILER_CHOOSE_AMX_H
#include "plan.h"

/* Where a tile's rows of a factor come from, and its sums go to. */
struct amx_rows {
    bool even;     /* AMX loads them where they lie; else they are copied first */
    bool stored;   /* it stores sums where they belong; else vectors take them there */
    int64_t terms; /* of a row, that the rows before it do not have: fewer than all in windows */
};

/* Of a nest whose block has so many rows and vectors. */
struct amx_rows amx_rows(const struct subject *subject, const struct kernel_nest *nest,
                         int64_t tile, int64_t rows, int64_t vectors);

/* Cycles that rows take beside the products: their copy, and what L2 shows of them when `passes`
 * blocks of columns read them. */
double amx_rows_cycles(const struct subject *subject, const struct kernel_nest *nest, int64_t tile,
                       const struct amx_rows *rows, int64_t passes);

#endif
