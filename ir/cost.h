/* What a kernel costs, counted from its loops: operations, distinct bytes, and the bytes that a
 * cache of some size does not hold from one use to the next. Knows no target. */
#ifndef IR_COST_H
#define IR_COST_H
#include "ir.h"

/* A loop, or a variable of a reduction. Loops stand in the order of the text. */
struct work_loop {
    const struct var *var;
    const struct stmt *stmt; /* NULL: of a reduction */
    int parent, depth;       /* parent: -1 for none; depth: 0 for the outermost */
    int begin, end;          /* the accesses inside */
    int next;                /* the first loop after it and all that it holds */
};

struct work_access {
    const struct buffer *buffer;
    int number; /* of the buffer, in work->buffer */
    const struct affine *const *index;
    bool store;
    int loop;           /* the innermost around it; -1: none */
    int64_t iterations; /* how often it runs */
};

struct work {
    int loops, accesses, buffers;
    struct work_loop *loop;
    struct work_access *access;   /* without registers and tables of indices */
    const struct buffer **buffer; /* those accessed */
    int64_t ops[SCALAR_COUNT];    /* executed; a sum and a maximum count once per iteration */
    int64_t stores;               /* likewise; registers included, as in ops[SCALAR_load] */
};

/* Free with work_free. */
struct work *work_new(const struct kernel *kernel);
void work_free(struct work *work);

/* fma is 2; add, sub, mul, div, max, sqrt, and an iteration of a sum or a maximum are 1; exp is not
 * counted. */
int64_t work_flops(const struct work *work);

enum access_kind { ACCESS_READ = 1, ACCESS_WRITE = 2 };

/* Distinct bytes of each buffer (bytes[work->buffers]) that accesses of these kinds touch: the box
 * around them, or their number where that is less. Exact for boxes without holes. */
void work_footprint(const struct work *work, unsigned kinds, int64_t *bytes);

/* Bytes of each buffer that a cache of this size has to fetch, empty at the beginning. Found loop
 * by loop: where the cache holds what an iteration touches, that is fetched once for the whole
 * loop; where that is twice the cache or more, it is fetched again in each iteration. Writes count
 * like reads. */
void work_misses(const struct work *work, int64_t cache, double *bytes);

#endif
