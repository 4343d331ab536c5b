/* How many of the images in a safetensors file both networks get right.
 *
 *   accuracy [--predictions] [--threads N] IMAGES.safetensors
 *
 * Both are linked into one program. With more than one thread they run on libsanrt's pool. */
#include "digits_pairwise.h"
#include "digits_patchwise.h"
#include "images.h"
#include "san/runtime.h"

static struct images images;

static int classify(const struct san_model *model, int i, void *workspace,
                    const struct san_exec *exec)
{
    float input[PIXELS], logits[DIGITS];
    images_scale(&images, i, input);
    int status = model->run(input, logits, workspace, exec);
    if (status != SAN_OK) {
        fprintf(stderr, "%s_run returned %d, see enum san_status\n", model->name, status);
        exit(2);
    }
    return digit_of(logits);
}

static bool measure(const struct san_model *model, const struct san_exec *exec, bool predictions)
{
    size_t unit = model->workspace_alignment; /* aligned_alloc wants a multiple of it */
    void *workspace = aligned_alloc(unit, (model->workspace_bytes / unit + 1) * unit);
    if (!workspace)
        return false;
    int correct = 0;
    uint64_t start = san_clock_ns(NULL);
    for (int i = 0; i < IMAGES; i++) {
        int digit = classify(model, i, workspace, exec);
        correct += digit == images.labels[8 * i];
        if (predictions)
            printf("%s %d %d\n", model->name, i, digit);
    }
    double milliseconds = (double)(san_clock_ns(NULL) - start) / 1e6 / IMAGES;
    printf("%s: %d of %d correct, %.3f ms an image on %u thread%s\n", model->name, correct, IMAGES,
           milliseconds, exec ? exec->threads : 1, exec && exec->threads > 1 ? "s" : "");
    free(workspace);
    return true;
}

static int usage(void)
{
    fprintf(stderr, "usage: accuracy [--predictions] [--threads N] IMAGES.safetensors\n");
    return 2;
}

int main(int argc, char **argv)
{
    bool predictions = false;
    unsigned threads = 1;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--predictions") == 0)
            predictions = true;
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            return usage();
    }
    if (i != argc - 1)
        return usage();
    struct san_pool *pool = threads > 1 ? san_pool_new(threads) : NULL;
    if (!images_read(&images, argv[i]) || (threads > 1 && !pool)) {
        fprintf(stderr, "%s: no 1000 images and labels in it, or no threads\n", argv[i]);
        return 1;
    }
    struct san_exec exec = {0};
    if (pool)
        exec = san_pool_exec(pool);
    bool done = measure(&digits_pairwise_model, pool ? &exec : NULL, predictions) &&
                measure(&digits_patchwise_model, pool ? &exec : NULL, predictions);
    san_pool_free(pool);
    return done ? 0 : 1;
}
