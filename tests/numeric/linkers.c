/* Runs images of floats from standard input through the digits' network, and writes its logits to
 * standard output. Each runs alone, and as two tasks of a hook; the status is 1 where these differ.
 */
#include "digits_pairwise.h"
#include <stdio.h>
#include <string.h>

enum { PIXELS = DIGITS_PAIRWISE_CHANNELS * DIGITS_PAIRWISE_HEIGHT * DIGITS_PAIRWISE_WIDTH };

static void backwards(void *context, uint32_t count, void (*task)(void *argument, uint32_t index),
                      void *argument)
{
    (void)context;
    while (count-- > 0)
        task(argument, count);
}

int main(void)
{
    DIGITS_PAIRWISE_ALIGNED static unsigned char workspace[DIGITS_PAIRWISE_WORKSPACE_BYTES];
    static float image[PIXELS];
    const struct san_exec two = {
        .abi_version = SAN_ABI_VERSION, .threads = 2, .parallel = backwards};
    while (fread(image, sizeof image, 1, stdin) == 1) {
        float logits[DIGITS_PAIRWISE_CLASSES], again[DIGITS_PAIRWISE_CLASSES];
        if (digits_pairwise_run(image, logits, workspace, NULL) != SAN_OK ||
            digits_pairwise_model.run(image, again, workspace, &two) != SAN_OK ||
            memcmp(logits, again, sizeof logits) != 0)
            return 1;
        fwrite(logits, sizeof logits, 1, stdout);
    }
    return 0;
}
