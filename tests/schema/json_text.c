#include "json_text.h"
#include <assert.h>
#include <stdarg.h>
#include <string.h>

enum { WIDTH = 100, INDENT = 2 };

void json_say(FILE *to, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(length >= 0 && length < (int)sizeof text);
    (void)length;
    for (const char *at = text; *at; at++)
        putc(*at == '\'' ? '"' : *at, to);
}

void json_say_string(FILE *to, const char *text)
{
    putc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putc('\\', to);
        putc(*text, to);
    }
    putc('"', to);
}

/* After the string that begins there. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

/* After the value, or the key with its value, that begins there. */
static const char *skip_element(const char *at)
{
    for (int depth = 0; *at && (depth > 0 || !strchr(",]}", *at));) {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
    }
    return at;
}

/* One line of text up to `end`; to NULL: only counts the characters. */
static int print_line(FILE *to, const char *at, const char *end)
{
    int width = 0;
    while (at < end) {
        const char *next = *at == '"' ? skip_string(at) : at + 1;
        if (to)
            fwrite(at, 1, (size_t)(next - at), to);
        width += (int)(next - at);
        if (*at == ',' || *at == ':') {
            if (to)
                putc(' ', to);
            width++;
        }
        at = next;
    }
    return width;
}

static void print_element(FILE *to, const char *at, int indent)
{
    const char *end = skip_element(at);
    if (indent + print_line(NULL, at, end) < WIDTH) { /* leaves room for a comma */
        print_line(to, at, end);
        return;
    }
    const char *value = *at == '"' && *skip_string(at) == ':' ? skip_string(at) + 1 : at;
    print_line(to, at, value);
    if (*value != '{' && *value != '[') { /* a long string */
        print_line(to, value, end);
        return;
    }
    putc(*value, to);
    char separator = ' ';
    for (at = value + 1; separator != end[-1]; at = skip_element(at) + 1) {
        fprintf(to, "\n%*s", indent + INDENT, "");
        print_element(to, at, indent + INDENT);
        separator = *skip_element(at);
        if (separator == ',')
            putc(',', to);
    }
    fprintf(to, "\n%*s%c", indent, "", end[-1]);
}

void json_lay_out(FILE *to, const char *value)
{
    print_element(to, value, 0);
    putc('\n', to);
}
