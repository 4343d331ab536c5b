/* Runs the models of model_table.h, which emulated.py writes, and prints each one's relative error.
 * The files NAME.input and NAME.output (numbers as the model takes them, and double) lie in the
 * working directory. */
#include "model_table.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A whole file; ends the program where there is none. */
static void *read_numbers(const char *name, const char *kind, size_t *size)
{
    char path[128];
    snprintf(path, sizeof path, "%s.%s", name, kind);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(2);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    void *data = malloc(*size);
    if (!data || fread(data, 1, *size, file) != *size) {
        perror(path);
        exit(2);
    }
    fclose(file);
    return data;
}

/* ||out - reference|| / ||reference|| over all images, or -1 with the status printed. */
static double run_model(const struct san_model *model)
{
    size_t input_bytes, output_bytes;
    unsigned char *input = read_numbers(model->name, "input", &input_bytes);
    double *reference = read_numbers(model->name, "output", &output_bytes);
    size_t image_bytes = (size_t)model->channels * model->height * model->width *
                         (model->input_type == SAN_U8 ? 1 : sizeof(float));
    size_t images = input_bytes / image_bytes, unit = model->workspace_alignment;
    float *out = malloc(sizeof *out * model->classes);
    void *workspace = aligned_alloc(unit, (model->workspace_bytes / unit + 1) * unit);
    double difference = 0, norm = 0;
    if (!out || !workspace)
        exit(2);
    memset(workspace, 0xff, model->workspace_bytes); /* NaN */
    for (size_t i = 0; i < images; i++) {
        memset(out, 0xff, sizeof *out * model->classes);
        int status = model->run(input + i * image_bytes, out, workspace, NULL);
        if (status != SAN_OK) {
            printf("%s returned %d\n", model->name, status);
            return -1;
        }
        for (size_t k = 0; k < model->classes; k++) {
            double right = reference[i * model->classes + k];
            difference += (out[k] - right) * (out[k] - right);
            norm += right * right;
        }
    }
    free(input);
    free(reference);
    free(out);
    free(workspace);
    return sqrt(difference / norm);
}

int main(void)
{
    for (size_t i = 0; i < sizeof model_table / sizeof *model_table; i++)
        printf("%s %.9e\n", model_table[i]->name, run_model(model_table[i]));
    return 0;
}
