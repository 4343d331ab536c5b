/* Reads PNG files of 28x28 pixels, white digits on black, and prints the digit that the network
 * sees in each, with the probabilities of all ten. Needs the two files that `sanc compile` wrote.
 */
#include "digits_pairwise.h"
#include <math.h>
#include <png.h>
#include <stdio.h>

enum { SIZE = 28, DIGITS = 10 };

/* Pixels as the network was trained on them: (byte / 255 - mean) / deviation of the training set.
 */
static int read_image(const char *path, float *input)
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

static void print_digit(const char *path, const float *logits)
{
    int best = 0;
    float probability[DIGITS], sum = 0;
    for (int d = 1; d < DIGITS; d++)
        best = logits[d] > logits[best] ? d : best;
    for (int d = 0; d < DIGITS; d++)
        sum += probability[d] = expf(logits[d] - logits[best]);
    printf("%s: %d  ", path, best);
    for (int d = 0; d < DIGITS; d++)
        printf(" %d:%.3f", d, probability[d] / sum);
    printf("\n");
}

int main(int argc, char **argv)
{
    DIGITS_PAIRWISE_ALIGNED static unsigned char workspace[DIGITS_PAIRWISE_WORKSPACE_BYTES];
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        float input[SIZE * SIZE], logits[DIGITS];
        if (!read_image(argv[i], input)) {
            failed = 1;
            continue;
        }
        int status = digits_pairwise_run(input, logits, workspace, NULL);
        if (status != SAN_OK) {
            fprintf(stderr, "digits_pairwise_run returned %d, see enum san_status\n", status);
            return 2;
        }
        print_digit(argv[i], logits);
    }
    return failed;
}
