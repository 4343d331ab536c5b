/* Resizing, as PIL does it to the byte: the numbers are those of PIL 13. */
#include "picture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 5 rows of 7 pixels of 3 bytes. */
static const uint8_t colours[] = {
    207, 21,  45,  60,  46,  205, 222, 149, 10,  24,  85,  110, 159, 122, 67,  40,  177, 188,
    8,   29,  115, 100, 227, 132, 107, 110, 170, 150, 44,  188, 193, 244, 201, 72,  81,  166,
    166, 178, 222, 74,  240, 0,   19,  249, 241, 76,  35,  80,  11,  228, 169, 149, 62,  120,
    48,  197, 121, 7,   65,  180, 133, 95,  64,  23,  155, 169, 133, 238, 237, 53,  155, 161,
    63,  76,  124, 189, 74,  184, 167, 55,  99,  212, 215, 168, 1,   174, 57,  209, 233, 109,
    244, 194, 83,  224, 98,  26,  151, 217, 168, 100, 230, 122, 98,  37,  54};
static const uint8_t shrunk[] = {128, 94,  129, 142, 111, 125, 109, 133, 139, 65,  144, 126, 63,
                                 166, 171, 85,  138, 155, 99,  122, 149, 109, 125, 118, 89,  196,
                                 131, 163, 164, 112, 156, 137, 132, 140, 133, 110}; /* 3 x 4 */
static const uint8_t grown[] = {
    207, 88,  171, 111, 83,  122, 34,  8,   127, 102, 146, 158, 126, 106, 120, 58, 53,
    82,  75,  124, 120, 63,  80,  108, 21,  85,  51,  76,  110, 96,  91,  166, 18, 127,
    117, 103, 137, 170, 156, 184, 1,   170, 233, 233, 192, 135, 100, 98}; /* 6 x 8, of the first channel */
static const uint8_t turned[] = {128, 63, 88,  142, 85,  163,
                                 109, 99, 156, 65,  109, 140}; /* 7 rows of 5: 4 x 3 */

static struct picture picture_of(int height, int width, int channels)
{
    struct picture picture = {width, height, channels, malloc(sizeof colours)};
    assert_non_null(picture.data);
    return picture;
}

static void assert_resized(struct picture *picture, int size, int height, int width,
                           const uint8_t *expected)
{
    picture_resize(picture, size);
    assert_int_equal(picture->height, height);
    assert_int_equal(picture->width, width);
    assert_memory_equal(picture->data, expected, (size_t)(height * width * picture->channels));
    picture_free(picture);
}

static void test_resize(void **state)
{
    (void)state;
    struct picture picture = picture_of(5, 7, 3);
    memcpy(picture.data, colours, sizeof colours);
    assert_resized(&picture, 3, 3, 4, shrunk);
    picture = picture_of(5, 7, 1);
    for (int i = 0; i < 35; i++)
        picture.data[i] = colours[3 * i];
    assert_resized(&picture, 6, 6, 8, grown);
    picture = picture_of(7, 5, 1);
    for (int i = 0; i < 35; i++)
        picture.data[i] = colours[3 * (i % 5 * 7 + i / 5)];
    assert_resized(&picture, 3, 4, 3, turned);
}

static void test_same_size(void **state)
{
    (void)state;
    struct picture picture = picture_of(5, 7, 3);
    memcpy(picture.data, colours, sizeof colours);
    assert_resized(&picture, 5, 5, 7, colours);
}

/* Half pixels are rounded to the even one: of 5 - 2 rows 2 are above, of 7 - 2 columns 2 left. */
static void test_cut(void **state)
{
    (void)state;
    uint8_t pixels[12], planes[12];
    struct picture picture = picture_of(5, 7, 3);
    memcpy(picture.data, colours, sizeof colours);
    picture_cut(&picture, 2, 2, false, pixels);
    picture_cut(&picture, 2, 2, true, planes);
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 2; x++)
            for (int c = 0; c < 3; c++) {
                uint8_t expected = colours[((2 + y) * 7 + 2 + x) * 3 + c];
                assert_int_equal(pixels[(y * 2 + x) * 3 + c], expected);
                assert_int_equal(planes[(c * 2 + y) * 2 + x], expected);
            }
    picture_free(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_resize),
                                       cmocka_unit_test(test_same_size),
                                       cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
