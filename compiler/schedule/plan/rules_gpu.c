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
