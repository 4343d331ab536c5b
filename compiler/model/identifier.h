/* Names for symbols in the languages that call a compiled model. */
#ifndef COMPILER_IDENTIFIER_H
#define COMPILER_IDENTIFIER_H
#include <stdbool.h>

/* The keywords of C (to C23) and C++ (to C++23), up to NULL. */
extern const char *const identifier_keyword[];

/* Whether it is an ASCII identifier of C, no such keyword, and none of the names of san/abi.h and
 * its like: `san` and those that begin with `san_`. */
bool identifier_valid(const char *name);

#endif
