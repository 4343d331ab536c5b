/* The help, made from the tables of commands and options; and its parts, of which install/ makes
 * manual pages. */
#ifndef COMPILER_HELP_H
#define COMPILER_HELP_H
#include "option_table.h"
#include <stdio.h>

extern const char help_of_program[], help_of_model[], help_of_status[];

/* "sanc compile MODEL -o FILE [OPTIONS]". */
void help_usage(const struct command_info *command, FILE *file);

/* What an option does, and for that command whether it is required. */
enum { HELP_TEXT = 1024 };
void help_option_text(const struct option_info *info, const struct command_info *command,
                      char text[HELP_TEXT]);

/* The help of a command, or with NULL the list of commands; lines of at most 80 columns. */
void help_print(const struct command_info *command, FILE *file);

/* "sanc 0.1.0", and the versions of what it is made of, on lines of their own. */
void version_print(FILE *file);

#endif
