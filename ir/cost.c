#include "cost.h"
#include "affine.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

/* Counts end here instead of overflowing. */
static const int64_t MOST = INT64_C(1) << 58;

static int64_t product(int64_t a, int64_t b)
{
    return a > MOST / b ? MOST : a * b;
}

static int64_t sum(int64_t a, int64_t b)
{
    return a > MOST - b ? MOST : a + b;
}

/* ---- loops and accesses ---------------------------------------------------------------------- */

static void *grown(void *array, int count, size_t size)
{
    if (count & (count - 1))
        return array; /* capacities are powers of two */
    return allocate_again(array, 2 * (int64_t)(count ? count : 1), size);
}

static int enter_loop(struct work *work, const struct var *var, const struct stmt *stmt, int parent)
{
    work->loop = grown(work->loop, work->loops, sizeof *work->loop);
    work->loop[work->loops] = (struct work_loop){
        .var = var,
        .stmt = stmt,
        .parent = parent,
        .depth = parent < 0 ? 0 : work->loop[parent].depth + 1,
        .begin = work->accesses,
    };
    return work->loops++;
}

static void leave_loops(struct work *work, int loop, int parent)
{
    for (; loop != parent; loop = work->loop[loop].parent) {
        work->loop[loop].end = work->accesses;
        work->loop[loop].next = work->loops;
    }
}

static int buffer_number(struct work *work, const struct buffer *buffer)
{
    for (int i = 0; i < work->buffers; i++)
        if (work->buffer[i] == buffer)
            return i;
    work->buffer = grown(work->buffer, work->buffers, sizeof *work->buffer);
    work->buffer[work->buffers] = buffer;
    return work->buffers++;
}

static void add_access(struct work *work, const struct buffer *buffer,
                       const struct affine *const *index, bool store, int loop, int64_t iterations)
{
    if (buffer->place == PLACE_REGISTERS)
        return;
    work->access = grown(work->access, work->accesses, sizeof *work->access);
    work->access[work->accesses++] =
        (struct work_access){buffer, buffer_number(work, buffer), index, store, loop, iterations};
}

static void add_expr(struct work *work, const struct expr *expr, int loop, int64_t iterations)
{
    int parent = loop;
    int64_t inside = iterations;
    for (int i = 0; i < expr->vars; i++) {
        loop = enter_loop(work, expr->var[i], NULL, loop);
        inside = product(inside, expr->var[i]->extent);
    }
    work->ops[expr->op] = sum(work->ops[expr->op], inside);
    if (expr->op == SCALAR_load)
        add_access(work, expr->buffer, expr->index, false, loop, iterations);
    if (expr->in[0])
        add_expr(work, expr->in[0], loop, inside);
    leave_loops(work, loop, parent);
    for (int i = 1; i < 3; i++)
        if (expr->in[i])
            add_expr(work, expr->in[i], parent, iterations);
}

static void add_stmts(struct work *work, const struct stmt *stmt, int parent, int64_t iterations)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR) {
            int loop = enter_loop(work, stmt->var, stmt, parent);
            add_stmts(work, stmt->body, loop, product(iterations, stmt->var->extent));
            leave_loops(work, loop, parent);
        } else if (stmt->kind == STMT_STORE) {
            add_expr(work, stmt->value, parent, iterations);
            add_access(work, stmt->buffer, stmt->index, true, parent, iterations);
            work->stores = sum(work->stores, iterations);
        }
    }
}

struct work *work_new(const struct kernel *kernel)
{
    struct work *work = allocate(1, sizeof *work);
    add_stmts(work, kernel->body, -1, 1);
    return work;
}

void work_free(struct work *work)
{
    free(work->loop);
    free(work->access);
    free(work->buffer);
    free(work);
}

int64_t work_flops(const struct work *work)
{
    static const enum scalar_op counted[] = {SCALAR_add, SCALAR_sub,  SCALAR_mul, SCALAR_div,
                                             SCALAR_max, SCALAR_sqrt, SCALAR_sum, SCALAR_maximum};
    int64_t flops = sum(work->ops[SCALAR_fma], work->ops[SCALAR_fma]);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        flops = sum(flops, work->ops[counted[i]]);
    return flops;
}

/* ---- footprints ------------------------------------------------------------------------------ */

/* The part of a buffer that is touched: elements least to most in each dimension, at most `points`
 * of them. */
struct box {
    bool used;
    int64_t least[MAX_RANK], most[MAX_RANK], points;
};

/* How accesses are seen: loops of less than `depth` stand still, in the middle of their range. */
struct view {
    const struct work *work;
    int loop, depth;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void index_range(const struct view *view, const struct affine *index, int64_t *least,
                        int64_t *most);

static void term_range(const struct view *view, const struct term *term, int64_t *least,
                       int64_t *most)
{
    if (term->kind == TERM_VAR) {
        int loop = view->loop;
        while (loop >= 0 && view->work->loop[loop].var != term->var)
            loop = view->work->loop[loop].parent;
        bool still = loop < 0 || view->work->loop[loop].depth < view->depth;
        *least = still ? term->var->extent / 2 : 0;
        *most = still ? *least : term->var->extent - 1;
        return;
    }
    index_range(view, term->inner, least, most);
    int64_t low = floor_div(*least, term->divisor), high = floor_div(*most, term->divisor);
    if (term->kind == TERM_DIV) {
        *least = low;
        *most = high;
    } else if (term->kind == TERM_MOD && low == high) {
        *least -= low * term->divisor;
        *most -= low * term->divisor;
    } else { /* all of it; a table is assumed to hold different rows for each index */
        *most = *most - *least < term->divisor ? *most - *least : term->divisor - 1;
        *most = term->kind == TERM_MOD ? term->divisor - 1 : *most;
        *least = 0;
    }
}

static void index_range(const struct view *view, const struct affine *index, int64_t *least,
                        int64_t *most)
{
    *least = *most = index->constant;
    for (int i = 0; i < index->count; i++) {
        int64_t low, high, factor = index->term[i].factor;
        term_range(view, &index->term[i], &low, &high);
        *least += factor * (factor > 0 ? low : high);
        *most += factor * (factor > 0 ? high : low);
    }
}

static bool access_uses(const struct work_access *access, const struct var *var)
{
    for (int i = 0; i < access->buffer->shape.rank; i++)
        if (affine_uses(access->index[i], var))
            return true;
    return false;
}

static int64_t volume(const struct box *box, int rank)
{
    int64_t elements = 1;
    for (int i = 0; i < rank; i++)
        elements *= box->most[i] - box->least[i] + 1;
    return elements;
}

/* Iterations of a loop whose variable is not in the index touch the same elements. */
static int64_t access_points(const struct work *work, const struct work_access *access, int depth)
{
    int64_t points = 1;
    for (int l = access->loop; l >= 0 && work->loop[l].depth >= depth; l = work->loop[l].parent)
        if (access_uses(access, work->loop[l].var))
            points = product(points, work->loop[l].var->extent);
    return points;
}

static void add_to_box(const struct work *work, const struct work_access *access, int depth,
                       struct box *box)
{
    struct view view = {work, access->loop, depth};
    struct box own = {.used = true};
    int rank = access->buffer->shape.rank;
    for (int i = 0; i < rank; i++)
        index_range(&view, access->index[i], &own.least[i], &own.most[i]);
    int64_t points = access_points(work, access, depth), elements = volume(&own, rank);
    own.points = points < elements ? points : elements;
    if (!box->used) {
        *box = own;
        return;
    }
    for (int i = 0; i < rank; i++) {
        box->least[i] = own.least[i] < box->least[i] ? own.least[i] : box->least[i];
        box->most[i] = own.most[i] > box->most[i] ? own.most[i] : box->most[i];
    }
    box->points = sum(box->points, own.points);
}

/* Sets the bytes of each buffer that these accesses touch while loops of less than `depth` stand
 * still. Returns their sum. */
static int64_t footprint(const struct work *work, int begin, int end, int depth, unsigned kinds,
                         int64_t *bytes)
{
    int64_t all = 0;
    struct box *box = allocate(work->buffers + 1, sizeof *box);
    for (int i = begin; i < end; i++) {
        const struct work_access *access = &work->access[i];
        if (kinds & (access->store ? ACCESS_WRITE : ACCESS_READ))
            add_to_box(work, access, depth, &box[access->number]);
    }
    for (int i = 0; i < work->buffers; i++) {
        int64_t elements = box[i].used ? volume(&box[i], work->buffer[i]->shape.rank) : 0;
        bytes[i] = dtype_bytes[work->buffer[i]->dtype] *
                   (elements < box[i].points ? elements : box[i].points);
        all = sum(all, bytes[i]);
    }
    free(box);
    return all;
}

void work_footprint(const struct work *work, unsigned kinds, int64_t *bytes)
{
    footprint(work, 0, work->accesses, 0, kinds, bytes);
}

/* ---- caches ---------------------------------------------------------------------------------- */

enum { ANY = ACCESS_READ | ACCESS_WRITE };

struct cache {
    const struct work *work;
    int64_t size;
    int64_t *scratch; /* of one footprint */
    double *bytes;
};

static void fetch(struct cache *cache, double times)
{
    for (int i = 0; i < cache->work->buffers; i++)
        cache->bytes[i] += times * (double)cache->scratch[i];
}

static void fetch_body(struct cache *cache, int loop, double times);

/* All iterations of a loop. Caches evict roughly what was used least recently: where the body is
 * larger than the cache by some part of the cache's size, that part of the fetches is repeated in
 * each iteration. */
static void fetch_loop(struct cache *cache, int loop, double times)
{
    const struct work_loop *l = &cache->work->loop[loop];
    int64_t body = footprint(cache->work, l->begin, l->end, l->depth + 1, ANY, cache->scratch);
    double over = (double)(body - cache->size) / (double)cache->size;
    over = over < 0 ? 0 : over > 1 ? 1 : over;
    if (over > 0)
        fetch_body(cache, loop, over * times * (double)l->var->extent);
    if (over < 1) {
        footprint(cache->work, l->begin, l->end, l->depth, ANY, cache->scratch);
        fetch(cache, (1 - over) * times);
    }
}

/* The body of `loop` (-1: of the kernel), executed once, `times` over. */
static void fetch_body(struct cache *cache, int loop, double times)
{
    const struct work *work = cache->work;
    int begin = loop < 0 ? 0 : work->loop[loop].begin;
    int end = loop < 0 ? work->accesses : work->loop[loop].end;
    int depth = loop < 0 ? 0 : work->loop[loop].depth + 1;
    if (footprint(work, begin, end, depth, ANY, cache->scratch) <= cache->size) {
        fetch(cache, times);
        return;
    }
    int inner = loop + 1, last = loop < 0 ? work->loops : work->loop[loop].next;
    for (int at = begin; at < end || inner < last;) {
        if (inner == last || at < work->loop[inner].begin) { /* an access between loops */
            footprint(work, at, at + 1, depth, ANY, cache->scratch);
            fetch(cache, times);
            at++;
            continue;
        }
        fetch_loop(cache, inner, times);
        at = work->loop[inner].end;
        inner = work->loop[inner].next;
    }
}

void work_misses(const struct work *work, int64_t size, double *bytes)
{
    struct cache cache = {work, size, allocate(work->buffers + 1, sizeof(int64_t)), bytes};
    memset(bytes, 0, (size_t)work->buffers * sizeof *bytes);
    fetch_body(&cache, -1, 1);
    free(cache.scratch);
}
