#include "picture.h"
#include "file.h"
#include "file_kind.h"
#include "memory.h"
#include "picture_whole.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#define STBI_NO_STDIO
#include <stb_image.h>

static const size_t MOST_BYTES = 256u << 20;
static const int64_t MOST_PIXELS = 64000000;

static bool ends_with(const char *path, const char *extension)
{
    size_t length = strlen(path), tail = strlen(extension);
    return length > tail && strcasecmp(path + length - tail, extension) == 0;
}

bool picture_is(const char *path)
{
    return ends_with(path, ".png") || ends_with(path, ".jpg") || ends_with(path, ".jpeg");
}

/* NULL, or why the file cannot be decoded. */
static const char *problem_of(const uint8_t *data, size_t size)
{
    if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return png_problem(data, size);
    if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
        return jpeg_problem(data, size);
    return "is neither a PNG nor a JPEG image";
}

static enum status refuse(const char *path, const char *why, const char *detail)
{
    diag_error(path, 0, 0, "%s%s%s", why, detail ? ": " : "", detail ? detail : "");
    return STATUS_INPUT;
}

/* As PIL does it; the weights of ITU-R 601-2, rounded. */
static void make_grey(struct picture *picture)
{
    int64_t pixels = (int64_t)picture->width * picture->height;
    for (int64_t i = 0; i < pixels; i++) {
        const uint8_t *from = picture->data + 3 * i;
        uint32_t sum = from[0] * 19595u + from[1] * 38470u + from[2] * 7471u + 0x8000u;
        picture->data[i] = (uint8_t)(sum >> 16);
    }
    picture->channels = 1;
}

/* stb_image allocates by itself, and has no memory left like it has bad data: with a text. */
static enum status decode(const char *path, const uint8_t *data, size_t size,
                          struct picture *picture)
{
    int width, height, channels;
    const char *problem = problem_of(data, size);
    if (problem)
        return refuse(path, problem, file_kind((const char *)data, size));
    if (!stbi_info_from_memory(data, (int)size, &width, &height, &channels))
        return refuse(path, "cannot be decoded", stbi_failure_reason());
    if ((int64_t)width * height > MOST_PIXELS) {
        diag_error(path, 0, 0, "must have at most %lld pixels, found %d x %d",
                   (long long)MOST_PIXELS, width, height);
        return STATUS_INPUT;
    }
    picture->data = stbi_load_from_memory(data, (int)size, &picture->width, &picture->height,
                                          &channels, picture->channels = 3);
    if (picture->data)
        return STATUS_DONE;
    if (strcmp(stbi_failure_reason(), "outofmem") == 0)
        memory_fail();
    return refuse(path, "cannot be decoded", stbi_failure_reason());
}

enum status picture_read(const char *path, int channels, struct picture *picture)
{
    char *data;
    size_t size;
    *picture = (struct picture){0};
    enum status status = file_read(path, MOST_BYTES, &data, &size);
    if (status != STATUS_DONE)
        return status;
    status = decode(path, (const uint8_t *)data, size, picture);
    free(data);
    if (status == STATUS_DONE && channels == 1)
        make_grey(picture);
    return status;
}

void picture_free(struct picture *picture)
{
    free(picture->data);
    *picture = (struct picture){0};
}

/* Half of a number, at a half to the even one: as Python rounds. */
static int half_of(int number)
{
    return number / 2 + (number % 2 && number / 2 % 2);
}

void picture_cut(const struct picture *picture, int height, int width, bool planes, uint8_t *to)
{
    int channels = picture->channels, top = half_of(picture->height - height),
        left = half_of(picture->width - width);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                int64_t from = (int64_t)(top + y) * picture->width + left + x;
                int64_t at = planes ? ((int64_t)c * height + y) * width + x
                                    : ((int64_t)y * width + x) * channels + c;
                to[at] = picture->data[from * channels + c];
            }
}
