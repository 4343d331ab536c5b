/* Reads the values of options. */
#ifndef COMPILER_OPTION_VALUE_H
#define COMPILER_OPTION_VALUE_H
#include "option_table.h"

/* Reads the value of an option into its field; errors are printed. Lists point into *room, which is
 * moved on by the length of the value and its end. */
bool option_read_value(const struct option_info *info, const char *value, struct options *options,
                       char **room);

/* The number'th word that an option of kind CHOICE, PASS, PASSES or KINDS takes; NULL: no more,
 * or of another kind. */
const char *option_word(const struct option_info *info, int number);

#endif
