/* The help, made from the tables of commands and options. */
#ifndef COMPILER_HELP_H
#define COMPILER_HELP_H
#include "command.h"

/* The help of a command, or with NULL the list of commands; lines of at most 80 columns. */
void help_print(const struct command_info *command, FILE *file);

/* "sanc 0.1.0", and the versions of what it is made of, on lines of their own. */
void version_print(FILE *file);

#endif
