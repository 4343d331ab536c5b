/* Times one compiled model: program THREADS INPUT EXPECTED
 *
 * INPUT holds the batch's images as floats, EXPECTED its logits as doubles. First prints the error
 * of the median image's output, ||out - expected|| / ||expected||. Then each line of standard input
 * is a number of runs; the answer is a line with the milliseconds of each. Compiled with
 * -DMODEL=NAME_model -DHEADER="NAME.h". */
#include HEADER
#include "san/runtime.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The whole file, which has to have that many bytes. */
static void *file_read(const char *path, size_t bytes)
{
    FILE *file = fopen(path, "rb");
    void *data = malloc(bytes);
    if (!file || !data || fread(data, 1, bytes, file) != bytes || fgetc(file) != EOF) {
        fprintf(stderr, "%s: not %zu bytes\n", path, bytes);
        exit(1);
    }
    fclose(file);
    return data;
}

/* Not a number is more than any other. */
static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return isnan(x) ? !isnan(y) : x > y ? 1 : -(x < y || isnan(y));
}

/* Of the median image. */
static double error_of(const float *output, const double *expected, size_t images, size_t classes)
{
    double *error = calloc(images, sizeof *error), median;
    if (!error)
        exit(1);
    for (size_t i = 0; i < images; i++) {
        double difference = 0, norm = 0;
        for (size_t j = i * classes; j < (i + 1) * classes; j++) {
            difference += ((double)output[j] - expected[j]) * ((double)output[j] - expected[j]);
            norm += expected[j] * expected[j];
        }
        error[i] = sqrt(difference / norm);
    }
    qsort(error, images, sizeof *error, compare);
    median = error[images / 2];
    free(error);
    return median;
}

static double run(const float *input, float *output, void *workspace, const struct san_exec *exec)
{
    double start = milliseconds();
    int status = MODEL.run(input, output, workspace, exec);
    double end = milliseconds();
    if (status != SAN_OK) {
        fprintf(stderr, "%s_run returned %d\n", MODEL.name, status);
        exit(1);
    }
    return end - start;
}

int main(int count, char **words)
{
    if (count != 4)
        return 2;
    unsigned threads = (unsigned)strtoul(words[1], NULL, 10);
    size_t pixels = (size_t)MODEL.batch * MODEL.channels * MODEL.height * MODEL.width;
    size_t logits = (size_t)MODEL.batch * MODEL.classes, unit = MODEL.workspace_alignment;
    float *input = file_read(words[2], pixels * sizeof *input);
    double *expected = file_read(words[3], logits * sizeof *expected);
    float *output = malloc(logits * sizeof *output);
    void *workspace = aligned_alloc(unit, (MODEL.workspace_bytes / unit + 1) * unit);
    struct san_pool *pool = threads > 1 ? san_pool_new(threads) : NULL;
    if (!output || !workspace || (threads > 1 && !pool))
        return 1;
    struct san_exec threaded = {0};
    if (pool)
        threaded = san_pool_exec(pool);
    const struct san_exec *exec = pool ? &threaded : NULL;
    memset(output, 0xff, logits * sizeof *output);
    run(input, output, workspace, exec);
    printf("%.3e\n", error_of(output, expected, MODEL.batch, MODEL.classes));
    fflush(stdout);
    int runs;
    while (scanf("%d", &runs) == 1) {
        for (int i = 0; i < runs; i++)
            printf("%.4f ", run(input, output, workspace, exec));
        printf("\n");
        fflush(stdout);
    }
    san_pool_free(pool);
    return 0;
}
