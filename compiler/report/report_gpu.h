/* The page of a report for a GPU. */
#ifndef COMPILER_REPORT_GPU_H
#define COMPILER_REPORT_GPU_H
#include "backend.h"

struct gpu_page {
    FILE *out;
    const struct module *module; /* of kernels for the target alone, with their costs */
    const struct target *target;
    const char *ptx;
    const char *said; /* by `ptxas -v`; NULL: there is none */
};

void gpu_page_put(const struct gpu_page *page);

#endif
