/* Other programs that make a file of a file: ptxas, linkers. */
#ifndef COMPILER_TOOL_H
#define COMPILER_TOOL_H
#include "backend.h"
#include "diag.h"

/* Starts a program of the PATH, or of a path, and waits for it: its exit status, 255 where a signal
 * ended it, -1 with errno where it does not start. What it says, on either stream, goes to `said`,
 * as much as there is room for. */
int tool_run(const char *program, char *const *argument, char *said, size_t size);

/* Makes the file `to` of the file `from`; false with a message. */
typedef bool tool_make(const void *context, const char *from, const char *to);

/* Puts `from` into a file of a new folder, has `to` made beside it, reads that and removes both.
 * The names are those of the files in the folder. Errors are printed. */
enum status tool_convert(const char *from_name, const struct backend_file *from,
                         const char *to_name, struct backend_file *to, tool_make *make,
                         const void *context);

#endif
