/* What ops are lowered with: making buffers, kernels and nests for instructions. */
#ifndef IR_LOWERING_H
#define IR_LOWERING_H
#include "affine.h"
#include "ir.h"
#include "names.h"

typedef const struct affine *affine_ref;

struct lowering {
    struct module *m;
    struct buffer **of;   /* by instruction id */
    struct names kernels; /* by name: the number of kernels that asked for it, as an int */
    /* the ends of the module's lists, or earlier places in them */
    struct buffer **last_buffer;
    struct kernel **last_kernel;
};

/* One nest: loops over an op's result, and the index of the element stored. */
struct loops {
    int vars;
    struct var *var[MAX_RANK + 2];
    affine_ref index[MAX_RANK]; /* of the buffer stored to */
};

/* A new buffer of the module. */
struct buffer *lowering_buffer_new(struct lowering *l, const char *name, enum place place,
                                   struct shape shape);
/* The buffer of an instruction's value; made when first asked for. */
struct buffer *lowering_buffer(struct lowering *l, struct inst *inst);
const struct expr *lowering_load(struct lowering *l, struct inst *inst, const affine_ref *index);
/* An operand that broadcasts to the result, of this rank, at `index`. */
const struct expr *load_broadcast(struct lowering *l, struct inst *inst, int rank,
                                  const affine_ref *index);
/* Reserves a name: no kernel made from now on gets it. False: one has it already. */
bool lowering_name_kernel(struct lowering *l, const char *name);
/* A new kernel, named after the instruction's layer and shape. */
struct kernel *lowering_kernel(struct lowering *l, const struct inst *inst);

struct var *loop_over(struct lowering *l, struct loops *loops, const char *name, int64_t extent);
/* Loops over every dimension of a shape, with the index that they make. */
struct loops loops_over(struct lowering *l, const struct shape *shape);
/* Appends the loops around a store of the value. */
void finish_nest(struct lowering *l, struct kernel *kernel, const struct loops *loops,
                 struct buffer *buffer, const struct expr *value);

static inline affine_ref index_of(struct lowering *l, struct var *var)
{
    return affine_var(l->m->arena, var);
}

static inline affine_ref index_zero(struct lowering *l)
{
    return affine_constant(l->m->arena, 0);
}

static inline const struct expr *expr_op2(struct lowering *l, enum scalar_op op,
                                          const struct expr *a, const struct expr *b)
{
    return expr_op(l->m, op, a, b, NULL);
}

#endif
