#include "matrix.h"

static bool is_matrix(const struct stmt *stmt)
{
    return stmt && stmt->kind == STMT_FOR && stmt->loop == LOOP_MATRIX;
}

bool matrix_is_pairs(const struct stmt *loop)
{
    return is_matrix(loop) && loop->var->extent == PAIR && !is_matrix(loop->body);
}

bool matrix_is_tile(const struct stmt *loop)
{
    return is_matrix(loop) && is_matrix(loop->body);
}

static struct var *part_of(struct arena *arena, const char *name, int64_t extent)
{
    struct var *var = ARENA_NEW(arena, struct var);
    *var = (struct var){.name = name, .extent = extent};
    return var;
}

struct tile_terms tile_terms_new(struct arena *arena, const struct var *depth)
{
    return (struct tile_terms){depth, part_of(arena, "pair", depth->extent / PAIR),
                               part_of(arena, "inside", PAIR)};
}

const struct affine *tile_terms_flat(struct arena *arena, const struct expr *load,
                                     const struct tile_terms *terms)
{
    const struct affine *index[MAX_RANK];
    const struct affine *term = affine_scale(arena, affine_var(arena, terms->pair), PAIR);
    term = affine_add(arena, term, affine_var(arena, terms->inside));
    for (int i = 0; i < load->buffer->shape.rank; i++)
        index[i] = affine_substitute(arena, load->index[i], terms->of, term);
    return affine_linearize(arena, &load->buffer->shape, index);
}
