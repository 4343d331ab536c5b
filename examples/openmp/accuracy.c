/* A compiled network on the threads of OpenMP: how many of the images it gets right, and whether
 * every logit has the same bits as on one thread.
 *
 *   accuracy IMAGES.safetensors
 *
 * Threads are as many as OMP_NUM_THREADS says. Needs nothing of sanc's but the two files that
 * `sanc compile --threads N` wrote. */
#include "digits_pairwise.h"
#include "images.h"
#include <omp.h>

/* What san_exec.parallel asks for: task(argument, i) for each i below count, in any order. */
static void parallel_for(void *context, uint32_t count,
                         void (*task)(void *argument, uint32_t index), void *argument)
{
    (void)context;
#pragma omp parallel for schedule(dynamic)
    for (uint32_t i = 0; i < count; i++)
        task(argument, i);
}

static void run(const float *input, float *logits, const struct san_exec *exec)
{
    DIGITS_PAIRWISE_ALIGNED static unsigned char workspace[DIGITS_PAIRWISE_WORKSPACE_BYTES];
    int status = digits_pairwise_run(input, logits, workspace, exec);
    if (status != SAN_OK) {
        fprintf(stderr, "digits_pairwise_run returned %d, see enum san_status\n", status);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct images images;
    if (argc != 2 || !images_read(&images, argv[1])) {
        fprintf(stderr, "usage: accuracy IMAGES.safetensors, of 1000 images and their labels\n");
        return 2;
    }
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION,
                            .threads = (uint32_t)omp_get_max_threads(),
                            .parallel = parallel_for};
    int correct = 0, same = 0;
    double seconds = 0;
    for (int i = 0; i < IMAGES; i++) {
        float input[PIXELS], alone[DIGITS], shared[DIGITS];
        images_scale(&images, i, input);
        run(input, alone, NULL);
        double start = omp_get_wtime();
        run(input, shared, &exec);
        seconds += omp_get_wtime() - start;
        correct += digit_of(shared) == images.labels[8 * i];
        same += !memcmp(alone, shared, sizeof shared);
    }
    printf("%d of %d correct, %d with the bits of one thread; %.3f ms an image on %u threads\n",
           correct, IMAGES, same, seconds * 1000 / IMAGES, exec.threads);
    return same == IMAGES ? 0 : 1;
}
