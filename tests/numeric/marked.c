/* Under MemorySanitizer: logits that a model wrote decide what is printed. With an argument it
 * calls NAME_model.run, which does not mark the output: then the sanitizer has to end the program.
 * C11 and C++11. */
#include "digits_pairwise.h"
#include <stdio.h>
#include <stdlib.h>

enum { PIXELS = 28 * 28, DIGITS = 10 };

static void serial(void *context, uint32_t count, void (*task)(void *argument, uint32_t index),
                   void *argument)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++)
        task(argument, i);
}

static int digit_of(const float *logits)
{
    int best = 0;
    for (int i = 1; i < DIGITS; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static int classify(const float *image, void *workspace, const struct san_exec *exec, int unmarked)
{
    float *logits = (float *)malloc(DIGITS * sizeof *logits);
    if (!logits)
        exit(2);
    int status = unmarked ? digits_pairwise_model.run(image, logits, workspace, exec)
                          : digits_pairwise_run(image, logits, workspace, exec);
    int digit = status == SAN_OK ? digit_of(logits) : status;
    free(logits);
    return digit;
}

int main(int argc, char **argv)
{
    static float image[PIXELS];
    DIGITS_PAIRWISE_ALIGNED static unsigned char workspace[DIGITS_PAIRWISE_WORKSPACE_BYTES];
    struct san_exec two = {SAN_ABI_VERSION, 2, serial, NULL, NULL, NULL};
    (void)argv;
    for (int i = 0; i < PIXELS; i++)
        image[i] = (float)(i % 7) / 7;
    int alone = classify(image, workspace, NULL, argc > 1);
    int shared = classify(image, workspace, &two, argc > 1);
    printf("%d %d\n", alone, shared);
    return alone < 0 || alone != shared;
}
