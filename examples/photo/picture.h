/* A JPEG or PNG file as a network takes it: bytes, of its middle, at the network's size. C11,
 * C++11. */
#ifndef PHOTO_PICTURE_H
#define PHOTO_PICTURE_H
#include <stb/stb_image.h>
#include <stddef.h>

/* The average of the pixels of a square that ends before (row1, column1), one channel. */
static inline unsigned char picture_average(const unsigned char *pixels, int width, int channels,
                                            int row0, int row1, int column0, int column1)
{
    unsigned long sum = 0, count = 0;
    for (int row = row0; row < row1; row++)
        for (int column = column0; column < column1; column++, count++)
            sum += pixels[((size_t)row * (size_t)width + (size_t)column) * (size_t)channels];
    return (unsigned char)((sum + count / 2) / count);
}

/* Writes (size, size, channels) bytes: the largest square in the middle of the picture, each pixel
 * the average of those that it covers. Pictures may be of any size from `size` on. Returns 0 where
 * it cannot: stbi_failure_reason() says why, or the picture is too small. */
static inline int picture_read(const char *path, int size, int channels, unsigned char *out)
{
    int width, height, found;
    unsigned char *pixels = stbi_load(path, &width, &height, &found, channels);
    int side = width < height ? width : height;
    if (!pixels || side < size) {
        stbi_image_free(pixels);
        return 0;
    }
    for (int row = 0; row < size; row++)
        for (int column = 0; column < size; column++)
            for (int c = 0; c < channels; c++) {
                int top = (height - side) / 2, left = (width - side) / 2;
                *out++ = picture_average(pixels + c, width, channels, top + row * side / size,
                                         top + (row + 1) * side / size,
                                         left + column * side / size,
                                         left + (column + 1) * side / size);
            }
    stbi_image_free(pixels);
    return 1;
}

#endif
