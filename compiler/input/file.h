/* Whole files: read into memory, written atomically. */
#ifndef COMPILER_FILE_H
#define COMPILER_FILE_H
#include "diag.h"
#include <stddef.h>

/* Reads a regular file of at most `most` bytes, with a zero byte behind it; free() it. STATUS_SYSTEM
 * (cannot be read) or STATUS_INPUT (not regular, too large), with the error printed. */
enum status file_read(const char *path, size_t most, char **data, size_t *size);

/* Writes a temporary file in the same folder, flushes it, renames it over `path`. An existing path
 * that is no regular file (/dev/full, a pipe) is written in place and never replaced. Errors are
 * printed; then nothing is left behind, and an old file stays as it was. */
enum status file_write(const char *path, const void *data, size_t size);

/* Whether both name the same existing file. */
bool file_same(const char *a, const char *b);

#endif
