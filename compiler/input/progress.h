/* How far long work is: one line of standard error that is written anew, and is gone at the end.
 * Only on a terminal. One thread at a time, as there is one terminal. */
#ifndef COMPILER_PROGRESS_H
#define COMPILER_PROGRESS_H
#include <stdbool.h>

/* Whether standard error is a terminal that takes more than plain text. */
bool progress_terminal(void);

/* Before the work; until then, and where it is not wanted, nothing is shown. */
void progress_begin(bool wanted);

/* Whether it is time to show something new, for loops that turn often. */
bool progress_due(void);

/* "evaluating after pass 3 of 43": one line, cut off where the terminal ends. */
void progress_show(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Removes the line, before anything else is printed. */
void progress_clear(void);

#endif
