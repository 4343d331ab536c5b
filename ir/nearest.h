/* What somebody may have meant by a misspelt word. */
#ifndef IR_NEAREST_H
#define IR_NEAREST_H
#include <stddef.h>

/* The nearest of the names tried so far. Begin with {.word = ...}. */
struct nearest {
    const char *word;
    const char *name; /* NULL: none is near enough to be meant */
    int distance;     /* of `name`: characters added, left out, changed or swapped */
};

/* A name that the word may stand for. At most a third of its characters may differ, or it may be
 * cut short. */
void nearest_try(struct nearest *nearest, const char *name);

/* "; did you mean 'NAME'?" or "", for the end of a message. */
enum { NEAREST_TEXT = 96 };
const char *nearest_hint(const struct nearest *nearest, char text[NEAREST_TEXT]);

#endif
