/* How many of the images in a safetensors file both networks get right.
 *
 *   accuracy [--predictions] [--threads N] IMAGES.safetensors
 *
 * Both are linked into one program. With more than one thread they run on libsanrt's pool. */
#include "digits_pairwise.h"
#include "digits_patchwise.h"
#include "san/runtime.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 28 * 28, DIGITS = 10, IMAGES = 1000, MOST_BYTES = 1 << 20 };

static unsigned char file[MOST_BYTES + 1]; /* a zero byte behind it all */

/* Where a tensor's data begin: 8 bytes of length, a header in JSON, then the data. */
static const unsigned char *find_tensor(size_t size, const char *key, size_t bytes)
{
    uint64_t header = 0, begin, end;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | file[i];
    if (size < 8 || header > size - 8)
        return NULL;
    const char *entry = strstr((const char *)file + 8, key);
    entry = entry ? strstr(entry, "\"data_offsets\"") : NULL;
    entry = entry ? strchr(entry, '[') : NULL;
    if (!entry)
        return NULL;
    char *next;
    begin = strtoull(entry + 1, &next, 10);
    end = strtoull(next + 1, NULL, 10);
    if (begin > end || end > size - 8 - header || end - begin != bytes)
        return NULL;
    return file + 8 + header + begin;
}

static int classify(const struct san_model *model, const unsigned char *pixels, void *workspace,
                    const struct san_exec *exec)
{
    float input[PIXELS], logits[DIGITS];
    for (int i = 0; i < PIXELS; i++)
        input[i] = ((float)pixels[i] / 255.0f - 0.1307f) / 0.3081f;
    int status = model->run(input, logits, workspace, exec);
    if (status != SAN_OK) {
        fprintf(stderr, "%s_run returned %d, see enum san_status\n", model->name, status);
        exit(2);
    }
    int best = 0;
    for (int d = 1; d < DIGITS; d++)
        best = logits[d] > logits[best] ? d : best;
    return best;
}

static bool measure(const struct san_model *model, const unsigned char *image,
                    const unsigned char *label, const struct san_exec *exec, bool predictions)
{
    size_t unit = model->workspace_alignment; /* aligned_alloc wants a multiple of it */
    void *workspace = aligned_alloc(unit, (model->workspace_bytes / unit + 1) * unit);
    if (!workspace)
        return false;
    int correct = 0;
    uint64_t start = san_clock_ns(NULL);
    for (int i = 0; i < IMAGES; i++) {
        int digit = classify(model, image + i * PIXELS, workspace, exec);
        correct += digit == label[8 * i]; /* 64-bit integers, the lowest byte first */
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
    FILE *stream = i == argc - 1 ? fopen(argv[i], "rb") : NULL;
    if (!stream)
        return usage();
    size_t size = fread(file, 1, MOST_BYTES, stream);
    fclose(stream);
    const unsigned char *image = find_tensor(size, "\"image\"", (size_t)IMAGES * PIXELS);
    const unsigned char *label = find_tensor(size, "\"label\"", (size_t)IMAGES * 8);
    struct san_pool *pool = threads > 1 ? san_pool_new(threads) : NULL;
    if (!image || !label || (threads > 1 && !pool)) {
        fprintf(stderr, "%s: no 1000 images and labels in it, or no threads\n", argv[i]);
        return 1;
    }
    struct san_exec exec = {0};
    if (pool)
        exec = san_pool_exec(pool);
    bool done = measure(&digits_pairwise_model, image, label, pool ? &exec : NULL, predictions) &&
                measure(&digits_patchwise_model, image, label, pool ? &exec : NULL, predictions);
    san_pool_free(pool);
    return done ? 0 : 1;
}
