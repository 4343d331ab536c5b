/* The page that shows what became of a model: one HTML file that needs nothing else. */
#ifndef COMPILER_REPORT_H
#define COMPILER_REPORT_H
#include "backend.h"
#include "source.h"

/* The page for the kernels of one target, with what --profile measured. Errors are printed. */
enum status report_make(const struct source *source, const struct module *module,
                        const char *target, struct backend_file *file);

#endif
