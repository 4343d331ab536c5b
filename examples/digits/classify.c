/* Reads PNG files of 28x28 pixels, white digits on black, and prints the digit that the network
 * sees in each, with the probabilities of all ten. Needs the two files that `sanc compile` wrote.
 */
#include "digits_pairwise.h"
#include "picture.h"
#include <math.h>

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
        if (!picture_read(argv[i], input)) {
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
