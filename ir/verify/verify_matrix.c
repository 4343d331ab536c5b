/* Loops of a matrix unit. Those of a GPU, as a warp's threads share them:
 *
 *   for m in 16 matrix, n in 8 matrix                      each element by itself
 *     acc[w, i, m, n] = 0
 *   for m in 16 matrix, n in 8 matrix, k in 8 matrix       a product, in the module's precision
 *     acc[w, i, m, n] = fma(a[m, k], b[k, n], acc[w, i, m, n])
 *
 * That of a processor, which adds two products of bf16 to each lane:
 *
 *   for d in 2 matrix, v in 16 vector
 *     acc[i, v] = fma(a[i, 2*k + d], b[k, v, d], acc[i, v]) */
#include "verify_matrix.h"
#include "affine.h"
#include "rounding.h"
#include "verify_loops.h"

static bool index_uses(const struct buffer *buffer, const struct affine *const *index,
                       const struct var *var)
{
    for (int i = 0; i < buffer->shape.rank; i++)
        if (affine_uses(index[i], var))
            return true;
    return false;
}

/* Whether an operand of a product comes from memory and depends on no other element of the result
 * than its row, or its column. */
static bool is_operand(const struct expr *expr, const struct var *other)
{
    if (expr->op == SCALAR_load)
        return expr->buffer->place != PLACE_REGISTERS &&
               !index_uses(expr->buffer, expr->index, other);
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && !is_operand(expr->in[i], other))
            return false;
    return true;
}

static bool same_element(const struct stmt *store, const struct expr *load)
{
    if (load->op != SCALAR_load || load->buffer != store->buffer)
        return false;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        if (!affine_equal(store->index[i], load->index[i]))
            return false;
    return true;
}

/* This runs before the statements inside are checked, so pointers may still be missing. */
static bool is_whole(const struct expr *expr)
{
    if (!expr || (expr->op == SCALAR_load && !expr->buffer))
        return false;
    for (int i = 0; expr->op == SCALAR_load && i < expr->buffer->shape.rank; i++)
        if (!expr->index[i])
            return false;
    for (int i = 0; i < scalar_info[expr->op].inputs && expr->vars == 0; i++)
        if (!is_whole(expr->in[i]))
            return false;
    return expr->vars == 0;
}

/* Whether the statement is one x = fma(a, b, x), x in registers and the same for all terms. */
static bool adds_product(const struct stmt *store, const struct var *term)
{
    if (!store || store->next || store->kind != STMT_STORE || !store->buffer ||
        store->buffer->place != PLACE_REGISTERS || !is_whole(store->value) ||
        store->value->op != SCALAR_fma)
        return false;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        if (!store->index[i])
            return false;
    return !index_uses(store->buffer, store->index, term) &&
           same_element(store, store->value->in[2]);
}

static bool is_product(const struct stmt *rows, const struct stmt *columns,
                       const struct stmt *depth)
{
    const struct stmt *store = depth->body;
    return adds_product(store, depth->var) &&
           is_operand(store->value->in[0], columns->var) &&
           is_operand(store->value->in[1], rows->var);
}

static bool verify_product(struct verifier *verifier, const struct stmt *rows,
                           const struct stmt *columns, const struct stmt *depth)
{
    const struct module *module = verifier->module;
    const char *name = depth->var->name;
    verifier->at = depth->at;
    const char *precision = attr_enum_name(ATTR_TYPE_precision_kind, module->precision);
    if (depth->var->extent != matrix_depth(module->precision))
        return wrong(verifier, "loop %s: matrix, products in %s are of %d terms, found %lld", name,
                     precision, matrix_depth(module->precision), (long long)depth->var->extent);
    if (!is_product(rows, columns, depth))
        return wrong(
            verifier,
            "loop %s: matrix, must be around one x = fma(a, b, x): x in registers, a and b "
            "from memory, a the same for all columns and b for all rows",
            name);
    if (!verifier->rounding)
        verifier->rounding = rounding_new(module, verifier->scratch);
    for (int i = 0; i < 2; i++)
        if (!rounding_has(verifier->rounding, depth->body->value->in[i]))
            return wrong(verifier,
                         "loop %s: matrix, factor %d of its products is not rounded to %s", name,
                         i + 1, precision);
    return true;
}

/* Stores, alone or in loops that are written out. */
static bool is_elementwise(const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (stmt->kind == STMT_FOR ? (stmt->loop != LOOP_UNROLL && stmt->loop != LOOP_VECTOR) ||
                                         !is_elementwise(stmt->body)
                                   : stmt->kind != STMT_STORE)
            return false;
    return true;
}

/* ---- of a processor -------------------------------------------------------------------------- */

/* Whether the load takes the first of two neighbours of type bf16 where the variable is 0, and the
 * second where it is 1. */
static bool loads_pair(const struct verifier *verifier, const struct expr *load,
                       const struct var *var)
{
    int64_t step;
    if (load->op != SCALAR_load || load->buffer->dtype != DTYPE_BF16)
        return false;
    const struct affine *flat =
        affine_linearize(verifier->scratch, &load->buffer->shape, load->index);
    return affine_step(flat, var, &step) && step == 1;
}

static bool adds_pairs(const struct verifier *verifier, const struct stmt *terms)
{
    const struct stmt *lanes = terms->body;
    if (!lanes || lanes->next || lanes->kind != STMT_FOR || lanes->loop != LOOP_VECTOR ||
        !lanes->var || (lanes->var->extent & (lanes->var->extent - 1)) || lanes->var->extent < 4)
        return false;
    const struct stmt *store = lanes->body;
    return adds_product(store, terms->var) &&
           loads_pair(verifier, store->value->in[0], terms->var) &&
           loads_pair(verifier, store->value->in[1], terms->var);
}

static bool verify_pairs(struct verifier *verifier, const struct stmt *terms)
{
    return adds_pairs(verifier, terms) ||
           wrong(verifier,
                 "loop %s: matrix, of 2 terms, must be around a vector loop around one x = "
                 "fma(a, b, x): x in registers, a and b neighbours in buffers of type bf16",
                 terms->var->name);
}

/* ---- of either ------------------------------------------------------------------------------- */

static bool is_matrix_loop(const struct stmt *stmt)
{
    return stmt && stmt->kind == STMT_FOR && stmt->loop == LOOP_MATRIX && stmt->var;
}

bool verify_matrix(struct verifier *verifier, const struct stmt *rows, int scope)
{
    const char *name = rows->var->name;
    if (rows->var->extent == PAIR)
        return verify_pairs(verifier, rows);
    if (loop_around(verifier, scope, 1u << LOOP_WARP) != LOOP_WARP)
        return wrong(verifier, "loop %s: matrix, must be of %d terms or in a warp loop", name,
                     PAIR);
    if (loop_around(verifier, scope, 1u << LOOP_MATRIX) == LOOP_MATRIX)
        return true; /* checked with the outermost one */
    const struct stmt *columns = rows->body;
    if (!is_matrix_loop(columns) || columns->next || rows->var->extent != MATRIX_ROWS ||
        columns->var->extent != MATRIX_COLUMNS)
        return wrong(verifier,
                     "loop %s: matrix, must be %d rows and directly in it, alone, a matrix loop of "
                     "%d columns",
                     name, MATRIX_ROWS, MATRIX_COLUMNS);
    const struct stmt *depth = columns->body;
    if (is_matrix_loop(depth) && !depth->next)
        return verify_product(verifier, rows, columns, depth);
    return is_elementwise(columns->body) ||
           wrong(verifier,
                 "loop %s: matrix, must be around stores, in unroll and vector loops at most, or "
                 "around a product",
                 name);
}
