/* `sanc tune`: searches schedules for the kernels of a network, one kernel after the other. */
#ifndef COMPILER_TUNE_H
#define COMPILER_TUNE_H
#include "search.h"

struct tune {
    const struct source *source; /* with weights; its tunings are what searches begin with */
    struct module *module;       /* before the pass `schedule`, for one target, a processor's */
    struct tunings *tunings;     /* those whose search ended are done; the others are added */
    double seconds;              /* for all kernels */
    bool (*stopped)(void);       /* whether to end now */
    enum status (*save)(void *context); /* after each kernel */
    void *context;
};

/* Prints a line for each kernel, and errors. */
enum status tune_run(struct tune *tune);

#endif
