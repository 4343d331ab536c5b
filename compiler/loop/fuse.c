/* kernel p { for n, y, x { for j, c: b[n, y, x, j, c] = .. } }
 * kernel q { for n, y, x { for c: out[n, y, x, c] = .. b[n, y, x, ..] .. } }
 * =>
 * kernel q {
 *   b_tile : stack f32[J, C]
 *   for n, y, x {
 *     for j, c: b_tile[j, c] = ..
 *     for c: out[n, y, x, c] = .. b_tile[..] ..
 *   }
 * }
 *
 * Merges a kernel into the one kernel that reads its result, at the loops over pixels, and shrinks
 * the result to what one pixel needs. This is what keeps k*k-sized tensors out of memory: relation,
 * mapping, softmax and aggregation end up in one kernel, whatever they are.
 *
 * Right where pixel (n, y, x) reads b only in the s x s pixels from (s y, s x) on (s > 1 for
 * pooling alone): then each pixel of b is computed once, by the pixel that reads it. Reads of
 * neighbours (y + dy) are not of this kind, so there whole maps stay in memory.
 *
 * Done where b is larger than everything around it, or where the tiles of both kernels' linears
 * together still fit the L2 cache. Requires: values inlined. */
#include "tiles.h"
#include "touches.h"
#include <stdlib.h>
#include <string.h>

pass_function fuse_pixels;

enum { PIXEL_LOOPS = 3, MAX_WRITERS = 16 };

struct fusion {
    struct module *m;
    struct buffer *b, *tile;
    struct kernel *reader;
    struct var *pixel[PIXEL_LOOPS]; /* of the reader: n, y, x */
    struct stmt *nests;             /* of the reader */
    struct kernel *writer[MAX_WRITERS];
    int writers;
    int64_t window; /* s */
    bool fits;      /* all reads are of that kind */
};

/* The loops over pixels, and what stands in them. */
bool kernel_pixels(const struct kernel *kernel, struct var **pixel, struct stmt ***nests)
{
    struct stmt *stmt = kernel->body;
    for (int i = 0; i < PIXEL_LOOPS; i++) {
        if (!stmt || stmt->next || stmt->kind != STMT_FOR)
            return false;
        pixel[i] = stmt->var;
        if (i == PIXEL_LOOPS - 1)
            *nests = &stmt->body;
        stmt = stmt->body;
    }
    struct stmt *last = stmt;
    while (last && last->next)
        last = last->next;
    while (last && last->kind == STMT_FOR)
        last = last->body;
    return last && last->kind == STMT_STORE && last->buffer->shape.rank > PIXEL_LOOPS;
}

/* index = scale * var + something in [0, scale) that no pixel loop is part of. */
static bool window_index(const struct fusion *f, const struct affine *index, int dim,
                         const struct affine **inside)
{
    struct arena *arena = f->m->arena;
    int64_t scale = dim ? f->window : 1, least, most;
    const struct affine *pixel = affine_var(arena, f->pixel[dim]);
    *inside = affine_add(arena, index, affine_scale(arena, pixel, -scale));
    for (int i = 0; i < PIXEL_LOOPS; i++)
        if (affine_uses(*inside, f->pixel[i]))
            return false;
    affine_range(*inside, &least, &most);
    return least >= 0 && most < scale;
}

static void check_read(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct fusion *f = context;
    const struct affine *inside;
    for (int i = 0; load->buffer == f->b && i < PIXEL_LOOPS; i++)
        f->fits &= window_index(f, load->index[i], i, &inside);
}

/* Whether a writer stores exactly its own pixel of b, and nothing else in memory. */
static bool writes_own_pixel(const struct fusion *f, const struct kernel *writer)
{
    struct var *pixel[PIXEL_LOOPS];
    struct stmt **nests;
    if (!kernel_pixels(writer, pixel, &nests))
        return false;
    for (const struct stmt *s = *nests; s; s = s->next) {
        struct nest nest;
        struct stmt alone = *s;
        alone.next = NULL;
        if (!nest_of(&alone, &nest))
            return false;
        const struct stmt *store = nest.store;
        if (store->buffer->place == PLACE_STACK)
            continue;
        if (store->buffer != f->b)
            return false;
        for (int i = 0; i < PIXEL_LOOPS; i++)
            if (!affine_equal(store->index[i], affine_var(f->m->arena, pixel[i])) ||
                pixel[i]->extent != f->b->shape.dim[i])
                return false;
    }
    return f->window == 1 || (!(*nests)->next && !writer->locals);
}

static int by_number(const void *a, const void *b)
{
    const struct kernel *const *p = a, *const *q = b;
    return (*p)->number - (*q)->number;
}

static bool find_kernels(struct fusion *f)
{
    for (const struct touch *touch = f->b->touches; touch; touch = touch->next) {
        if (touch->loads) {
            if (f->reader || touch->stores)
                return false;
            f->reader = touch->kernel;
        }
        if (touch->stores) {
            if (f->writers == MAX_WRITERS)
                return false;
            f->writer[f->writers++] = touch->kernel;
        }
    }
    qsort(f->writer, (size_t)f->writers, sizeof *f->writer, by_number);
    return f->reader && f->writers;
}

static int count_nests(const struct kernel *kernel)
{
    struct var *pixel[PIXEL_LOOPS];
    struct stmt **nests;
    int count = 0;
    kernel_pixels(kernel, pixel, &nests);
    for (const struct stmt *nest = *nests; nest; nest = nest->next)
        count++;
    return count;
}

/* Schedules take at most MAX_NESTS: a network of footprint 1 would be one kernel. */
static bool nests_fit(const struct fusion *f)
{
    int count = count_nests(f->reader);
    for (int i = 0; i < f->writers; i++)
        count += count_nests(f->writer[i]);
    return count <= MAX_NESTS;
}

struct windows {
    struct module *m;
    struct var *const *pixel;
    const struct var *term;
    bool pooled; /* the nest computes several pixels, for a pool: a stride is the pool's */
    bool found;
};

static void visit_window(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct windows *w = context;
    struct arena *arena = w->m->arena;
    if (load->buffer->place != PLACE_WORKSPACE || load->buffer->shape.rank <= PIXEL_LOOPS)
        return;
    for (int i = 0; i < PIXEL_LOOPS; i++) {
        const struct affine *own = affine_var(arena, w->pixel[i]);
        const struct affine *rest = affine_add(arena, load->index[i], affine_scale(arena, own, -1));
        w->found |= affine_uses(rest, w->term) || (!w->pooled && affine_uses(rest, w->pixel[i]));
    }
}

/* Whether a kernel has a convolution: a sum of products that goes through pixels, or has a stride.
 * It has many weights, which serve the most pixels at a time where nothing is computed with it. */
static bool has_convolution(struct module *m, const struct kernel *kernel)
{
    struct var *pixel[PIXEL_LOOPS];
    struct stmt **nests;
    struct nest nest;
    struct windows windows = {.m = m, .pixel = pixel};
    if (!kernel_pixels(kernel, pixel, &nests))
        return false;
    for (const struct stmt *s = *nests; s; s = s->next) {
        struct stmt alone = *s;
        alone.next = NULL;
        const struct expr *sum =
            nest_of(&alone, &nest) ? expr_find_reduce(nest.store->value) : NULL;
        if (!sum || sum->op != SCALAR_sum || sum->vars != 1 || sum->in[0]->op != SCALAR_mul)
            continue;
        windows.term = sum->var[0];
        windows.pooled = nest.vars > 1;
        expr_visit_loads(sum->in[0], 1, visit_window, &windows);
    }
    return windows.found;
}

static bool can_fuse(struct fusion *f)
{
    struct stmt **nests;
    if (f->b->place != PLACE_WORKSPACE || f->b->shape.rank <= PIXEL_LOOPS || !find_kernels(f) ||
        !kernel_pixels(f->reader, f->pixel, &nests))
        return false;
    f->nests = *nests;
    f->window = f->b->shape.dim[1] / f->pixel[1]->extent;
    if (f->window < 1 || f->b->shape.dim[2] / f->pixel[2]->extent != f->window ||
        f->b->shape.dim[0] != f->pixel[0]->extent)
        return false;
    f->fits = true;
    stmt_visit_loads(f->nests, 1, check_read, f);
    for (int i = 0; i < f->writers && f->fits; i++)
        f->fits = writes_own_pixel(f, f->writer[i]) && !has_convolution(f->m, f->writer[i]);
    return f->fits && nests_fit(f);
}

/* Elements of b per pixel of the reader. */
static int64_t pixel_elements(const struct fusion *f, const struct buffer *buffer)
{
    int64_t pixels = f->pixel[0]->extent * f->pixel[1]->extent * f->pixel[2]->extent;
    return shape_elements(&buffer->shape) / pixels;
}

struct neighbours {
    struct fusion *f;
    int64_t largest;
};

static void larger(struct neighbours *n, const struct buffer *buffer)
{
    if (buffer == n->f->b || buffer->place == PLACE_WEIGHTS || buffer->place == PLACE_STACK)
        return;
    /* of its own pixels: a border is not channels */
    int64_t elements = buffer->place == PLACE_WORKSPACE ? 1 : pixel_elements(n->f, buffer);
    for (int i = PIXEL_LOOPS; buffer->place == PLACE_WORKSPACE && i < buffer->shape.rank; i++)
        elements *= buffer->shape.dim[i];
    n->largest = elements > n->largest ? elements : n->largest;
}

static void visit_larger(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    larger(context, load->buffer);
}

static void stores_larger(struct neighbours *n, const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR)
            stores_larger(n, stmt->body);
        else if (stmt->kind == STMT_STORE)
            larger(n, stmt->buffer);
}

/* Whether keeping b out of memory is worth it: always if b is larger than all that it is computed
 * from and used for. Else it must cost nothing: see tiles.h. Kernels that need few pixels at a time
 * (`light`) merge before those that need many, which then know all tiles. */
enum { LIGHT_PIXELS = 4 };

static bool pays(struct fusion *f, bool light)
{
    struct neighbours around = {f, 1};
    struct tile_need need = {0};
    for (int i = -1; i < f->writers; i++) {
        const struct kernel *k = i < 0 ? f->reader : f->writer[i];
        stmt_visit_loads(k->body, 1, visit_larger, &around);
        stores_larger(&around, k->body);
        tile_need_of(&need, k, PIXEL_LOOPS);
    }
    int64_t elements = pixel_elements(f, f->b);
    if (2 * elements > 3 * around.largest)
        return true;
    bool small = 2 * elements * 4 >= need.bytes;
    need.bytes += elements * 4;
    return need.bytes * need.pixels <= (small ? TILE_BYTES : NEAR_TILE_BYTES) &&
           (!light || need.pixels <= LIGHT_PIXELS);
}

/* The index of an access to b, in its tile. */
static void tile_index(const struct fusion *f, const struct affine *const *from,
                       const struct affine **to)
{
    int at = 0;
    for (int i = 1; f->window > 1 && i < PIXEL_LOOPS; i++)
        window_index(f, from[i], i, &to[at++]);
    for (int i = PIXEL_LOOPS; i < f->b->shape.rank; i++)
        to[at++] = from[i];
}

static const struct expr *load_tile(struct rewriter *r, const struct expr *load)
{
    const struct fusion *f = r->context;
    const struct affine *index[MAX_RANK];
    if (load->buffer != f->b)
        return load;
    tile_index(f, load->index, index);
    return expr_load(r->m, f->tile, index);
}

static void store_tile(struct rewriter *r, struct buffer **buffer, const struct affine **index)
{
    const struct fusion *f = r->context;
    const struct affine *to[MAX_RANK] = {0};
    if (*buffer != f->b)
        return;
    tile_index(f, index, to);
    memcpy(index, to, sizeof to);
    *buffer = f->tile;
}

static struct buffer *new_tile(struct fusion *f)
{
    struct shape shape = {0};
    for (int i = 1; f->window > 1 && i < PIXEL_LOOPS; i++)
        shape.dim[shape.rank++] = f->window;
    for (int i = PIXEL_LOOPS; i < f->b->shape.rank; i++)
        shape.dim[shape.rank++] = f->b->shape.dim[i];
    return buffer_new(f->m, &f->reader->locals, arena_printf(f->m->arena, "%s_tile", f->b->name),
                      PLACE_STACK, shape);
}

/* The writer's nests, for the reader's pixel or, where s > 1, for the s x s pixels that it reads.
 */
static struct stmt *writer_stages(struct fusion *f, const struct kernel *writer)
{
    struct arena *arena = f->m->arena;
    struct var *pixel[PIXEL_LOOPS], *window[PIXEL_LOOPS] = {0};
    struct stmt **nests;
    kernel_pixels(writer, pixel, &nests);
    struct rewriter r = {.m = f->m, .load = load_tile, .store = store_tile, .context = f};
    for (int i = 0; i < PIXEL_LOOPS; i++) {
        const struct affine *at = affine_var(arena, f->pixel[i]);
        if (i && f->window > 1) {
            window[i] = var_new(f->m, "i", f->window);
            at =
                affine_add(arena, affine_scale(arena, at, f->window), affine_var(arena, window[i]));
        }
        rewriter_map(&r, pixel[i], at);
    }
    struct stmt *made = rewrite_stmts(&r, *nests);
    for (int i = PIXEL_LOOPS - 1; f->window > 1 && i > 0; i--)
        made = stmt_for(f->m, window[i], LOOP_SERIAL, made);
    return made;
}

static void fuse(struct fusion *f)
{
    struct stmt **nests, *made = NULL;
    f->tile = new_tile(f);
    for (int i = 0; i < f->writers; i++)
        stmt_append(&made, writer_stages(f, f->writer[i]));
    struct rewriter r = {.m = f->m, .load = load_tile, .context = f};
    touches_forget(f->reader);
    kernel_pixels(f->reader, f->pixel, &nests);
    stmt_append(&made, rewrite_stmts(&r, *nests));
    *nests = made;
    touches_add(f->m, f->reader);
    for (int i = 0; i < f->writers; i++) {
        struct buffer **end = &f->reader->locals;
        while (*end)
            end = &(*end)->next;
        *end = f->writer[i]->locals;
        kernel_remove(f->writer[i]);
    }
}

static int fuse_all(struct module *m, bool light)
{
    int changes = 0, before;
    do {
        before = changes;
        for (struct buffer *b = m->buffers; b; b = b->next) {
            struct fusion f = {.m = m, .b = b};
            if (can_fuse(&f) && pays(&f, light)) {
                fuse(&f);
                changes++;
            }
        }
        buffers_remove_unused(m);
    } while (changes > before);
    return changes;
}

int fuse_pixels(struct module *m)
{
    touches_index(m);
    int changes = fuse_all(m, true);
    changes += fuse_all(m, false);
    touches_finish(m);
    return changes;
}
