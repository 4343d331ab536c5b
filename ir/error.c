#include "error.h"
#include <stdarg.h>
#include <stdio.h>

static void write_text(struct error *error, const char *format, va_list arguments)
{
    char text[ERROR_TEXT]; /* the arguments may be parts of the old text */
    vsnprintf(text, sizeof text, format, arguments);
    snprintf(error->text, sizeof error->text, "%s", text);
}

bool error_set(struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (error)
        write_text(error, format, arguments);
    va_end(arguments);
    return false;
}

bool error_set_at(struct error *error, struct location at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (error) {
        error->at = at;
        write_text(error, format, arguments);
    }
    va_end(arguments);
    return false;
}
