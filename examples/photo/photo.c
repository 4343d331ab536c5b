/* The five most probable classes of photographs.
 *
 *   photo LABELS.txt FILE.jpg...
 *
 * The network takes bytes as the file has them; mean, deviation and softmax are in its model. A
 * line of LABELS.txt is the name of a class. */
#include "network.h"
#include "picture.h"
#include "san/runtime.h"
#include <stdio.h>
#include <string.h>

enum { BEST = 5, MOST_NAME = 80 };

static char label[DIGITS_CLASSES][MOST_NAME];

static int read_labels(const char *path)
{
    FILE *file = fopen(path, "r");
    for (int i = 0; file && i < DIGITS_CLASSES; i++) {
        if (!fgets(label[i], MOST_NAME, file)) {
            fclose(file);
            return 0;
        }
        label[i][strcspn(label[i], "\n")] = 0;
    }
    return file && !fclose(file);
}

/* Each time the most probable class that is left; its probability becomes -1. */
static void print_best(const char *path, float *probability)
{
    printf("%s:", path);
    for (int n = 0; n < BEST; n++) {
        int best = 0;
        for (int i = 1; i < DIGITS_CLASSES; i++)
            best = probability[i] > probability[best] ? i : best;
        printf("%s %s %.1f%%", n ? "," : "", label[best], 100 * (double)probability[best]);
        probability[best] = -1;
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    DIGITS_ALIGNED static unsigned char workspace[DIGITS_WORKSPACE_BYTES];
    static unsigned char image[DIGITS_HEIGHT * DIGITS_WIDTH * DIGITS_CHANNELS];
    int failed = 0;
    if (argc < 3 || !read_labels(argv[1])) {
        fprintf(stderr, "usage: photo LABELS.txt FILE.jpg..., a label for each of %d classes\n",
                DIGITS_CLASSES);
        return 2;
    }
    struct san_pool *pool = san_pool_new(2);
    struct san_exec exec = san_pool_exec(pool);
    for (int i = 2; i < argc; i++) {
        float probability[DIGITS_CLASSES];
        if (!picture_read(argv[i], DIGITS_HEIGHT, DIGITS_CHANNELS, image)) {
            const char *why = stbi_failure_reason();
            fprintf(stderr, "%s: %s\n", argv[i], why ? why : "too small");
            failed = 1;
        } else if (digits_run(image, probability, workspace, pool ? &exec : NULL) != SAN_OK) {
            fprintf(stderr, "this processor does not run the network\n");
            failed = 1;
        } else {
            print_best(argv[i], probability);
        }
    }
    san_pool_free(pool);
    return failed;
}
