/* How a batch is run on processors: a few images at a time, in consecutive turns.
 *
 * A kernel that goes through a whole batch writes maps that have left the caches when the next one
 * reads them; one image at a time they have not. Small networks gain more from whole batches: fewer
 * and longer loops. On a Zen 3 (512 KiB of L2) SAN10 pairwise takes 6% less for a batch of 8 by
 * single images than whole; networks for 28 x 28 pixels take 24 to 35% less by eight than by single
 * images.
 *
 * GPUs take whole batches, whose blocks run side by side. */
#include "turns.h"
#include "target.h"
#include <assert.h>

/* Elements of the largest map of an image that one block hands to the next. */
static int64_t largest_map(const struct model *model)
{
    bool san = model->family == FAMILY_SAN;
    int64_t height = model->height, width = model->width;
    if (!san) { /* conv1 halves it, then its pool and each stage but the first, rounding up */
        height = (height + 1) / 2;
        width = (width + 1) / 2;
    }
    int64_t largest = height * width * model->stem_channels;
    for (int i = 0; i < model->stages; i++) {
        height = (height + !san) / 2;
        width = (width + !san) / 2;
        int64_t map = height * width * model->stage[i].channels;
        largest = map > largest ? map : largest;
    }
    return largest;
}

/* The most bytes of a turn's maps, or 0 where a target is a GPU. Half of them is read while the
 * other half is written. Twice the L2 is enough for eight images of the small networks above. */
static int64_t room_for_maps(int targets, const char *const *target)
{
    int64_t room = INT64_MAX;
    for (int i = 0; i < targets; i++) {
        const struct target *t = target_find(target[i], NULL);
        assert(t); /* the command line was checked */
        int64_t caches = t->gpu ? 0 : 2 * t->l2_bytes;
        room = caches < room ? caches : room;
    }
    return room;
}

int64_t images_of_turn(const struct model *model, int64_t batch, int targets,
                       const char *const *target)
{
    int64_t room = room_for_maps(targets, target), bytes = 2 * 4 * largest_map(model);
    int64_t images = batch;
    while (room && images > 1 && (batch % images || images * bytes > room))
        images--;
    return images;
}
