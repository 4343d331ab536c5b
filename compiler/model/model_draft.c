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
    struct error error = {.file = draft->path};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    error.at = json_place(draft->json->text, offset);
    diag_report(&error);
}
