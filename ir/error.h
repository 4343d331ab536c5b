/* What is wrong with something that was given, and where. The only error type: the function that
 * finds an error fills it in and returns false, callers that know more add to it, and
 * compiler/input/diag.h prints it. */
#ifndef IR_ERROR_H
#define IR_ERROR_H
#include <stdbool.h>

/* A place in a text; line 0: none. */
struct location {
    int line, column; /* from 1; columns count bytes */
};

enum { ERROR_TEXT = 1024 };

struct error {
    const char *file; /* as messages name it, not owned; NULL: no file's */
    struct location at;
    char text[ERROR_TEXT];
};

/* False, for `return error_set(...)`. The place stays as it is. error may be NULL, where the caller
 * does not need it. */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_set_at(struct error *error, struct location at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
