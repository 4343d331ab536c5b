#include "rules_gpu.h"
#include "rounding.h"

static const struct refusal none;

/* ---- matrix, pad ----------------------------------------------------------------------------- */

static void visit_factor(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    *(bool *)context |= load->buffer->place == PLACE_STACK;
}

const char *nest_no_matrix(const struct subject *s, int nest)
{
    const struct kernel_nest *n = &s->nests->nest[nest];
    int precision = s->m->precision;
    if (!target_has_matrix_units(s->target) || precision == precision_kind_f32)
        return "matrix is for modules of precision tf32 or bf16";
    const char *why =
        arena_printf(s->m->arena,
                     "matrix is for sums of at least %d products of a row's and a "
                     "column's factor, both rounded to %s, where there are pixels or "
                     "tiles",
                     matrix_depth(precision), attr_enum_name(ATTR_TYPE_precision_kind, precision));
    const struct expr *row = n->row_factor;
    if (!row || nests_are_list(s->nests) || n->reduce->var[0]->extent < matrix_depth(precision))
        return why;
    const struct expr *const *factor = n->reduce->in[0]->in;
    const struct expr *column = factor[row == factor[0]];
    bool stack = false; /* whether a factor is in a tile, which differs from pixel to pixel */
    expr_visit_loads(column, 1, visit_factor, &stack);
    bool good = !stack && !expr_has_reduce(column) && rounding_has(s->rounding, row) &&
                rounding_has(s->rounding, column);
    return good ? NULL : why;
}

static struct refusal refuse_multiple(const struct subject *s, int64_t found, const char *what,
                                      int multiple, int operand)
{
    const char *why = arena_printf(s->m->arena, "%lld %s, must be a multiple of %d",
                                   (long long)found, what, multiple);
    return (struct refusal){why, operand};
}

struct refusal rule_matrix(const struct subject *s, const struct plan *plan, int nest)
{
    const struct matrix_plan *matrix = &plan->nest[nest].matrix;
    const char *why = nest_no_matrix(s, nest);
    if (why)
        return (struct refusal){why, 0};
    if (matrix->rows % MATRIX_ROWS)
        return refuse_multiple(s, matrix->rows, "rows", MATRIX_ROWS, 2);
    if (matrix->columns % MATRIX_COLUMNS)
        return refuse_multiple(s, matrix->columns, "columns", MATRIX_COLUMNS, 4);
    int64_t sums = matrix->rows * matrix->columns / WARP_THREADS;
    if (sums > MOST_MATRIX_SUMS) {
        why = arena_printf(
            s->m->arena,
            "%lld rows of %lld columns are %lld sums of a thread, at most %d are allowed",
            (long long)matrix->rows, (long long)matrix->columns, (long long)sums, MOST_MATRIX_SUMS);
        return (struct refusal){why, 2};
    }
    if (plan->threads < WARP_THREADS)
        why = arena_printf(s->m->arena, "matrix is for blocks of at least %d threads, found %lld",
                           WARP_THREADS, (long long)plan->threads);
    return (struct refusal){why, OPERAND_NONE};
}

struct refusal rule_pad(const struct subject *s, const struct plan *plan, int nest)
{
    (void)s;
    return (struct refusal){
        plan->nest[nest].matrix.rows ? NULL : "pad is for nests that have matrix", 0};
}

/* ---- stage ----------------------------------------------------------------------------------- */

const char *nest_no_staging(const struct nests *nests, int nest)
{
    const char *why = "stage is for sums of a row's and a column's factor, where the row's is "
                      "loaded from memory that the kernel does not write, and there are "
                      "pixels or tiles";
    const struct kernel_nest *n = &nests->nest[nest];
    const struct expr *row = n->row_factor;
    if (!row || row->op != SCALAR_load || row->buffer->place >= PLACE_STACK ||
        n->rows + 2 > MAX_RANK || nests_are_list(nests))
        return why;
    for (int i = 0; i < nests->count; i++)
        if (nests->nest[i].loops.store->buffer == row->buffer)
            return why;
    return NULL;
}

struct refusal rule_staging(const struct subject *s, const struct plan *plan, int nest)
{
    (void)plan;
    return (struct refusal){nest_no_staging(s->nests, nest), 0};
}

/* ---- parts ----------------------------------------------------------------------------------- */

const char *nest_no_parts(const struct nests *nests, int nest)
{
    const struct expr *reduce = nests->nest[nest].reduce;
    if (nests_are_list(nests) || !reduce || reduce->vars != 1)
        return "parts is for sums and maxima over one variable, where there are pixels or tiles";
    return NULL;
}

struct refusal rule_parts(const struct subject *s, const struct plan *plan, int nest)
{
    const struct nest_plan *n = &plan->nest[nest];
    const char *why = nest_no_parts(s->nests, nest);
    if (why)
        return (struct refusal){why, 0};
    int64_t terms = s->nests->nest[nest].reduce->var[0]->extent;
    if (terms % n->parts)
        why = arena_printf(s->m->arena, "found %lld, must divide the sum's %lld terms",
                           (long long)n->parts, (long long)terms);
    else if (n->depth)
        why = "parts does not go with depth";
    else if (n->matrix.rows && terms / n->parts % matrix_depth(s->m->precision))
        why = "parts of a sum by matrix units have to be whole fragments";
    return (struct refusal){why, 1};
}

/* ---- depth ----------------------------------------------------------------------------------- */

/* What the nests of a kernel do with a buffer. */
struct handing {
    const struct buffer *buffer;
    bool read;
};

static void visit_handing(void *context, const struct expr *load, int64_t iterations)
{
    (void)iterations;
    struct handing *h = context;
    h->read |= load->buffer == h->buffer;
}

/* Whether only the nest before the last stores to the buffer, column by column, and only the last
 * one reads it. */
static bool hands_on_columns(const struct nests *nests, const struct buffer *local)
{
    int last = nests->count - 1;
    for (int i = 0; i < last; i++) {
        const struct stmt *store = nests->nest[i].loops.store;
        struct handing handing = {local, false};
        expr_visit_loads(store->value, 1, visit_handing, &handing);
        if (handing.read || (store->buffer == local) != (i == last - 1))
            return false;
    }
    if (!last)
        return false;
    const struct kernel_nest *nest = &nests->nest[last - 1];
    const struct affine *index = nest->loops.store->index[0];
    return !nest->rows && nest_has_columns(nest) && index->count == 1 && !index->constant &&
           index->term[0].kind == TERM_VAR && index->term[0].factor == 1 &&
           index->term[0].var == nest_column(nest);
}

const char *nest_no_blocks(const struct nests *nests, int nest)
{
    static const char why[] =
        "on a GPU depth is for the last nest, a sum of a row's and a column's factor, the column's "
        "loaded from memory that the kernel does not write, the row's likewise or computed column "
        "by column in the nest before";
    const struct kernel_nest *n = &nests->nest[nest];
    const struct expr *row = n->row_factor;
    if (nest != nests->count - 1 || !row || !nests_shared_columns(nests) || n->rows + 2 > MAX_RANK)
        return why;
    const struct expr *const *factor = n->reduce->in[0]->in;
    const struct expr *column = factor[row == factor[0]];
    const struct buffer *written = n->loops.store->buffer;
    if (column->op != SCALAR_load || column->buffer->place >= PLACE_STACK ||
        column->buffer == written)
        return why;
    const struct buffer *local = nest_row_local(n);
    if (local)
        return n->rows || !hands_on_columns(nests, local) ? why : NULL;
    return nest_no_staging(nests, nest) ? why : NULL;
}

struct refusal rule_blocks_ahead(const struct subject *s, const struct plan *plan, int nest)
{
    int64_t depth = plan->nest[nest].depth;
    const struct expr *reduce = s->nests->nest[nest].reduce;
    bool even = depth && reduce->var[0]->extent / depth % 2 == 0;
    const char *why = "on a GPU ahead is for nests that have depth and an even number of blocks";
    return (struct refusal){even ? NULL : why, 0};
}

struct refusal rule_blocks_of_terms(const struct subject *s, const struct plan *plan, int nest)
{
    const struct nest_plan *n = &plan->nest[nest];
    const char *why = nest_no_blocks(s->nests, nest);
    if (why)
        return (struct refusal){why, 0};
    const struct kernel_nest *of = &s->nests->nest[nest];
    int64_t step = n->matrix.rows ? matrix_depth(s->m->precision) : 4;
    if (of->reduce->var[0]->extent % n->depth || n->depth % step) {
        why = arena_printf(s->m->arena,
                           "found %lld, must divide the sum's %lld terms and be a "
                           "multiple of %lld",
                           (long long)n->depth, (long long)of->reduce->var[0]->extent,
                           (long long)step);
        return (struct refusal){why, 1};
    }
    int64_t columns = plan->split ? plan->split : nest_column(of)->extent, rows = plan->tile;
    for (int i = 0; i < of->rows; i++)
        rows *= of->loops.var[i]->extent;
    const struct matrix_plan *matrix = &n->matrix;
    int64_t tiles = matrix->rows ? (rows / matrix->rows) * (columns / matrix->columns)
                                 : (rows / n->rows) * (columns / n->columns);
    int64_t most = matrix->rows ? plan->threads / WARP_THREADS : plan->threads;
    if (plan->in_workspace[0] || plan->blocks)
        why = "depth goes with neither blocks nor buffers in the workspace";
    else if (n->staging)
        why = "depth copies the rows itself, without stage";
    else if (tiles > most)
        why = arena_printf(s->m->arena,
                           "depth needs the sums of a block in registers: %lld tiles, at most %lld",
                           (long long)tiles, (long long)most);
    return (struct refusal){why, 0};
}

/* ---- split, blocks --------------------------------------------------------------------------- */

int64_t nests_shared_columns(const struct nests *nests)
{
    if (!nests->count || nests_are_list(nests))
        return 0;
    const struct kernel_nest *last = &nests->nest[nests->count - 1];
    for (int i = 0; i + 1 < nests->count; i++)
        if (!nest_stays(&nests->nest[i]))
            return 0;
    return nest_has_columns(last) && !nest_stays(last) ? nest_column(last)->extent : 0;
}

struct refusal rule_blocks(const struct subject *s, const struct plan *plan, int nest)
{
    (void)plan;
    (void)nest;
    if (!nests_are_list(s->nests))
        return none;
    return (struct refusal){"blocks is for kernels that have pixels or tiles", OPERAND_NONE};
}
