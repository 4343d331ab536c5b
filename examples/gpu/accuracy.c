/* How many of the images in a safetensors file a network gets right on a GPU.
 *
 *   accuracy [--predictions] [--device N] IMAGES.safetensors
 *
 * The model is compiled for batches of BATCH images. Nothing of CUDA is needed to build this; the
 * driver is looked for when it runs. */
#include "../digits/images.h"
#include "digits_pairwise.h"
#include "san/cuda.h"
#include "san/runtime.h"

enum { BATCH = DIGITS_PAIRWISE_BATCH };

static struct images images;

/* The batch's images from number `first` on, filled up with the last one. */
static bool classify(struct san_cuda *cuda, int first, int *digit)
{
    static float input[BATCH * PIXELS], logits[BATCH * DIGITS];
    struct san_cuda_error error;
    for (int i = 0; i < BATCH; i++)
        images_scale(&images, first + i < IMAGES ? first + i : IMAGES - 1, input + i * PIXELS);
    if (san_cuda_run_host(cuda, input, logits, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return false;
    }
    for (int i = 0; i < BATCH; i++)
        digit[i] = digit_of(logits + i * DIGITS);
    return true;
}

static bool measure(struct san_cuda *cuda, bool predictions)
{
    int correct = 0, digit[BATCH];
    uint64_t start = san_clock_ns(NULL);
    for (int first = 0; first < IMAGES; first += BATCH) {
        if (!classify(cuda, first, digit))
            return false;
        for (int i = 0; i < BATCH && first + i < IMAGES; i++) {
            correct += digit[i] == images.labels[8 * (first + i)];
            if (predictions)
                printf("%s %d %d\n", digits_pairwise_model.name, first + i, digit[i]);
        }
    }
    double milliseconds = (double)(san_clock_ns(NULL) - start) / 1e6 / IMAGES;
    printf("%s: %d of %d correct, %.4f ms an image in batches of %d, copies to and from the GPU "
           "among them\n",
           digits_pairwise_model.name, correct, IMAGES, milliseconds, BATCH);
    return true;
}

static int usage(void)
{
    fprintf(stderr, "usage: accuracy [--predictions] [--device N] IMAGES.safetensors\n");
    return 2;
}

int main(int argc, char **argv)
{
    bool predictions = false;
    int device = 0, i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--predictions") == 0)
            predictions = true;
        else if (strcmp(argv[i], "--device") == 0 && i + 1 < argc)
            device = (int)strtol(argv[++i], NULL, 10);
        else
            return usage();
    }
    if (i != argc - 1)
        return usage();
    if (!images_read(&images, argv[i])) {
        fprintf(stderr, "%s: no 1000 images and labels in it\n", argv[i]);
        return 1;
    }
    struct san_cuda *cuda;
    struct san_cuda_error error;
    if (san_cuda_open(&digits_pairwise_model, device, &cuda, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 4;
    }
    printf("%s, code for %s\n", san_cuda_device(cuda), san_cuda_target(cuda));
    bool done = measure(cuda, predictions);
    san_cuda_close(cuda);
    return done ? 0 : 1;
}
