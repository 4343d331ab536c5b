/* Diagnostics on standard error: FILE:LINE:COLUMN: error: MESSAGE, several per run. */
#ifndef COMPILER_DIAG_H
#define COMPILER_DIAG_H
#include <stdbool.h>

/* What a command ends with: INTERFACE of every command of the driver. */
enum status {
    STATUS_DONE = 0,
    STATUS_CHECK_FAILED = 1,
    STATUS_USAGE = 2,  /* the command line is wrong */
    STATUS_INPUT = 3,  /* an input file is wrong */
    STATUS_SYSTEM = 4, /* no space, no permission, a processor that lacks instructions */
    STATUS_DEFECT = 5  /* a defect in the compiler */
};

/* Prints an error. file may be NULL (then "sanc: error: ..."), line 0 leaves line and column out. */
void diag_error(const char *file, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
