/* Diagnostics on standard error: FILE:LINE:COLUMN: error: MESSAGE, several per run. Below it
 * stands the line of the file, and a caret under the column:
 *
 *   net.json:5:15: error: classes must be an integer from 1 to 1000000, found 0
 *       5 |   "classes": 0,
 *         |              ^
 *
 * On a terminal in colour, unless NO_COLOR is set (no-color.org). */
#ifndef COMPILER_DIAG_H
#define COMPILER_DIAG_H
#include "error.h"

/* What a command ends with: INTERFACE of every command of the driver. */
enum status {
    STATUS_DONE = 0,
    STATUS_CHECK_FAILED = 1,
    STATUS_USAGE = 2,  /* the command line is wrong */
    STATUS_INPUT = 3,  /* an input file is wrong, or is not there */
    STATUS_SYSTEM = 4, /* no space, no permission, a processor that lacks instructions */
    STATUS_DEFECT = 5  /* a defect in the compiler */
};

/* Prints an error; a warning, after which work goes on. */
void diag_report(const struct error *error);
void diag_warning(const struct error *warning);

/* Likewise. file may be NULL (then "sanc: error: ..."), "-" is standard input; line 0 leaves
 * line and column out. */
void diag_error(const char *file, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
