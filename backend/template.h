/* Text with named holes, in sections, as in dispatch.ll.
 *
 *   ; a comment
 *   ;; section NAME
 *   text with ${HOLE} */
#ifndef BACKEND_TEMPLATE_H
#define BACKEND_TEMPLATE_H
#include <stdint.h>
#include <stdio.h>

/* What a hole is filled with: text, or a number where that is NULL. */
struct hole {
    const char *name;
    const char *text;
    int64_t number;
};

/* Writes a section, its holes filled from a list that ends with a hole without a name. A section or
 * a hole that is not there is a mistake of ours. */
void template_put(FILE *file, const char *text, const char *section, const struct hole *holes);

#endif
