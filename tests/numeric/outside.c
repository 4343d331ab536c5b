/* A model with its weights inside and one with its weights in a file:
 *
 *     outside FILE < images       opens the file; "0", or the status and why
 *
 * Both must give the same bits for every image; without the weights, or with others, the second
 * must do nothing. Status 1 where that is not so. */
#include "outside.h"
#include "inside.h"
#include "san/runtime.h"
#include "san/weights.h"
#include <stdio.h>
#include <string.h>

enum { PIXELS = INSIDE_BATCH * INSIDE_CHANNELS * INSIDE_HEIGHT * INSIDE_WIDTH, THREADS = 2 };

INSIDE_ALIGNED static unsigned char workspace[INSIDE_WORKSPACE_BYTES];
OUTSIDE_ALIGNED static unsigned char other_workspace[OUTSIDE_WORKSPACE_BYTES];
static float images[PIXELS], inside[INSIDE_BATCH * INSIDE_CLASSES];
static float outside[OUTSIDE_BATCH * OUTSIDE_CLASSES];

/* Runs that have to be refused leave the output and the workspace as they are. */
static int is_refused(const struct san_exec *exec)
{
    memset(outside, 42, sizeof outside);
    memset(other_workspace, 42, sizeof other_workspace);
    int refused = outside_run(images, outside, other_workspace, exec) == SAN_EWEIGHTS;
    for (size_t i = 0; i < sizeof outside; i++)
        refused &= ((unsigned char *)outside)[i] == 42;
    for (size_t i = 0; i < sizeof other_workspace; i++)
        refused &= other_workspace[i] == 42;
    return refused;
}

static int others_are_refused(const struct san_weights *weights)
{
    struct san_exec exec = {.abi_version = SAN_ABI_VERSION, .threads = 1};
    int good = is_refused(NULL) && is_refused(&exec);
    struct san_weights other = *weights;
    exec.weights = &other;
    other.data = NULL;
    good &= is_refused(&exec);
    other.data = (const char *)weights->data + 4;
    good &= is_refused(&exec);
    other = *weights;
    for (int i = 0; i < 32; i++) {
        other.sha256[i] ^= 1;
        good &= is_refused(&exec);
        other.sha256[i] ^= 1;
    }
    return good;
}

static int bits_are_equal(const struct san_exec *exec)
{
    if (inside_run(images, inside, workspace, NULL) != SAN_OK ||
        outside_run(images, outside, other_workspace, exec) != SAN_OK)
        return 0;
    return !memcmp(inside, outside, sizeof inside);
}

int main(int count, char **argument)
{
    struct san_weights_error error;
    const struct san_weights *weights, *none;
    int status = san_weights_open(count > 1 ? argument[1] : NULL, &outside_model, &weights, &error);
    printf("%d %s\n", status, error.text);
    if (status != SAN_WEIGHTS_OK)
        return weights != NULL;
    if (san_weights_open(argument[1], &inside_model, &none, NULL) != SAN_WEIGHTS_EARGUMENT || none)
        return 1;
    struct san_pool *pool = san_pool_new(THREADS);
    struct san_exec alone = {.abi_version = SAN_ABI_VERSION, .threads = 1, .weights = weights};
    struct san_exec shared = san_pool_exec(pool);
    shared.weights = weights;
    int good = pool && others_are_refused(weights) && outside_model.outside == 1 &&
               outside_model.weights_bytes == weights->bytes && inside_model.outside == 0;
    while (good && fread(images, sizeof images, 1, stdin) == 1)
        good = bits_are_equal(&alone) && bits_are_equal(&shared);
    san_pool_free(pool);
    san_weights_close(weights);
    return !good;
}
