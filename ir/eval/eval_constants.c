/* The contents of weights buffers: recipes evaluated in float64. Parameters come from a user's
 * file, so the results may be anything. What an object must not hold is refused here, for both the
 * evaluator and the backend. */
#include "ir.h"
#include "memory.h"
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- limits of tables ------------------------------------------------------------------------ */

static int64_t index_limit(const struct affine *index, const struct buffer *table, int64_t limit)
{
    for (int i = 0; i < index->count; i++) {
        const struct term *term = &index->term[i];
        if (term->kind == TERM_VAR)
            continue;
        if (term->kind == TERM_LOOKUP && term->table == table && term->divisor < limit)
            limit = term->divisor;
        limit = index_limit(term->inner, table, limit);
    }
    return limit;
}

static int64_t access_limit(const struct buffer *buffer, const struct affine *const *index,
                            const struct buffer *table, int64_t limit)
{
    for (int i = 0; i < buffer->shape.rank; i++)
        limit = index_limit(index[i], table, limit);
    return limit;
}

static int64_t expr_limit(const struct expr *expr, const struct buffer *table, int64_t limit)
{
    if (expr->op == SCALAR_load)
        limit = access_limit(expr->buffer, expr->index, table, limit);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            limit = expr_limit(expr->in[i], table, limit);
    return limit;
}

static int64_t stmts_limit(const struct stmt *stmt, const struct buffer *table, int64_t limit)
{
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            limit = stmts_limit(stmt->body, table, limit);
        if (stmt->buffer)
            limit = access_limit(stmt->buffer, stmt->index, table, limit);
        if (stmt->value)
            limit = expr_limit(stmt->value, table, limit);
    }
    return limit;
}

/* The least limit that an index gives to a table: entries must lie from 0 to one less. */
static int64_t table_limit(const struct module *module, const struct buffer *table)
{
    int64_t limit = INT32_MAX;
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
        limit = stmts_limit(kernel->body, table, limit);
    return limit;
}

/* ---- what is refused ------------------------------------------------------------------------- */

enum { MOST_NAMED = 3 };

/* The parameters that a recipe is made of, by name. */
static void add_parameters(const struct module *module, const struct inst *recipe, char *text,
                           size_t size)
{
    bool *needed = allocate(module->next_id + 1, sizeof *needed);
    int found = 0;
    needed[recipe->id] = true;
    for (const struct inst *inst = recipe; inst; inst = inst->prev) {
        for (int i = 0; needed[inst->id] && i < inst->inputs; i++)
            needed[inst->in[i]->id] = true;
        if (!needed[inst->id] || inst->op != OP_parameter || ++found > MOST_NAMED)
            continue;
        snprintf(text + strlen(text), size - strlen(text), "%s%s", found > 1 ? ", " : ", made of ",
                 inst->attr[SLOT_parameter_name].string);
    }
    if (found > MOST_NAMED)
        snprintf(text + strlen(text), size - strlen(text), " and %d more", found - MOST_NAMED);
    free(needed);
}

static bool check_table(const struct buffer *table, const double *entry, int64_t limit,
                        struct error *error)
{
    for (int64_t i = 0; i < shape_elements(&table->shape); i++) {
        if (entry[i] >= 0 && entry[i] < (double)limit)
            continue;
        return error_set_at(error, table->at, "table %s: entry %lld is %g, must be from 0 to %lld",
                            table->name, (long long)i, entry[i], (long long)limit - 1);
    }
    return true;
}

static bool check_numbers(const struct module *module, const struct buffer *buffer,
                          const double *value, struct error *error)
{
    const int64_t elements = shape_elements(&buffer->shape);
    bool finite = true;
    for (int64_t i = 0; i < elements; i++) /* without branches: almost always this is all */
        finite &= fabs(value[i]) <= FLT_MAX;
    for (int64_t i = 0; i < elements && !finite; i++) {
        if (isfinite(single_of(value[i])))
            continue;
        const char *label = buffer->value->label;
        char made_of[ERROR_TEXT] = "";
        add_parameters(module, buffer->value, made_of, sizeof made_of);
        return error_set_at(
            error, buffer->at, "constant %s%s%s: element %lld is %g, which float32 does not hold%s",
            buffer->name, label ? " of " : "", label ? label : "", (long long)i, value[i], made_of);
    }
    return true;
}

/* ---- contents -------------------------------------------------------------------------------- */

double *buffer_contents(const struct module *module, const struct parameters *parameters,
                        const struct buffer *buffer, struct error *error)
{
    double *value = inst_eval_constant(module, parameters, buffer->value);
    int64_t elements = shape_elements(&buffer->shape);
    bool good;
    if (!value) {
        error_set(error, "a parameter is missing");
        return NULL;
    }
    assert(elements == shape_elements(&buffer->value->shape));
    if (buffer->dtype == DTYPE_I32) {
        for (int64_t i = 0; i < elements; i++)
            value[i] = nearbyint(value[i]);
        good = check_table(buffer, value, table_limit(module, buffer), error);
    } else {
        good = check_numbers(module, buffer, value, error);
    }
    if (good)
        return value;
    free(value);
    return NULL;
}

bool module_check_constants(const struct module *module, const struct parameters *parameters,
                            struct error *error)
{
    for (const struct buffer *buffer = module->buffers; buffer; buffer = buffer->next) {
        if (buffer->place != PLACE_WEIGHTS)
            continue;
        double *value = buffer_contents(module, parameters, buffer, error);
        if (!value)
            return false;
        free(value);
    }
    return true;
}
