/* Loops of a matrix unit. Those of a GPU, as a warp's threads share them:
 *
 *   for m in 16 matrix, n in 8 matrix                      each element by itself
 *     acc[w, i, m, n] = 0
 *   for m in 16 matrix, n in 8 matrix, k in 8 matrix       a product, in the module's precision
 *     acc[w, i, m, n] = fma(a[m, k], b[k, n], acc[w, i, m, n])
 *
 * Those of a processor, which adds two products of bf16 to each lane, or multiplies tiles:
 *
 *   for d in 2 matrix, v in 16 vector
 *     acc[i, v] = fma(a[i, 2*k + d], b[k, v, d], acc[i, v])
 *
 *   for m in 16 matrix, n in 16 matrix
 *     acc[0, m, n] = c[m, n]
 *   for m in 16 matrix, n in 16 matrix, d in 32 matrix
 *     acc[0, m, n] = fma(a[m, 32*k + d], b[16*k + d div 2, n, d mod 2], acc[0, m, n])
 *   for m in 16 matrix, n in 16 matrix
 *     c[m, n] = acc[0, m, n] */
#include "verify_matrix.h"
#include "matrix.h"
#include "rounding.h"
#include "verify_loops.h"
#include <math.h>

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
    return adds_product(store, depth->var) && is_operand(store->value->in[0], columns->var) &&
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

/* How the elements of a tile lie in memory: those of neighbouring columns `columns` apart, those of
 * all rows equally far from each other. `of`: the rows' variable and the columns'. */
static bool is_tile(const struct affine *flat, const struct var *const of[2], int64_t columns)
{
    int64_t row, column;
    return affine_step(flat, of[0], &row) && affine_step(flat, of[1], &column) && row >= 0 &&
           (column == columns || of[1]->extent == 1);
}

static bool loads_tile(const struct verifier *verifier, const struct expr *load, enum dtype dtype,
                       const struct var *const of[2])
{
    return load->op == SCALAR_load && load->buffer->place != PLACE_REGISTERS &&
           load->buffer->dtype == dtype &&
           is_tile(affine_linearize(verifier->scratch, &load->buffer->shape, load->index), of, 1);
}

/* Whether the load's terms lie in pairs: `d div 2` is a row and `d mod 2` the one of two neighbours,
 * before the next column. */
static bool loads_pairs(const struct verifier *verifier, const struct expr *load,
                        const struct var *depth, const struct var *column)
{
    int64_t inside;
    if (load->op != SCALAR_load || load->buffer->place == PLACE_REGISTERS ||
        load->buffer->dtype != DTYPE_BF16)
        return false;
    struct tile_terms terms = tile_terms_new(verifier->scratch, depth);
    const struct affine *flat = tile_terms_flat(verifier->scratch, load, &terms);
    const struct var *const of[2] = {terms.pair, column};
    return is_tile(flat, of, PAIR) && affine_step(flat, terms.inside, &inside) && inside == 1;
}

/* Whether an access is to a whole tile of registers: its last two dimensions are these variables'. */
static bool is_tile_of_registers(const struct buffer *buffer, const struct affine *const *index,
                                 const struct var *const of[2])
{
    int rank = buffer->shape.rank;
    for (int i = 0; i < 2 && rank > 2; i++) {
        const struct affine *at = index[rank - 2 + i];
        bool plain = at->count == 1 && !at->constant && at->term->kind == TERM_VAR &&
                     at->term->factor == 1 && at->term->var == of[i];
        bool only = of[i]->extent == 1 && affine_is_constant(at) && !at->constant;
        if ((!plain && !only) || buffer->shape.dim[rank - 2 + i] != of[i]->extent)
            return false;
    }
    return rank > 2 && buffer->place == PLACE_REGISTERS && buffer->dtype == DTYPE_F32;
}

static bool is_tile_product(const struct verifier *verifier, const struct stmt *depth,
                            const struct var *const of[2])
{
    const struct stmt *store = depth->body;
    if (!adds_product(store, depth->var) || !is_tile_of_registers(store->buffer, store->index, of))
        return false;
    const struct var *const row[2] = {of[0], depth->var};
    const struct expr *a = store->value->in[0], *b = store->value->in[1];
    return depth->var->extent <= TILE_TERMS && depth->var->extent % PAIR == 0 &&
           loads_tile(verifier, a, DTYPE_BF16, row) &&
           loads_pairs(verifier, b, depth->var, of[1]) && is_operand(a, of[1]) &&
           is_operand(b, of[0]);
}

/* Whether the statement is one store of zeros or of memory to a tile, or of a tile to memory. */
static bool moves_tile(const struct verifier *verifier, const struct stmt *store,
                       const struct var *const of[2])
{
    if (!store || store->next || store->kind != STMT_STORE || !store->buffer ||
        !is_whole(store->value))
        return false;
    for (int i = 0; i < store->buffer->shape.rank; i++)
        if (!store->index[i])
            return false;
    const struct expr *value = store->value;
    if (store->buffer->place == PLACE_REGISTERS)
        return is_tile_of_registers(store->buffer, store->index, of) &&
               ((value->op == SCALAR_constant && value->value == 0 && !signbit(value->value)) ||
                loads_tile(verifier, value, DTYPE_F32, of));
    return store->buffer->dtype == DTYPE_F32 && value->op == SCALAR_load &&
           is_tile_of_registers(value->buffer, value->index, of) &&
           is_tile(affine_linearize(verifier->scratch, &store->buffer->shape, store->index), of, 1);
}

static bool is_matrix_loop(const struct stmt *stmt)
{
    return stmt && stmt->kind == STMT_FOR && stmt->loop == LOOP_MATRIX && stmt->var;
}

static bool verify_tile(struct verifier *verifier, const struct stmt *rows)
{
    const struct stmt *columns = rows->body;
    const char *name = rows->var->name;
    if (!is_matrix_loop(columns) || columns->next || rows->var->extent > TILE_ROWS ||
        columns->var->extent > TILE_COLUMNS)
        return wrong(verifier,
                     "loop %s: matrix, must be of %d terms, in a warp loop, or the at most %d rows "
                     "of a tile and directly in it, alone, a matrix loop of at most %d columns",
                     name, PAIR, TILE_ROWS, TILE_COLUMNS);
    const struct var *const of[2] = {rows->var, columns->var};
    const struct stmt *inner = columns->body;
    if (!is_matrix_loop(inner))
        return moves_tile(verifier, inner, of) ||
               wrong(verifier,
                     "loop %s: matrix, of a tile, must be around one store: of 0 or rows in memory "
                     "to a whole tile of registers, x[.., %s, %s], or of that to memory",
                     name, rows->var->name, columns->var->name);
    verifier->at = inner->at;
    return (!inner->next && is_tile_product(verifier, inner, of)) ||
           wrong(verifier,
                 "loop %s: matrix, of at most %d terms of a tile, must be around one x = fma(a, b, "
                 "x): x a whole tile of registers, a rows of terms, b terms in pairs, both of type "
                 "bf16",
                 inner->var->name, TILE_TERMS);
}

/* ---- of either ------------------------------------------------------------------------------- */

bool verify_matrix(struct verifier *verifier, const struct stmt *rows, int scope)
{
    const char *name = rows->var->name;
    if (loop_around(verifier, scope, 1u << LOOP_MATRIX) == LOOP_MATRIX)
        return true; /* checked with the outermost one */
    if (matrix_is_pairs(rows))
        return verify_pairs(verifier, rows);
    if (loop_around(verifier, scope, 1u << LOOP_WARP) != LOOP_WARP)
        return verify_tile(verifier, rows);
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
