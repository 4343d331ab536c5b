/* Memory. Where it runs out, these functions do not return, so no caller checks their results.
 *
 * The program then ends, but not in the middle of a library: memory_fail calls the handler that
 * main set with memory_on_failure, which removes unfinished files, prints a message and ends the
 * process with status 4. Where no handler was set, as in a test, it aborts. */
#ifndef IR_MEMORY_H
#define IR_MEMORY_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* count elements of `size` bytes, zeroed, at least one; free() them. */
void *allocate(int64_t count, size_t size);
/* The same, as realloc does: `memory` (or NULL) is resized and keeps its contents. What is added is
 * not zeroed. */
void *allocate_again(void *memory, int64_t count, size_t size);

/* A stream that writes into memory, and its end, after which *text has *size bytes and a zero;
 * free() it. */
FILE *memory_stream(char **text, size_t *size);
void memory_stream_end(FILE *stream);

/* There is no memory left. */
_Noreturn void memory_fail(void);

/* What memory_fail calls; it must not return, nor need memory. */
void memory_on_failure(void (*handler)(void));

#endif
