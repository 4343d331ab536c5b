/* The progress of long work: one line of standard error that is overwritten, and removed at the
 * end. Only on a terminal. Only one thread at a time may use it. */
#ifndef COMPILER_PROGRESS_H
#define COMPILER_PROGRESS_H
#include <stdbool.h>

/* Whether standard error is a terminal that takes more than plain text. */
bool progress_terminal(void);

/* To be called before the work. Without it, or where `wanted` is false, nothing is shown. */
void progress_begin(bool wanted);

/* Whether it is time to show something new; for loops with many iterations. */
bool progress_due(void);

/* "evaluating after pass 3 of 43": one line, cut off where the terminal ends. */
void progress_show(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Removes the line, before anything else is printed. */
void progress_clear(void);

#endif
