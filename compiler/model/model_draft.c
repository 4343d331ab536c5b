#include "model_draft.h"
#include <stdarg.h>
#include <stdio.h>

enum { MOST_ERRORS = 20 };

void draft_error(struct draft *draft, size_t offset, const char *format, ...)
{
    draft->errors++;
    if (!draft->path || draft->errors > MOST_ERRORS + 1)
        return;
    if (draft->errors > MOST_ERRORS) {
        diag_error(draft->path, 0, 0, "more errors than %d, the rest is not shown", MOST_ERRORS);
        return;
    }
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    int line, column;
    json_place(draft->json->text, offset, &line, &column);
    diag_error(draft->path, line, column, "%s", message);
}
