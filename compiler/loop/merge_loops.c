/* for j in 49, c in 8
 *   e[j, c] = exp(x[j, c] - top[0, c])
 * for j2 in 49, c2 in 8
 *   w[j2, c2] = sum k in 8 (a[k] * b[k, 8*j2 + c2])
 * =>
 * for c in 392
 *   e[c div 8, c mod 8] = exp(x[c div 8, c mod 8] - top[0, c mod 8])
 * for c2 in 392
 *   w[c2 div 8, c2 mod 8] = sum k in 8 (a[k] * b[k, c2])
 *
 * Two loops over consecutive memory become one, where the stores are contiguous over both.
 * Elementwise work over few channels then fills vectors, and what every row shares is read as a
 * repeated pattern; done where channels are a power of two below a vector's width. A linear whose
 * weights differ from row to row then has only columns, so that its register tiles share the
 * weights among pixels; done where everything it reads is either consecutive as well or the same
 * for all rows. */
#include "affine.h"
#include "loops.h"

pass_function merge_loops;

enum { WIDE = 16 /* lanes of the widest vectors */ };

enum sharing { SHARE_NOTHING, SHARE_ROWS, SHARE_ALL };

/* Whether neighbours in (row, channel) order are neighbours in memory; or, as `sharing` allows,
 * whether the access does not depend on the row, or on neither. */
static bool access_merges(struct module *m, const struct buffer *buffer,
                          const struct affine *const *index, const struct var *row,
                          const struct var *channel, enum sharing sharing)
{
    const struct affine *flat = affine_linearize(m->arena, &buffer->shape, index);
    int64_t row_factor = 0, channel_factor = 0;
    for (int i = 0; i < flat->count; i++) {
        const struct term *t = &flat->term[i];
        if (t->kind != TERM_VAR) {
            if (affine_uses(t->inner, row) || affine_uses(t->inner, channel))
                return false;
        } else if (t->var == row) {
            row_factor = t->factor;
        } else if (t->var == channel) {
            channel_factor = t->factor;
        }
    }
    if (sharing == SHARE_ALL && channel_factor == 0 && row_factor == 0)
        return true;
    return channel_factor == 1 &&
           (row_factor == channel->extent || (sharing == SHARE_ROWS && row_factor == 0));
}

struct check {
    struct module *m;
    const struct var *row, *channel;
    enum sharing sharing;
    bool merges;
};

static void check_load(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct check *c = context;
    c->merges &= access_merges(c->m, load->buffer, load->index, c->row, c->channel, c->sharing);
}

/* The loop over rows above a store that may be merged with the loop in it. */
static bool merges(struct module *m, const struct stmt *stmt)
{
    const struct stmt *inner = stmt->body;
    if (!inner || inner->next || inner->kind != STMT_FOR || inner->body->next ||
        inner->body->kind != STMT_STORE)
        return false;
    const struct stmt *store = inner->body;
    int64_t channels = inner->var->extent;
    bool reduces = expr_has_reduce(store->value);
    struct check check = {
        m, stmt->var, inner->var, reduces ? SHARE_ALL : SHARE_ROWS,
        reduces || (channels > 1 && channels < WIDE && (channels & (channels - 1)) == 0)};
    check.merges = check.merges && access_merges(m, store->buffer, store->index, stmt->var,
                                                 inner->var, SHARE_NOTHING);
    if (check.merges)
        expr_visit_loads(store->value, 1, check_load, &check);
    return check.merges;
}

static int merge(struct module *m, struct stmt *stmt)
{
    int changes = 0;
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind != STMT_FOR)
            continue;
        if (!merges(m, stmt)) {
            changes += merge(m, stmt->body);
            continue;
        }
        struct var *channel = stmt->body->var;
        struct var *both = var_new(m, channel->name, stmt->var->extent * channel->extent);
        const struct affine *at = affine_var(m->arena, both);
        struct rewriter r = {.m = m};
        rewriter_map(&r, stmt->var, affine_div(m->arena, at, channel->extent));
        rewriter_map(&r, channel, affine_mod(m->arena, at, channel->extent));
        stmt->body = rewrite_stmts(&r, stmt->body->body);
        stmt->var = both;
        changes++;
    }
    return changes;
}

int merge_loops(struct module *m)
{
    int changes = 0;
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        changes += merge(m, kernel->body);
    kernels_name_vars(m);
    return changes;
}
