/* The accesses of a kernel, in the order they happen. Private to this folder. */
#ifndef IR_VERIFY_FLOW_H
#define IR_VERIFY_FLOW_H
#include "matrix.h"
#include "verify.h"

/* The loops around a statement. Positions number statements in the order of the text. */
struct scope {
    const struct scope *up; /* NULL: the kernel's body, which has no loop */
    const struct stmt *loop;
    int depth, begin, end; /* the positions of the loop and of the last statement in it */
};

struct access {
    struct access *next;
    const struct stmt *of; /* the store, or the one that the load is part of */
    const struct affine *const *index;
    const struct scope *in;
    int at; /* the position of its store; a load happens before it */
    bool store;
};

/* What a kernel does with a buffer that it may write. */
struct usage {
    struct usage *next;
    const struct kernel *kernel;
    const struct buffer *buffer;
    int stores, loads;
    struct access *first, **end; /* in the order they happen */
};

struct barrier {
    struct barrier *next;
    int at;
};

struct flow {
    struct flow *next;
    const struct kernel *kernel;
    struct usage *locals, *globals;
    struct barrier *barriers; /* the last one first */
};

/* Kernels that write to a buffer. */
struct written {
    struct written *next;
    const struct usage *usage;
};

/* Whether the loop around a scope's is a matrix loop. */
static inline bool is_in_matrix(const struct scope *scope)
{
    return scope->up && scope->up->loop && scope->up->loop->loop == LOOP_MATRIX;
}

/* Iterations happen in no order. Those of the innermost of three matrix loops add up, and those
 * of a processor's. */
static inline bool runs_at_once(const struct scope *scope)
{
    enum loop_kind kind = scope->loop->loop;
    if (kind == LOOP_MATRIX && matrix_is_pairs(scope->loop))
        return false;
    if (kind == LOOP_MATRIX)
        return !is_in_matrix(scope) || !is_in_matrix(scope->up);
    return kind == LOOP_PARALLEL || kind == LOOP_VECTOR || kind == LOOP_BLOCK ||
           kind == LOOP_THREAD || kind == LOOP_WARP;
}

/* Whether each iteration has its own copy of such a buffer. The first index of registers says which
 * thread's they are. */
static inline bool is_private(enum place place, enum loop_kind kind)
{
    return (kind == LOOP_PARALLEL || kind == LOOP_BLOCK) &&
           (place == PLACE_STACK || place == PLACE_REGISTERS || place == PLACE_SHARED);
}

/* The most points of a kernel that are looked at one by one: some seconds. */
enum { MOST_EFFORT = 1 << 30 };

struct flow *flow_of(struct arena *arena, const struct kernel *kernel);
/* The flow of data in a single kernel. */
bool verify_kernel_flow(struct verifier *verifier, const struct flow *flow);
/* The flow of data in a module whose single statements are right. */
bool verify_flow(struct verifier *verifier);

#endif
