/* What a file is that was taken for another. */
#ifndef COMPILER_FILE_KIND_H
#define COMPILER_FILE_KIND_H
#include <stddef.h>

/* "a JPEG image", "a web page (HTML)", with what to do about it where that helps; NULL: none of
 * those known. */
const char *file_kind(const char *data, size_t size);

#endif
