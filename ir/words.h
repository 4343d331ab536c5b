/* What may be a name in the text form. */
#ifndef IR_WORDS_H
#define IR_WORDS_H
#include <stdbool.h>
#include <stddef.h>

/* A C identifier of at most MOST_NAME bytes. */
bool name_is_identifier(const char *name, size_t length);
/* A word that cannot be the name of a buffer, variable or kernel. */
bool name_is_reserved(const char *name, size_t length);
/* The characters of a schedule's words. */
bool is_word_character(char c);

#endif
