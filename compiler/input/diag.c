#include "diag.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHORT_MESSAGE = 1024 };

/* Text from a hostile file must not steer the terminal: control characters are spelled out, those
 * of UTF-8's second column (U+0080 to U+009F) too. */
static void print_escaped(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
            fprintf(stderr, "\\u00%02x", at[1]);
            at++;
        } else if (*at < 0x20 || *at == 0x7f) {
            fprintf(stderr, "\\u00%02x", *at);
        } else {
            putc(*at, stderr);
        }
    }
}

void diag_error(const char *file, int line, int column, const char *format, ...)
{
    char brief[SHORT_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(brief, sizeof brief, format, arguments);
    va_end(arguments);
    char *whole = size >= SHORT_MESSAGE ? malloc((size_t)size + 1) : NULL;
    if (whole) {
        va_start(arguments, format);
        vsnprintf(whole, (size_t)size + 1, format, arguments);
        va_end(arguments);
    }
    flockfile(stderr);
    print_escaped(file ? file : "sanc");
    if (file && line > 0)
        fprintf(stderr, ":%d:%d", line, column);
    fputs(": error: ", stderr);
    print_escaped(whole ? whole : brief); /* cut off rather than lost */
    putc('\n', stderr);
    funlockfile(stderr);
    free(whole);
}
