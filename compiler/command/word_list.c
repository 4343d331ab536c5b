#include "word_list.h"
#include <stdio.h>

void word_list_add(struct word_list *list, const char *word, bool last)
{
    const char *between = !list->used ? "" : last ? " or " : ", ";
    if (list->used < sizeof list->text)
        list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used,
                                       "%s%s", between, word);
}
