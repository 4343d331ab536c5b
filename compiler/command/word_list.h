/* "a, b or c": what is allowed, as messages and the help say it. */
#ifndef COMPILER_WORD_LIST_H
#define COMPILER_WORD_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct word_list {
    char text[1024];
    size_t used; /* more than there is room for: the text is cut off */
};

void word_list_add(struct word_list *list, const char *word, bool last);

#endif
