/* Whole files: read into memory, written atomically. The path "-" is standard input or output. */
#ifndef COMPILER_FILE_H
#define COMPILER_FILE_H
#include "diag.h"
#include <stddef.h>

/* Reads a regular file of at most `most` bytes, with a zero byte after it; free() it.
 * STATUS_INPUT (not there, not regular, too large) or STATUS_SYSTEM (cannot be read), with the
 * error printed. */
enum status file_read(const char *path, size_t most, char **data, size_t *size);

/* A regular file, open to be read in parts, or standard input, read to its end. */
struct file_parts {
    const char *path;
    size_t size;
    int file;
    char *data; /* of standard input */
};

/* Opens it, with the limit and the errors of file_read; file_close in any case. */
enum status file_open(const char *path, size_t most, struct file_parts *parts);
/* Bytes [begin, begin + count) of it, which it had when it was opened. STATUS_SYSTEM on errors,
 * printed. */
enum status file_part(const struct file_parts *parts, size_t begin, size_t count, void *to);
void file_close(struct file_parts *parts);

/* Writes a temporary file in the same folder, flushes it, renames it over `path`. An existing path
 * that is no regular file (/dev/full, a pipe) is written in place and never replaced. Errors are
 * printed; then nothing is left behind, and an old file stays as it was. Takes no memory. */
enum status file_write(const char *path, const void *data, size_t size);

/* Whether both name the same existing file. */
bool file_same(const char *a, const char *b);

/* Where the program ends early, file_remove_unfinished removes what was begun and not ended:
 * file_write's temporary file, and at most three files and folders of other code. A signal handler
 * may call it. */
void file_begin(const char *path);
void file_end(const char *path);
void file_remove_unfinished(void);

#endif
