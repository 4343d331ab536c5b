/* Rules of kernels for single statements. */
#include "verify_loops.h"
#include "rounding.h"
#include "verify_async.h"
#include "verify_matrix.h"
#include <float.h>
#include <string.h>

/* Leaves room for an index, so that what passes here also parses. */
enum { MOST_TREE = MOST_DEPTH - MOST_TERMS - 2 };

/* ---- variables ------------------------------------------------------------------------------- */

static bool enter_var(struct verifier *verifier, const struct var *var, enum loop_kind kind)
{
    const char *name = var ? var->name : NULL;
    if (!name || !name_is_identifier(name, strlen(name)) || name_is_reserved(name, strlen(name)))
        return wrong(verifier, "loop %.40s: the name is no identifier, or a word of the language",
                     name ? name : "without a name");
    if (var->extent < 1 || var->extent >= MOST_INDEX)
        return wrong(verifier, "loop %s: the extent is %lld, must be from 1 to 2^40 - 1", name,
                     (long long)var->extent);
    if (!names_add(&verifier->vars, name, strlen(name), (void *)(uintptr_t)var))
        return wrong(verifier, "loop %s: another loop of the kernel has this name", name);
    if (verifier->scope == MOST_SCOPE)
        return wrong(verifier, "loop %s: more than %d loops around", name, MOST_SCOPE);
    verifier->var[verifier->scope] = var;
    verifier->loop[verifier->scope++] = kind;
    return true;
}

/* Where var stands in the scope, or -1. */
static int find_var(const struct verifier *verifier, const struct var *var)
{
    int i = verifier->scope - 1;
    while (i >= 0 && verifier->var[i] != var)
        i--;
    return i;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static bool is_known(const struct verifier *verifier, const struct buffer *buffer)
{
    if (!buffer)
        return false;
    size_t length = strlen(buffer->name);
    const struct name_entry *entry = names_find(&verifier->locals, buffer->name, length);
    if (!entry)
        entry = names_find(&verifier->buffers, buffer->name, length);
    return entry && entry->value == buffer;
}

static bool verify_index(struct verifier *verifier, const struct buffer *buffer, int dimension,
                         const struct affine *index, int64_t most);

static bool verify_term(struct verifier *verifier, const struct buffer *buffer, int dimension,
                        const struct term *term)
{
    const char *name = buffer->name;
    const struct buffer *table = term->table;
    switch (term->kind) {
    case TERM_VAR:
        return find_var(verifier, term->var) >= 0 ||
               wrong(verifier, "%s: index %d uses %s outside of its loop", name, dimension,
                     term->var->name);
    case TERM_DIV:
    case TERM_MOD:
        if (term->divisor < 1 || term->divisor > MOST_INDEX)
            return wrong(verifier, "%s: index %d divides by %lld, must be from 1 to 2^40", name,
                         dimension, (long long)term->divisor);
        return verify_index(verifier, buffer, dimension, term->inner, MOST_INDEX);
    case TERM_LOOKUP:
        if (!is_known(verifier, table) || table->place != PLACE_WEIGHTS ||
            table->dtype != DTYPE_I32 || table->shape.rank != 1)
            return wrong(verifier,
                         "%s: index %d looks up in what is no i32 weights of one "
                         "dimension",
                         name, dimension);
        if (term->divisor < 1 || term->divisor > INT32_MAX)
            return wrong(verifier, "%s: index %d has the limit %lld, must be from 1 to 2^31 - 1",
                         name, dimension, (long long)term->divisor);
        return verify_index(verifier, table, 0, term->inner, table->shape.dim[0]);
    }
    return wrong(verifier, "%s: index %d has a term of no kind", name, dimension);
}

/* The index is well formed and in [0, most). */
static bool verify_index(struct verifier *verifier, const struct buffer *buffer, int dimension,
                         const struct affine *index, int64_t most)
{
    int64_t least, greatest;
    if (!index)
        return wrong(verifier, "%s: index %d is missing", buffer->name, dimension);
    for (int i = 0; i < index->count; i++)
        if (!verify_term(verifier, buffer, dimension, &index->term[i]))
            return false;
    if (index_terms(index) > MOST_TERMS || index_magnitude(index) > MOST_INDEX)
        return wrong(verifier, "%s: index %d has more than %d terms, or may go beyond 2^40",
                     buffer->name, dimension, MOST_TERMS);
    affine_range(index, &least, &greatest);
    if (least >= 0 && greatest < most)
        return true;
    return wrong(verifier, "%s: index %d may be from %lld to %lld, must be from 0 to %lld",
                 buffer->name, dimension, (long long)least, (long long)greatest,
                 (long long)most - 1);
}

/* Registers have numbers, not addresses: no index may depend on a loop that stays a loop. */
static bool is_static(const struct verifier *verifier, const struct affine *index)
{
    for (int i = 0; i < index->count; i++) {
        const struct term *term = &index->term[i];
        if (term->kind == TERM_LOOKUP)
            return false;
        if (term->kind != TERM_VAR) {
            if (!is_static(verifier, term->inner))
                return false;
            continue;
        }
        enum loop_kind kind = verifier->loop[find_var(verifier, term->var)];
        if (kind != LOOP_UNROLL && kind != LOOP_VECTOR && kind != LOOP_KIND_COUNT)
            return false;
    }
    return true;
}

/* The kind of the loop whose variable is all of the index; else LOOP_KIND_COUNT. */
static enum loop_kind kind_of(const struct verifier *verifier, const struct affine *index)
{
    const struct term *term = index->term;
    bool plain =
        index->count == 1 && !index->constant && term->kind == TERM_VAR && term->factor == 1;
    return plain ? verifier->loop[find_var(verifier, term->var)] : LOOP_KIND_COUNT;
}

/* Each thread and each warp has registers of its own: `acc[t, i]` in `for t in 128 thread`. Those
 * of a warp are dealt out over its threads as its matrix loops are: `acc[w, m, n]`. */
static bool is_own_register(const struct verifier *verifier, const struct buffer *buffer,
                            int dimension, const struct affine *index)
{
    enum loop_kind kind = kind_of(verifier, index);
    if (dimension == 0)
        return kind == LOOP_THREAD || kind == LOOP_WARP;
    return kind == LOOP_MATRIX && buffer->shape.dim[dimension] == index->term->var->extent;
}

static bool verify_access(struct verifier *verifier, const struct buffer *buffer,
                          const struct affine *const *index)
{
    if (!is_known(verifier, buffer))
        return wrong(verifier, "a buffer that is neither the module's nor the kernel's");
    if (buffer->dtype == DTYPE_I32)
        return wrong(verifier, "%s: a table, must be used as NAME{LIMIT}[...] in an index",
                     buffer->name);
    for (int i = 0; i < MAX_RANK; i++) {
        if (i >= buffer->shape.rank && index[i])
            return wrong(verifier, "%s: more than its %d indices", buffer->name,
                         buffer->shape.rank);
        if (i >= buffer->shape.rank)
            continue;
        if (!verify_index(verifier, buffer, i, index[i], buffer->shape.dim[i]))
            return false;
        if (buffer->place == PLACE_REGISTERS && !is_static(verifier, index[i]) &&
            !is_own_register(verifier, buffer, i, index[i]))
            return wrong(verifier,
                         "%s: index %d of registers depends on a loop that is not "
                         "unrolled, or on a table",
                         buffer->name, i);
    }
    return true;
}

/* ---- expressions ----------------------------------------------------------------------------- */

static bool verify_expr(struct verifier *verifier, const struct expr *expr);

static bool verify_reduction(struct verifier *verifier, const struct expr *expr)
{
    int scope = verifier->scope;
    if (expr->vars < 1 || expr->vars > MAX_RANK)
        return wrong(verifier, "%s over %d variables, must be 1 to %d", scalar_info[expr->op].name,
                     expr->vars, MAX_RANK);
    if (expr->in[1] && !verify_expr(verifier, expr->in[1]))
        return false;
    for (int i = 0; i < expr->vars; i++)
        if (!enter_var(verifier, expr->var[i], LOOP_KIND_COUNT))
            return false;
    bool right = verify_expr(verifier, expr->in[0]);
    verifier->scope = scope;
    return right;
}

static bool verify_node(struct verifier *verifier, const struct expr *expr)
{
    if (!expr)
        return wrong(verifier, "an expression with an operand missing");
    if ((int)expr->op < 0 || expr->op >= SCALAR_COUNT)
        return wrong(verifier, "no scalar op has the number %d", (int)expr->op);
    if (expr->op == SCALAR_constant)
        return isinf(expr->value) || fabs(expr->value) <= FLT_MAX ||
               wrong(verifier, isnan(expr->value) ? "a constant that is not a number"
                                                  : "a constant beyond what float32 holds");
    if (expr->op == SCALAR_load)
        return verify_access(verifier, expr->buffer, expr->index);
    if (expr->op == SCALAR_sum || expr->op == SCALAR_maximum)
        return verify_reduction(verifier, expr);
    for (int i = 0; i < scalar_info[expr->op].inputs; i++)
        if (!verify_expr(verifier, expr->in[i]))
            return false;
    return true;
}

static bool verify_expr(struct verifier *verifier, const struct expr *expr)
{
    if (verifier->depth >= MOST_TREE)
        return wrong(verifier, "loops and operations more than %d deep", MOST_TREE);
    verifier->depth++;
    bool right = verify_node(verifier, expr);
    verifier->depth--;
    return right;
}

enum { THREADS = 1u << LOOP_THREAD | 1u << LOOP_WARP | 1u << LOOP_PARALLEL };

enum loop_kind loop_around(const struct verifier *verifier, int scope, unsigned kinds)
{
    for (int i = scope; i-- > 0;)
        if (kinds >> verifier->loop[i] & 1)
            return verifier->loop[i];
    return LOOP_KIND_COUNT;
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool verify_store(struct verifier *verifier, const struct stmt *stmt)
{
    if (!verify_access(verifier, stmt->buffer, stmt->index))
        return false;
    if (loop_around(verifier, verifier->scope, 1u << LOOP_WARP) == LOOP_WARP &&
        loop_around(verifier, verifier->scope, 1u << LOOP_MATRIX) != LOOP_MATRIX)
        return wrong(verifier, "%s: a store in a warp loop, must be in its matrix loops",
                     stmt->buffer->name);
    if (stmt->buffer->place == PLACE_INPUT || stmt->buffer->place == PLACE_WEIGHTS)
        return wrong(verifier, "%s: a store into %s, which is only read", stmt->buffer->name,
                     place_name[stmt->buffer->place]);
    if (!verify_expr(verifier, stmt->value) || !verify_copy(verifier, stmt))
        return false;
    return stmt->buffer->dtype != DTYPE_BF16 || expr_is_bf16(stmt->value) ||
           wrong(verifier, "%s: of type bf16, the value that is stored is not rounded to that",
                 stmt->buffer->name);
}

static bool verify_stmts(struct verifier *verifier, const struct stmt *stmt);

/* Whether the kernel consists of this loop and block loops around it, of fewer than 2^31 blocks. */
static bool is_block_loop(const struct kernel *kernel, const struct stmt *loop)
{
    int64_t blocks = 1;
    for (const struct stmt *stmt = kernel->body; stmt; stmt = stmt->body) {
        if (stmt->next || stmt->kind != STMT_FOR || stmt->loop != LOOP_BLOCK ||
            stmt->var->extent > INT32_MAX / blocks)
            return false;
        blocks *= stmt->var->extent;
        if (stmt == loop)
            return true;
    }
    return false;
}

static bool verify_device_loop(struct verifier *verifier, const struct stmt *stmt, int scope)
{
    const char *name = stmt->var->name;
    if (stmt->loop == LOOP_BLOCK && !is_block_loop(verifier->kernel, stmt))
        return wrong(verifier,
                     "loop %s: block, must be outermost, alone, and fewer than 2^31 blocks", name);
    if (stmt->loop == LOOP_MATRIX)
        return verify_matrix(verifier, stmt, scope);
    if (stmt->loop != LOOP_THREAD && stmt->loop != LOOP_WARP)
        return true;
    int64_t most = stmt->loop == LOOP_WARP ? MOST_THREADS / WARP_THREADS : MOST_THREADS;
    if (stmt->var->extent > most)
        return wrong(verifier, "loop %s: %lld %ss, at most %lld are allowed", name,
                     (long long)stmt->var->extent, loop_kind_name[stmt->loop], (long long)most);
    enum loop_kind around = loop_around(verifier, scope, THREADS);
    return around == LOOP_KIND_COUNT ||
           wrong(verifier, "loop %s: %s, must not be in a %s loop", name,
                 loop_kind_name[stmt->loop], loop_kind_name[around]);
}

static bool verify_barrier(struct verifier *verifier)
{
    enum loop_kind around = loop_around(verifier, verifier->scope, THREADS);
    return around == LOOP_KIND_COUNT ||
           wrong(verifier, "a barrier in a %s loop", loop_kind_name[around]);
}

static bool verify_for(struct verifier *verifier, const struct stmt *stmt)
{
    int scope = verifier->scope;
    if ((int)stmt->loop < 0 || stmt->loop >= LOOP_KIND_COUNT)
        return wrong(verifier, "a loop of no kind");
    if (!enter_var(verifier, stmt->var, stmt->loop) || !verify_device_loop(verifier, stmt, scope))
        return false;
    if (stmt->loop == LOOP_PARALLEL && scope)
        return wrong(verifier, "loop %s: parallel, must be outermost", stmt->var->name);
    for (const struct stmt *inner = stmt->body; inner && stmt->loop == LOOP_VECTOR;
         inner = inner->next)
        if (inner->kind != STMT_STORE)
            return wrong(verifier, "loop %s: vector, must be innermost", stmt->var->name);
    if (verifier->depth >= MOST_TREE)
        return wrong(verifier, "loops and operations more than %d deep", MOST_TREE);
    verifier->depth++;
    bool right = verify_stmts(verifier, stmt->body);
    verifier->depth--;
    verifier->scope = scope;
    return right;
}

static bool verify_prefetch(struct verifier *verifier, const struct stmt *stmt)
{
    if (!stmt->value || stmt->value->op != SCALAR_load)
        return wrong(verifier, "a prefetch of no element");
    if (stmt->value->buffer->place == PLACE_REGISTERS)
        return wrong(verifier, "%s: a prefetch of registers", stmt->value->buffer->name);
    return verify_expr(verifier, stmt->value);
}

static bool verify_stmt(struct verifier *verifier, const struct stmt *stmt)
{
    verifier->at = stmt->at;
    switch (stmt->kind) {
    case STMT_FOR:
        return verify_for(verifier, stmt);
    case STMT_STORE:
        return verify_store(verifier, stmt);
    case STMT_PREFETCH:
        return verify_prefetch(verifier, stmt);
    case STMT_BARRIER:
        return verify_barrier(verifier);
    }
    return wrong(verifier, "a statement of no kind");
}

static bool verify_stmts(struct verifier *verifier, const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next)
        if (!verify_stmt(verifier, stmt))
            return false;
    return true;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static bool is_word(const char *text)
{
    size_t length = text ? strlen(text) : 0;
    for (size_t i = 0; i < length; i++)
        if (!is_word_character(text[i]))
            return false;
    return length > 0;
}

static bool verify_schedules(struct verifier *verifier, const struct kernel *kernel)
{
    for (const struct schedule *s = kernel->schedules; s; s = s->next) {
        verifier->at = s->at;
        if (!verify_target(verifier, s->target))
            return false;
        for (const struct command *command = s->commands; command; command = command->next) {
            verifier->at = command->at;
            bool right =
                is_word(command->word) && command->operands >= 0 && command->operands <= MAX_RANK;
            for (int i = 0; right && i < command->operands; i++)
                right = is_word(command->operand[i]);
            if (!right)
                return wrong(verifier, "schedule \"%s\": a command that is not of 1 to %d words",
                             s->target, MAX_RANK + 1);
        }
    }
    return true;
}

/* Kernels may share a name only if each has a target of its own. */
static bool verify_kernel_name(struct verifier *verifier, const struct kernel *kernel)
{
    const char *name = kernel->name;
    if (!name || !name_is_identifier(name, strlen(name)) || name_is_reserved(name, strlen(name)))
        return wrong(verifier, "kernel %.40s: the name is no identifier, or a word of the language",
                     name ? name : "without a name");
    if (kernel->label && strlen(kernel->label) > MOST_STRING)
        return wrong(verifier, "kernel %s: a label of more than %d bytes", name, MOST_STRING);
    const char *key =
        arena_printf(verifier->scratch, "%s %s", name, kernel->target ? kernel->target : "");
    struct name_entry *first = names_find(&verifier->kernels, name, strlen(name));
    const struct kernel *other = first ? first->value : NULL;
    if (!names_add(&verifier->kernels, key, strlen(key), (void *)(uintptr_t)kernel) ||
        (other && (!other->target || !kernel->target)))
        return wrong(verifier, "kernel %s: another kernel has this name", name);
    names_add(&verifier->kernels, name, strlen(name), (void *)(uintptr_t)kernel);
    return true;
}

bool verify_kernel(struct verifier *verifier, const struct kernel *kernel)
{
    verifier->kernel = kernel;
    verifier->locals = verifier->vars = (struct names){.arena = verifier->scratch};
    verifier->scope = verifier->depth = 0;
    return (!kernel->target || verify_target(verifier, kernel->target)) &&
           verify_buffers(verifier, kernel->locals, true) && verify_stmts(verifier, kernel->body) &&
           verify_schedules(verifier, kernel);
}

bool verify_kernels(struct verifier *verifier)
{
    const struct module *module = verifier->module;
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next) {
        verifier->at = kernel->at;
        if (!verify_kernel_name(verifier, kernel) || !verify_kernel(verifier, kernel))
            return false;
        verifier->kernel = NULL;
    }
    return true;
}
