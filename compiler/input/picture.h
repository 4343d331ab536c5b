/* Photographs: PNG and JPEG files, resized and cut out as networks are evaluated. */
#ifndef COMPILER_PICTURE_H
#define COMPILER_PICTURE_H
#include "diag.h"
#include <stdint.h>

/* Rows of pixels of `channels` bytes. */
struct picture {
    int width, height, channels;
    uint8_t *data;
};

/* Whether the name of a file ends in .png, .jpg or .jpeg. */
bool picture_is(const char *path);

/* Reads a file of at most 64 million pixels, as `channels` 1 (grey) or 3 (red, green, blue).
 * Transparency is ignored. STATUS_INPUT or STATUS_SYSTEM on errors, which are printed;
 * picture_free in any case. */
enum status picture_read(const char *path, int channels, struct picture *picture);
void picture_free(struct picture *picture);

/* Changes the shorter side to `size`, the other in proportion, rounded down. The same bytes as
 * PIL's Image.resize with BILINEAR, and torchvision's Resize of such images. */
void picture_resize(struct picture *picture, int size);

/* The centre, height x width bytes of each channel, which must be there: as torchvision's
 * CenterCrop. planes: channel by channel, else pixel by pixel. */
void picture_cut(const struct picture *picture, int height, int width, bool planes, uint8_t *to);

#endif
