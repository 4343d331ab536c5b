/* A clock, and memory for a profile of a model's kernels. */
#include "san/runtime.h"
#include <stdlib.h>
#include <time.h>

uint64_t san_clock_ns(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct san_profile *san_profile_new(const struct san_model *model)
{
    struct san_profile *profile = malloc(sizeof *profile);
    uint64_t *counters = calloc((size_t)model->kernel_count * 2 + 1, sizeof *counters);
    if (!profile || !counters) {
        free(profile);
        free(counters);
        return NULL;
    }
    *profile = (struct san_profile){
        .clock = san_clock_ns, .ticks = counters, .calls = counters + model->kernel_count};
    return profile;
}

void san_profile_free(struct san_profile *profile)
{
    if (!profile)
        return;
    free(profile->ticks); /* calls lie after them */
    free(profile);
}
