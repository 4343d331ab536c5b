/* Reads the command line. */
#ifndef COMPILER_OPTION_PARSE_H
#define COMPILER_OPTION_PARSE_H
#include "command.h"

/* Reads a command line without the program's name: the command and what follows. On STATUS_USAGE
 * every error is printed, with what is allowed. options_free in any case. */
enum status options_parse(int count, char *const *argument, struct options *options);
void options_free(struct options *options);

#endif
