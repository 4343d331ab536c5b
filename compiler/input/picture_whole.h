/* Whether a PNG or JPEG file is all there: decoders make grey of what is missing. */
#ifndef COMPILER_PICTURE_WHOLE_H
#define COMPILER_PICTURE_WHOLE_H
#include <stddef.h>
#include <stdint.h>

/* NULL, or what is wrong with the file, for an error. */
const char *png_problem(const uint8_t *data, size_t size);
const char *jpeg_problem(const uint8_t *data, size_t size);

#endif
