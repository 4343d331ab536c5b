/* Shared memory of a GPU's block: which buffers lie where. */
#ifndef COMPILER_PLAN_SHARED_H
#define COMPILER_PLAN_SHARED_H
#include "ir.h"

/* A buffer that holds data from interval `first` to `last`. Buffers that hold data at the same time
 * must not overlap. */
struct shared_buffer {
    int64_t bytes, offset;
    int first, last;
};

/* Gives each its offset; returns the bytes of all. */
int64_t shared_place(int count, struct shared_buffer *buffer);

/* Gives the shared buffers of a kernel their offsets; returns how many there are. Lives are counted
 * in barriers. */
int shared_plan(struct kernel *kernel);

#endif
