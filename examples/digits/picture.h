/* A PNG file as the digits' networks take it. */
#ifndef DIGITS_PICTURE_H
#define DIGITS_PICTURE_H
#include <png.h>
#include <stdio.h>

enum { SIZE = 28, DIGITS = 10 };

/* Pixels as the network was trained on them: (byte / 255 - mean) / deviation of the training set.
 * Returns 0 where it cannot, and says why on standard error. */
static inline int picture_read(const char *path, float *input)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    png_byte pixels[SIZE * SIZE];
    if (!png_image_begin_read_from_file(&image, path)) {
        fprintf(stderr, "%s: %s\n", path, image.message);
        return 0;
    }
    if (image.width != SIZE || image.height != SIZE) {
        fprintf(stderr, "%s: %u x %u pixels, not 28 x 28\n", path, (unsigned)image.width,
                (unsigned)image.height);
        png_image_free(&image);
        return 0;
    }
    image.format = PNG_FORMAT_GRAY;
    if (!png_image_finish_read(&image, NULL, pixels, SIZE, NULL)) {
        fprintf(stderr, "%s: %s\n", path, image.message);
        return 0;
    }
    for (int i = 0; i < SIZE * SIZE; i++)
        input[i] = ((float)pixels[i] / 255.0f - 0.1307f) / 0.3081f;
    return 1;
}

#endif
