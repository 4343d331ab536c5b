/* Times one compiled model: each line read from standard input is a number of runs; the answer is a
 * line with the milliseconds of each. Compiled with -DMODEL=NAME_model -DHEADER="NAME.h". */
#include HEADER
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

int main(void)
{
    const struct san_model *model = &MODEL;
    size_t pixels = (size_t)model->batch * model->channels * model->height * model->width;
    size_t logits = (size_t)model->batch * model->classes, unit = model->workspace_alignment;
    float *input = malloc(pixels * sizeof *input), *output = malloc(logits * sizeof *output);
    void *workspace = aligned_alloc(unit, (model->workspace_bytes / unit + 1) * unit);
    if (!input || !output || !workspace)
        return 1;
    for (size_t i = 0; i < pixels; i++)
        input[i] = (float)(i * 2654435761u % 1000) / 500.0f - 1.0f;
    memset(workspace, 0, model->workspace_bytes);
    int runs;
    while (scanf("%d", &runs) == 1) {
        for (int i = 0; i < runs; i++) {
            double start = milliseconds();
            int status = model->run(input, output, workspace, NULL);
            double end = milliseconds();
            if (status != SAN_OK) {
                fprintf(stderr, "%s_run returned %d\n", model->name, status);
                return 1;
            }
            printf("%.4f ", end - start);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
