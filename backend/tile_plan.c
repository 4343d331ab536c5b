/* A processor's registers of tiles have the shapes that ldtilecfg reads from memory, which also
 * clears them. Sums of one group are in use from where they begin to where they are stored, and no
 * two groups at once; so each group may have all registers. Where the shapes of all groups together
 * fit, they are set up once, at the kernel's beginning: it takes as long as a few products. */
#include "tile_plan.h"
#include "matrix.h"
#include <string.h>

struct finding {
    struct tile_plan *plan;
    const char *why;
    const struct buffer *to_blame;
};

/* ---- groups ---------------------------------------------------------------------------------- */

struct tile_group *tile_group_of(struct tile_plan *plan, const struct buffer *sums)
{
    for (int i = 0; i < plan->groups; i++)
        if (plan->group[i].sums == sums)
            return &plan->group[i];
    return NULL;
}

static int tiles_of(const struct buffer *sums)
{
    int64_t tiles = 1;
    for (int i = 0; i < sums->shape.rank - 2 && tiles <= TILE_REGISTERS; i++)
        tiles *= sums->shape.dim[i];
    return (int)tiles;
}

static void add_group(struct finding *f, const struct stmt *rows)
{
    const struct stmt *columns = rows->body, *depth = columns->body;
    bool product = depth->kind == STMT_FOR;
    const struct stmt *store = product ? depth->body : depth;
    const struct buffer *sums =
        store->buffer->place == PLACE_REGISTERS ? store->buffer : store->value->buffer;
    struct tile_group *g = tile_group_of(f->plan, sums);
    if (!g && f->plan->groups == MOST_TILE_GROUPS) {
        f->why = "one of too many buffers of tiles";
        f->to_blame = sums;
        return;
    }
    g = g ? g : &f->plan->group[f->plan->groups++];
    g->sums = sums;
    g->count[TILE_SUMS] = tiles_of(sums);
    struct tile_shape shape = {rows->var->extent, dtype_bytes[DTYPE_F32] * columns->var->extent};
    g->shape[TILE_SUMS] = shape;
    if (!product)
        return;
    int64_t terms = depth->var->extent;
    struct tile_shape left = {shape.rows, dtype_bytes[DTYPE_BF16] * terms};
    struct tile_shape right = {terms / PAIR, shape.bytes};
    bool other = g->count[TILE_LEFT] && g->shape[TILE_LEFT].bytes != left.bytes;
    if (other) {
        f->why = "its products are of different numbers of terms";
        f->to_blame = sums;
    }
    g->shape[TILE_LEFT] = left;
    g->shape[TILE_RIGHT] = right;
    g->count[TILE_LEFT] = g->count[TILE_RIGHT] = 1;
}

static void find_groups(struct finding *f, const struct stmt *stmt)
{
    for (; stmt && !f->why; stmt = stmt->next)
        if (stmt->kind == STMT_FOR && matrix_is_tile(stmt))
            add_group(f, stmt);
        else if (stmt->kind == STMT_FOR)
            find_groups(f, stmt->body);
}

/* ---- no two at once -------------------------------------------------------------------------- */

static bool loads(const struct expr *expr, const struct buffer *buffer)
{
    if (expr->op == SCALAR_load && expr->buffer == buffer)
        return true;
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && loads(expr->in[i], buffer))
            return true;
    return false;
}

/* Whether a statement, with all that is in it, touches the buffer. */
static bool touches(const struct stmt *stmt, const struct buffer *buffer)
{
    if (stmt->kind == STMT_STORE)
        return stmt->buffer == buffer || loads(stmt->value, buffer);
    for (const struct stmt *s = stmt->kind == STMT_FOR ? stmt->body : NULL; s; s = s->next)
        if (touches(s, buffer))
            return true;
    return false;
}

/* Whether it touches one only in matrix loops. */
static bool only_as_tiles(const struct stmt *stmt, const struct buffer *buffer)
{
    if (stmt->kind == STMT_FOR && matrix_is_tile(stmt))
        return true;
    if (stmt->kind == STMT_STORE)
        return !touches(stmt, buffer);
    for (const struct stmt *s = stmt->kind == STMT_FOR ? stmt->body : NULL; s; s = s->next)
        if (!only_as_tiles(s, buffer))
            return false;
    return true;
}

/* The innermost body whose statements have all that touches the buffer: from *first to *last. */
static void span_of(const struct stmt *body, const struct buffer *buffer, const struct stmt **first,
                    const struct stmt **last)
{
    *first = *last = NULL;
    for (const struct stmt *s = body; s; s = s->next)
        if (touches(s, buffer)) {
            *first = *first ? *first : s;
            *last = s;
        }
    if (*first && *first == *last && (*first)->kind == STMT_FOR && !matrix_is_tile(*first))
        span_of((*first)->body, buffer, first, last);
}

static void check_apart(struct finding *f, const struct kernel *kernel)
{
    for (int i = 0; i < f->plan->groups && !f->why; i++) {
        const struct stmt *first, *last;
        const struct buffer *sums = f->plan->group[i].sums;
        span_of(kernel->body, sums, &first, &last);
        for (const struct stmt *s = first; s; s = s == last ? NULL : s->next)
            for (int j = 0; j < f->plan->groups; j++)
                if (j != i && touches(s, f->plan->group[j].sums))
                    f->why = "a tile's sums, in use while those of another buffer are";
        for (const struct stmt *s = kernel->body; s; s = s->next)
            if (!only_as_tiles(s, sums))
                f->why = "a tile's sums, which only matrix loops may touch";
        f->to_blame = sums;
    }
}

/* ---- registers ------------------------------------------------------------------------------- */

static bool same_shape(const struct tile_shape *a, const struct tile_shape *b)
{
    return a->rows == b->rows && a->bytes == b->bytes;
}

/* Gives a group registers of its shapes; `shape` are those of registers that are set up already. */
static bool place_group(struct tile_group *g, struct tile_shape shape[TILE_REGISTERS])
{
    bool taken[TILE_REGISTERS] = {false};
    for (int role = 0; role < TILE_ROLES; role++)
        for (int n = 0; n < g->count[role]; n++) {
            int r = 0;
            while (r < TILE_REGISTERS &&
                   (taken[r] || (shape[r].rows && !same_shape(&shape[r], &g->shape[role]))))
                r++;
            if (r == TILE_REGISTERS)
                return false;
            taken[r] = true;
            shape[r] = g->shape[role];
            g->at[role][n] = r;
        }
    return true;
}

/* All groups with `factors` registers for each factor. */
static bool place_all(struct tile_plan *plan, int factors)
{
    struct tile_shape shape[TILE_REGISTERS] = {{0, 0}};
    bool good = true;
    for (int i = 0; i < plan->groups && good; i++) {
        struct tile_group *g = &plan->group[i];
        for (int role = TILE_LEFT; role < TILE_ROLES; role++)
            g->count[role] = g->shape[role].rows ? factors : 0;
        good = place_group(g, shape);
    }
    return good;
}

static bool place_alone(struct tile_group *g)
{
    for (int factors = 2; factors; factors--) {
        struct tile_shape shape[TILE_REGISTERS] = {{0, 0}};
        for (int role = TILE_LEFT; role < TILE_ROLES; role++)
            g->count[role] = g->shape[role].rows ? factors : 0;
        if (place_group(g, shape))
            return true;
    }
    return false;
}

static void place(struct finding *f)
{
    struct tile_plan *plan = f->plan;
    plan->shared = place_all(plan, 2) || place_all(plan, 1);
    for (int i = 0; i < plan->groups && !plan->shared && !f->why; i++)
        if (!place_alone(&plan->group[i])) {
            f->why = "more tiles than there are registers for these and for factors";
            f->to_blame = plan->group[i].sums;
        }
}

struct tile_plan *tile_plan_new(struct arena *arena, const struct kernel *kernel, const char **why,
                                const struct buffer **buffer)
{
    struct finding f = {.plan = ARENA_NEW(arena, struct tile_plan)};
    find_groups(&f, kernel->body);
    if (f.plan->groups && !f.why)
        check_apart(&f, kernel);
    if (f.plan->groups && !f.why)
        place(&f);
    *why = f.why;
    *buffer = f.to_blame;
    return f.plan->groups ? f.plan : NULL;
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void set_up(const struct tile_group *g, uint8_t bytes[TILE_CONFIG_BYTES])
{
    enum { BYTES_AT = 16, ROWS_AT = 48 };
    for (int role = 0; role < TILE_ROLES; role++)
        for (int n = 0; n < g->count[role]; n++) {
            int r = g->at[role][n];
            bytes[BYTES_AT + 2 * r] = (uint8_t)g->shape[role].bytes; /* of two, at most 64 */
            bytes[ROWS_AT + r] = (uint8_t)g->shape[role].rows;
        }
}

void tile_config(const struct tile_plan *plan, const struct tile_group *group,
                 uint8_t bytes[TILE_CONFIG_BYTES])
{
    memset(bytes, 0, TILE_CONFIG_BYTES);
    bytes[0] = 1; /* the palette */
    if (!plan->shared)
        set_up(group, bytes);
    for (int i = 0; i < plan->groups && plan->shared; i++)
        set_up(&plan->group[i], bytes);
}
