/* UTF-8, and the escapes of JSON strings. */
#ifndef COMPILER_ESCAPE_H
#define COMPILER_ESCAPE_H
#include <stddef.h>
#include <stdio.h>

/* The bytes of the UTF-8 sequence at the start of `at`, of which `left` can be read; 0: it is none.
 */
size_t utf8_length(const unsigned char *at, size_t left);

/* Writes a code point, and says how many bytes it took: at most 4. */
size_t utf8_write(int code, char *to);

/* The code point that the digits after \u give, and the bytes they take (10 for a surrogate pair);
 * -1: they give none. */
int escape_code(const unsigned char *at, size_t left, size_t *used);

/* Decodes the inside of a valid string, `left` bytes, into `to`; the result is never longer. */
void escape_decode(const unsigned char *from, size_t left, char *to);

/* Writes a JSON string, quotes included. "<" is escaped too, so that it may stand inside of HTML;
 * bytes that are no UTF-8 come out as the code points of their values. */
void escape_print(const char *text, FILE *file);

#endif
