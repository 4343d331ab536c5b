/* What a file of the wrong kind is. */
#ifndef COMPILER_FILE_KIND_H
#define COMPILER_FILE_KIND_H
#include <stddef.h>

/* "a JPEG image", "a web page (HTML)", with advice where there is some; NULL: no kind that is known
 * here. */
const char *file_kind(const char *data, size_t size);

#endif
