/* The words of the text form. */
#include "words.h"
#include "rules.h"
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool name_is_identifier(const char *name, size_t length)
{
    if (!length || length > MOST_NAME || !is_letter(name[0]))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!is_letter(name[i]) && !is_digit(name[i]))
            return false;
    return true;
}

/* Words that end what comes before them, or begin a statement. */
bool name_is_reserved(const char *name, size_t length)
{
    static const char *const word[] = {"for",      "schedule", "kernel", "at",     "from",
                                       "div",      "mod",      "inf",    "serial", "parallel",
                                       "unroll",   "vector",   "block",  "thread", "barrier",
                                       "prefetch", "cost",     "warp",   "matrix", "async"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (strlen(word[i]) == length && memcmp(word[i], name, length) == 0)
            return true;
    return false;
}

bool is_word_character(char c)
{
    return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '+' || c == '*' || c == '=';
}
