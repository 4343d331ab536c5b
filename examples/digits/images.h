/* The 1000 images of images.safetensors, and what the networks make of pixels and logits. */
#ifndef DIGITS_IMAGES_H
#define DIGITS_IMAGES_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 28 * 28, DIGITS = 10, IMAGES = 1000, MOST_BYTES = 1 << 20 };

struct images {
    unsigned char file[MOST_BYTES + 1]; /* a zero byte after it all */
    const unsigned char *pixels;        /* (1000, 28, 28) */
    const unsigned char *labels;        /* 64-bit integers, the lowest byte first */
};

/* Where a tensor's data begin: 8 bytes of length, a header in JSON, then the data. */
static inline const unsigned char *images_find(const struct images *images, size_t size,
                                               const char *key, size_t bytes)
{
    uint64_t header = 0, begin, end;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | images->file[i];
    if (size < 8 || header > size - 8)
        return NULL;
    const char *entry = strstr((const char *)images->file + 8, key);
    entry = entry ? strstr(entry, "\"data_offsets\"") : NULL;
    entry = entry ? strchr(entry, '[') : NULL;
    if (!entry)
        return NULL;
    char *next;
    begin = strtoull(entry + 1, &next, 10);
    end = strtoull(next + 1, NULL, 10);
    if (begin > end || end > size - 8 - header || end - begin != bytes)
        return NULL;
    return images->file + 8 + header + begin;
}

static inline bool images_read(struct images *images, const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return false;
    size_t size = fread(images->file, 1, MOST_BYTES, stream);
    fclose(stream);
    images->pixels = images_find(images, size, "\"image\"", (size_t)IMAGES * PIXELS);
    images->labels = images_find(images, size, "\"label\"", (size_t)IMAGES * 8);
    return images->pixels && images->labels;
}

/* As in training: mean 0.1307 and standard deviation 0.3081 of MNIST's pixels. */
static inline void images_scale(const struct images *images, int i, float *input)
{
    for (int p = 0; p < PIXELS; p++)
        input[p] = ((float)images->pixels[i * PIXELS + p] / 255.0f - 0.1307f) / 0.3081f;
}

static inline int digit_of(const float *logits)
{
    int best = 0;
    for (int d = 1; d < DIGITS; d++)
        best = logits[d] > logits[best] ? d : best;
    return best;
}

#endif
