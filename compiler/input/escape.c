#include "escape.h"
#include <string.h>

/* Unicode 15, table 3-7. */
size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < length)
        return 0;
    if (first == 0xe0)
        low = 0xa0; /* else shorter sequences would do */
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xed)
        high = 0x9f; /* surrogates */
    if (first == 0xf4)
        high = 0x8f; /* above U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return length;
}

static int hex_digit(int letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    letter |= 0x20; /* lower case */
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Four hexadecimal digits; -1: they are not. */
static int hex4(const unsigned char *at, size_t left)
{
    int value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < left ? hex_digit(at[i]) : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

size_t utf8_write(int code, char *to)
{
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(mark[size] | code);
    return size;
}

int escape_code(const unsigned char *at, size_t left, size_t *used)
{
    int code = hex4(at, left);
    *used = 4;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || left < 10 || at[4] != '\\' || at[5] != 'u')
        return -1;
    int low = hex4(at + 6, left - 6);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    *used = 10;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

void escape_decode(const unsigned char *from, size_t left, char *to)
{
    static const char letters[] = "bfnrt", meaning[] = "\b\f\n\r\t";
    while (left) {
        size_t used = 1;
        if (*from != '\\') {
            *to++ = (char)*from;
        } else if (from[1] == 'u') {
            to += utf8_write(escape_code(from + 2, left - 2, &used), to);
            used += 2;
        } else {
            const char *letter = strchr(letters, from[1]);
            *to++ = letter ? meaning[letter - letters] : (char)from[1];
            used = 2;
        }
        from += used;
        left -= used;
    }
}

void escape_print(const char *text, FILE *file)
{
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', file);
    for (size_t left = strlen(text), length; left; left -= length, at += length) {
        length = utf8_length(at, left);
        if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else if (length == 0 || *at < ' ' || *at == 127 || *at == '<')
            fprintf(file, "\\u%04x", *at);
        else
            fwrite(at, 1, length, file);
        length = length ? length : 1;
    }
    fputc('"', file);
}
