#include "diag.h"
#include "escape.h"
#include "progress.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* SHOWN columns of a line are shown around an error, BEFORE of them before it; MOST_BYTES of the
 * file are searched for the line. */
enum { SHOWN = 72, BEFORE = 48, MOST_BYTES = 1 << 24 };

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

/* ---- colour ---------------------------------------------------------------------------------- */

static bool has_colour(void)
{
    const char *none = getenv("NO_COLOR");
    return !(none && *none) && progress_terminal();
}

static void print_coloured(const char *colour, const char *text)
{
    bool coloured = has_colour();
    fprintf(stderr, "%s%s%s", coloured ? colour : "", text, coloured ? "\033[0m" : "");
}

/* ---- the line of the file -------------------------------------------------------------------- */

/* Moves to the first byte of a line. */
static bool find_line(FILE *file, int line)
{
    for (int byte, bytes = 0; line > 1; bytes++) {
        if ((byte = getc(file)) == EOF || bytes > MOST_BYTES)
            return false;
        line -= byte == '\n';
    }
    return true;
}

/* Replaces control characters by spaces, and what is not UTF-8 by question marks. */
static void make_printable(unsigned char *text, int size)
{
    for (int i = 0, length; i < size; i += length) {
        length = (int)utf8_length(text + i, (size_t)(size - i));
        if (length == 0)
            text[i] = '?';
        if ((length == 1 && (text[i] < 0x20 || text[i] == 0x7f)) ||
            (length == 2 && text[i] == 0xc2 && text[i + 1] < 0xa0))
            memset(text + i, ' ', (size_t)length);
        length += length == 0;
    }
}

/* The part of a line around the column, and a caret below it. */
static void print_line(FILE *file, int line, int column)
{
    char text[SHOWN + 1];
    int begin = column > BEFORE ? column - BEFORE : 1, length = 0, caret = 0, byte;
    for (int i = 1; i < begin; i++)
        if ((byte = getc(file)) == EOF || byte == '\n')
            return;
    while (length < SHOWN && (byte = getc(file)) != EOF && byte != '\n')
        text[length++] = (char)byte;
    if (begin + length < column)
        return; /* the file has changed */
    text[length] = 0;
    make_printable((unsigned char *)text, length);
    for (int i = 0; i < column - begin; i++)
        caret += ((unsigned char)text[i] & 0xc0) != 0x80; /* not within a character of UTF-8 */
    const char *before = begin > 1 ? "..." : "", *after = length == SHOWN ? "..." : "";
    fprintf(stderr, "%5d | %s%s%s\n%5s | %*s", line, before, text, after, "",
            (int)strlen(before) + caret, "");
    print_coloured("\033[1;32m", "^");
    putc('\n', stderr);
}

static void print_source(const char *name, int line, int column)
{
    struct stat found;
    if (stat(name, &found) != 0 || !S_ISREG(found.st_mode))
        return;
    FILE *file = fopen(name, "r");
    if (!file)
        return;
    if (find_line(file, line))
        print_line(file, line, column);
    fclose(file);
}

/* ---- an error, a warning --------------------------------------------------------------------- */

static void print_place(const char *file, int line, int column)
{
    const char *name = !file ? "sanc" : strcmp(file, "-") == 0 ? "<stdin>" : file;
    progress_clear();
    flockfile(stderr);
    print_escaped(name);
    if (file && line > 0)
        fprintf(stderr, ":%d:%d", line, column);
    fputs(": ", stderr);
}

static void print_text(const char *file, int line, int column, const char *text)
{
    putc(' ', stderr);
    print_escaped(text);
    putc('\n', stderr);
    if (file && line > 0 && column > 0)
        print_source(file, line, column);
    funlockfile(stderr);
}

static void print_error(const char *file, int line, int column, const char *text)
{
    print_place(file, line, column);
    print_coloured("\033[1;31m", "error:");
    print_text(file, line, column, text);
}

void diag_warning(const struct error *error)
{
    print_place(error->file, error->at.line, error->at.column);
    print_coloured("\033[1;35m", "warning:");
    print_text(error->file, error->at.line, error->at.column, error->text);
}

void diag_report(const struct error *error)
{
    print_error(error->file, error->at.line, error->at.column, error->text);
}

void diag_error(const char *file, int line, int column, const char *format, ...)
{
    struct error brief;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(brief.text, sizeof brief.text, format, arguments);
    va_end(arguments);
    char *whole = size >= ERROR_TEXT ? malloc((size_t)size + 1) : NULL;
    if (whole) {
        va_start(arguments, format);
        vsnprintf(whole, (size_t)size + 1, format, arguments);
        va_end(arguments);
    }
    print_error(file, line, column, whole ? whole : brief.text); /* cut off rather than lost */
    free(whole);
}
