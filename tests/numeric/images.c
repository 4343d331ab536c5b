/* NAME_run_images for each number of images that an argument says: the bits of single runs, and
 * nothing touched beyond the images, their results and the workspace. `single` has code for a batch
 * of 1 alone. */
#include "guarded.h"
#include "several.h"
#include "single.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIXELS = SINGLE_CHANNELS * SINGLE_HEIGHT * SINGLE_WIDTH };

static const size_t image_bytes = PIXELS * sizeof(float), result_bytes = SINGLE_CLASSES * 4;

static void backwards(void *context, uint32_t count, void (*task)(void *argument, uint32_t index),
                      void *argument)
{
    (void)context;
    while (count-- > 0)
        task(argument, count);
}

/* At the beginning of its pages instead of their end. */
static void move_to_front(struct guarded *g)
{
    g->data = g->map + sysconf(_SC_PAGESIZE);
}

static void draw(float *value, size_t count)
{
    static uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        value[i] = (float)(state >> 8) / (1 << 23) - 1;
    }
}

static void run_singly(const float *input, float *output, size_t images)
{
    SINGLE_ALIGNED static unsigned char workspace[SINGLE_WORKSPACE_BYTES];
    for (size_t i = 0; i < images; i++)
        if (single_run(input + i * PIXELS, output + i * SINGLE_CLASSES, workspace, NULL))
            abort();
}

static int check(size_t images, int at_front, const struct san_exec *exec)
{
    struct guarded input = guarded_new(images * image_bytes);
    struct guarded output = guarded_new(images * result_bytes);
    struct guarded workspace = guarded_new(SEVERAL_WORKSPACE_BYTES);
    float *singly = calloc(images + 1, result_bytes);
    if (at_front) {
        move_to_front(&input);
        move_to_front(&output);
        move_to_front(&workspace);
    }
    draw(input.data, images * PIXELS);
    run_singly(input.data, singly, images);
    int status = several_run_images(input.data, output.data, images, workspace.data, exec);
    int good = status == SAN_OK && !memcmp(output.data, singly, images * result_bytes);
    if (!good)
        printf("%zu images%s%s: status %d, or other bits than those of single runs\n", images,
               exec ? ", two tasks" : "", at_front ? ", after a guard" : "", status);
    free(singly);
    guarded_free(&input);
    guarded_free(&output);
    guarded_free(&workspace);
    return good;
}

/* NAME_run is a batch of NAME_BATCH; no images are no error, whatever the pointers. */
static int check_batch(void)
{
    struct guarded input = guarded_new(SEVERAL_BATCH * image_bytes);
    struct guarded output = guarded_new(SEVERAL_BATCH * result_bytes);
    struct guarded workspace = guarded_new(SEVERAL_WORKSPACE_BYTES);
    float singly[SEVERAL_BATCH * SINGLE_CLASSES];
    draw(input.data, SEVERAL_BATCH * PIXELS);
    run_singly(input.data, singly, SEVERAL_BATCH);
    int good = several_run(input.data, output.data, workspace.data, NULL) == SAN_OK &&
               !memcmp(output.data, singly, sizeof singly) &&
               several_run_images(NULL, NULL, 0, NULL, NULL) == SAN_OK &&
               several_run_images(NULL, output.data, 1, workspace.data, NULL) == SAN_EPOINTER &&
               several_model.batch == SEVERAL_BATCH && several_model.batches[0] == SEVERAL_BATCH &&
               (void (*)(void))several_model.run_images == (void (*)(void))several_run_images;
    if (!good)
        printf("a run of a batch, none, or what the model says\n");
    guarded_free(&input);
    guarded_free(&output);
    guarded_free(&workspace);
    return good;
}

int main(int count, char **argument)
{
    const struct san_exec two = {
        .abi_version = SAN_ABI_VERSION, .threads = 2, .parallel = backwards};
    int good = check_batch();
    for (int i = 1; i < count; i++) {
        size_t images = strtoul(argument[i], NULL, 10);
        good &= check(images, 0, NULL) & check(images, 1, NULL) & check(images, 0, &two);
    }
    for (uint32_t i = 0; i < several_model.batch_count; i++)
        printf("%s%u", i ? "," : "", (unsigned)several_model.batches[i]);
    printf(" %llu %llu\n", (unsigned long long)several_model.workspace_bytes,
           (unsigned long long)several_model.weights_bytes);
    return !good;
}
