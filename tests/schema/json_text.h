/* JSON put together from pieces of text, and laid out for people. */
#ifndef TESTS_SCHEMA_JSON_TEXT_H
#define TESTS_SCHEMA_JSON_TEXT_H
#include <stdio.h>

/* As fprintf, with ' for ": what is put in must have neither. */
void json_say(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A string in quotes, with what has to be escaped. */
void json_say_string(FILE *to, const char *text);

/* Prints a value without white space outside of strings: what fits stands on one line. */
void json_lay_out(FILE *to, const char *value);

#endif
