/* What may stand for the value of an option, for completion. */
#ifndef COMPILER_PAGE_WORDS_H
#define COMPILER_PAGE_WORDS_H
#include "option_table.h"

/* As option_word, and the names of targets. */
const char *page_word(const struct option_info *info, int number);

/* All words, with blanks between. */
void page_words_print(const struct option_info *info, FILE *file);

#endif
