/* Names for symbols in the languages that call a compiled model. */
#ifndef COMPILER_IDENTIFIER_H
#define COMPILER_IDENTIFIER_H
#include <stdbool.h>

/* Whether it is an ASCII identifier of C, no keyword of C (to C23) or C++ (to C++23). */
bool identifier_valid(const char *name);

#endif
