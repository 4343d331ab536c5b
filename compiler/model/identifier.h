/* Names for symbols in the languages that call a compiled model. */
#ifndef COMPILER_IDENTIFIER_H
#define COMPILER_IDENTIFIER_H
#include <stdbool.h>

/* The keywords of C (to C23) and C++ (to C++23), up to NULL. */
extern const char *const identifier_keyword[];

enum { MAX_NAME = 63 };
#define IDENTIFIER_RULE                                                                            \
    "a C identifier of at most 63 characters, no keyword of C or C++, not san or san_..."

/* Whether it keeps this rule: an ASCII identifier of C of at most MAX_NAME characters, no such
 * keyword, and none of the names of san/abi.h and its like, `san` and those that begin with `san_`.
 */
bool identifier_valid(const char *name);

#endif
