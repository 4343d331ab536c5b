/* An index of which kernels touch which buffers. A loop pass makes it when it begins and keeps it
 * right: touches_forget before it changes a kernel, touches_add after. */
#ifndef COMPILER_TOUCHES_H
#define COMPILER_TOUCHES_H
#include "loops.h"

/* What one kernel does with one buffer of the module. */
struct touch {
    struct kernel *kernel;
    struct buffer *buffer;
    int stores, loads;  /* in the kernel's text */
    int64_t iterations; /* the most of any load; 0: no load. A look-up in a table is a touch too */
    struct touch *of_kernel;   /* the kernel's next */
    struct touch *prev, *next; /* the buffer's, in no order */
};

void touches_index(struct module *m); /* of all kernels, which get their numbers */
void touches_forget(struct kernel *kernel);
void touches_add(struct module *m, struct kernel *kernel);

/* Forgets the kernel; it leaves the module's list with touches_finish. */
void kernel_remove(struct kernel *kernel);
/* Removes buffers that no kernel touches. */
void buffers_remove_unused(struct module *m);
/* The end of a pass: sweeps out removed kernels and names the variables of those that stay. */
void touches_finish(struct module *m);

/* The nest that computes a workspace buffer, where a single nest stores every element once. */
struct producer {
    struct buffer *buffer;
    struct kernel *kernel;
    struct nest nest;
};

bool producer_find(struct buffer *buffer, struct producer *p);
/* The expression of the element that `load` reads. */
const struct expr *producer_value(struct module *m, const struct producer *p,
                                  const struct expr *load);

#endif
