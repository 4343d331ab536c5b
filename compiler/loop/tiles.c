#include "tiles.h"
#include "loops.h"

enum {
    LIGHT_BYTES = 24 << 10, /* weights that stay in L1 beside a tile */
    HEAVY_ROWS = 28,        /* rows that one pass over heavier weights should serve */
    LIGHT_ROWS = 14
};

struct weights_of {
    int64_t bytes;
};

static void visit_weights(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct weights_of *weights = context;
    if (load->buffer->place == PLACE_WEIGHTS)
        weights->bytes += buffer_bytes(load->buffer);
}

/* Loops inside those over pixels: the innermost runs over channels, the others over rows. */
static void need_of_nest(struct tile_need *need, const struct stmt *stage)
{
    struct nest nest;
    struct stmt alone = *stage;
    alone.next = NULL;
    if (!nest_of(&alone, &nest))
        return;
    const struct expr *reduce = expr_find_reduce(nest.store->value);
    if (!reduce)
        return;
    struct weights_of weights = {0};
    expr_visit_loads(reduce->in[0], 1, visit_weights, &weights);
    int64_t rows = 1;
    for (int i = 0; i + 1 < nest.vars; i++)
        rows *= nest.var[i]->extent;
    int64_t wanted = weights.bytes > LIGHT_BYTES ? HEAVY_ROWS : LIGHT_ROWS;
    int64_t pixels = (wanted + rows - 1) / rows;
    if (weights.bytes && pixels > need->pixels)
        need->pixels = pixels;
}

void tile_need_of(struct tile_need *need, const struct kernel *kernel, int outer)
{
    if (need->pixels < 1)
        need->pixels = 1;
    for (const struct buffer *local = kernel->locals; local; local = local->next)
        need->bytes += buffer_bytes(local);
    const struct stmt *stmt = kernel->body;
    for (int i = 0; stmt && i < outer; i++)
        stmt = stmt->body;
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR)
            need_of_nest(need, stmt);
}
