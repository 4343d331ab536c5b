#include "picture_whole.h"
#include <stdbool.h>
#include <string.h>

static const char truncated[] = "is cut off";

static uint32_t big_endian(const uint8_t *from, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | from[i];
    return value;
}

/* CRC-32 of ISO 3309, as PNG has it. */
static uint32_t crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* Chunks: length, four letters, data, checksum of letters and data; the last is IEND. */
const char *png_problem(const uint8_t *data, size_t size)
{
    enum { SIGNATURE = 8, AROUND = 12 };
    for (size_t at = SIGNATURE; at < size;) {
        if (size - at < AROUND || big_endian(data + at, 4) > size - at - AROUND)
            return truncated;
        size_t length = big_endian(data + at, 4);
        if (crc32(data + at + 4, length + 4) != big_endian(data + at + 8 + length, 4))
            return "is damaged: the checksum of a chunk is wrong";
        if (memcmp(data + at + 4, "IEND", 4) == 0)
            return NULL;
        at += length + AROUND;
    }
    return truncated;
}

/* Where the next marker begins after the compressed data at `at`; size: nowhere. In the data, FF is
 * followed by 0, or by a restart marker. */
static size_t next_marker(const uint8_t *data, size_t size, size_t at)
{
    for (; at + 1 < size; at++) {
        bool restart = data[at + 1] >= 0xd0 && data[at + 1] <= 0xd7;
        if (data[at] == 0xff && data[at + 1] != 0 && data[at + 1] != 0xff && !restart)
            return at;
    }
    return size;
}

/* Segments: a marker and, unless it stands alone, a length that counts itself; the last is EOI. */
const char *jpeg_problem(const uint8_t *data, size_t size)
{
    enum { SOI_BYTES = 2, EOI = 0xd9, SOS = 0xda };
    for (size_t at = SOI_BYTES; at + 1 < size;) {
        if (data[at] != 0xff)
            return "is damaged: there is no marker where one must be";
        uint8_t marker = data[at + 1];
        if (marker == EOI)
            return NULL;
        if (marker == 0xff) { /* a byte that fills up */
            at++;
            continue;
        }
        if (size - at < 4)
            return truncated;
        size_t length = big_endian(data + at + 2, 2);
        if (length < 2)
            return "is damaged: a segment has no length";
        if (length > size - at - 2)
            return truncated;
        at += 2 + length;
        if (marker == SOS)
            at = next_marker(data, size, at);
    }
    return truncated;
}
