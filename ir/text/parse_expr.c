/* Reads expressions on scalars and indices. */
#include "affine.h"
#include "text.h"
#include <string.h>

/* ---- indices --------------------------------------------------------------------------------- */

static const struct affine *parse_index(struct parser *parser);

static const struct affine *within_limits(struct parser *parser, const struct token *token,
                                          const struct affine *index)
{
    if (index_terms(index) > MOST_TERMS)
        parse_fail(parser, token, "an index of %d terms, at most %d are allowed",
                   index_terms(index), MOST_TERMS);
    if (index_magnitude(index) > MOST_INDEX)
        parse_fail(parser, token, "an index that may go beyond 2^40");
    return index;
}

/* After the name: "{49}[14*m + i]" */
static const struct affine *parse_lookup(struct parser *parser, const struct token *name)
{
    struct buffer *table = parse_buffer_use(parser, name);
    if (table->dtype != DTYPE_I32 || table->shape.rank != 1)
        parse_fail(parser, name, "%s is no table: must be i32 of one dimension", table->name);
    expect(parser, '{');
    int64_t limit = expect_integer(parser, "the limit of a table's values", 1, INT32_MAX);
    expect(parser, '}');
    expect(parser, '[');
    const struct affine *inner = parse_index(parser);
    expect(parser, ']');
    return affine_lookup(parser->module->arena, table, inner, limit);
}

/* m, rows{49}[m], (m + 1) */
static const struct affine *parse_index_primary(struct parser *parser)
{
    if (accept(parser, '(')) {
        const struct affine *inner = parse_index(parser);
        expect(parser, ')');
        return inner;
    }
    struct token name = expect_name(parser, "an index: a variable, a number, a table, or '('");
    if (parser->token.kind == '{')
        return parse_lookup(parser, &name);
    struct name_entry *entry = names_find(&parser->vars, name.text, name.length);
    if (!entry)
        parse_fail(parser, &name, "no loop has a variable %.*s", (int)name.length, name.text);
    if (!entry->value)
        parse_fail(parser, &name, "the loop of %.*s ended above", (int)name.length, name.text);
    return affine_var(parser->module->arena, entry->value);
}

/* 3, 14*m, m div 2, 3*(m div 2) */
static const struct affine *parse_index_item(struct parser *parser)
{
    struct arena *arena = parser->module->arena;
    struct token token = parser->token;
    if (token.kind == TOKEN_NUMBER) {
        int64_t number = expect_integer(parser, "a number in an index", 0, MOST_INDEX);
        if (!accept(parser, '*'))
            return affine_constant(arena, number);
        const struct affine *inner = parse_index_primary(parser);
        int64_t most = index_magnitude(inner);
        if (most && number > MOST_INDEX / most)
            parse_fail(parser, &token, "an index that may go beyond 2^40");
        return affine_scale(arena, inner, number);
    }
    const struct affine *inner = parse_index_primary(parser);
    bool div = token_is(&parser->token, "div");
    if (!div && !token_is(&parser->token, "mod"))
        return inner;
    lex(parser);
    int64_t divisor = expect_integer(parser, "a divisor", 1, MOST_INDEX), least, most;
    affine_range(inner, &least, &most);
    if (least < 0)
        parse_fail(parser, &token, "div or mod of an index that may be %lld, must not be negative",
                   (long long)least);
    inner = div ? affine_div(arena, inner, divisor) : affine_mod(arena, inner, divisor);
    return within_limits(parser, &token, inner);
}

/* Sums of items; every partial sum within the limits. */
static const struct affine *parse_index(struct parser *parser)
{
    struct arena *arena = parser->module->arena;
    struct token token = parser->token;
    parse_enter(parser);
    bool minus = accept(parser, '-');
    const struct affine *sum = parse_index_item(parser);
    if (minus)
        sum = affine_scale(arena, sum, -1);
    within_limits(parser, &token, sum);
    while (parser->token.kind == '+' || parser->token.kind == '-') {
        minus = parser->token.kind == '-';
        lex(parser);
        const struct affine *item = parse_index_item(parser);
        sum = affine_add(arena, sum, minus ? affine_scale(arena, item, -1) : item);
        within_limits(parser, &token, sum);
    }
    parse_leave(parser);
    return sum;
}

/* "[i, v]", one for each dimension */
void parse_indices(struct parser *parser, const struct buffer *buffer, const struct affine **index)
{
    expect(parser, '[');
    for (int i = 0; i < buffer->shape.rank; i++) {
        if (i)
            expect(parser, ',');
        index[i] = parse_index(parser);
    }
    if (!accept(parser, ']')) {
        char allowed[200];
        snprintf(allowed, sizeof allowed, "']': %s has %d dimensions", buffer->name,
                 buffer->shape.rank);
        parse_expected(parser, allowed);
    }
}

struct buffer *parse_buffer_use(struct parser *parser, const struct token *name)
{
    struct name_entry *entry = names_find(&parser->locals, name->text, name->length);
    if (!entry)
        entry = names_find(&parser->buffers, name->text, name->length);
    if (!entry)
        parse_fail(parser, name, "no buffer has the name %.*s", (int)name->length, name->text);
    return entry->value;
}

/* ---- expressions ----------------------------------------------------------------------------- */

static const struct expr *parse_primary(struct parser *parser, int *height);

static int higher(int a, int b)
{
    return a > b ? a : b;
}

/* One node above children of that height. */
static int above(struct parser *parser, int height)
{
    if (height >= MOST_DEPTH)
        parse_fail(parser, &parser->token, "an expression of more than %d operations in a row",
                   MOST_DEPTH);
    return height + 1;
}

/* After "sum" or "maximum": "c in 32, k in 3 (body) from init" */
static const struct expr *parse_reduction(struct parser *parser, enum scalar_op op, int *height)
{
    struct var *var[MAX_RANK];
    struct token name[MAX_RANK];
    int vars = 0, other = 0;
    do {
        if (vars == MAX_RANK)
            parse_fail(parser, &parser->token, "a reduction over more than %d variables", MAX_RANK);
        var[vars] = parse_var(parser, &name[vars]);
        vars++;
    } while (accept(parser, ','));
    expect(parser, '(');
    const struct expr *body = parse_expr(parser, height), *init = NULL;
    expect(parser, ')');
    for (int i = 0; i < vars; i++)
        parse_var_end(parser, &name[i]);
    if (accept_word(parser, "from"))
        init = parse_primary(parser, &other);
    *height = above(parser, higher(*height, other));
    return expr_reduce(parser->module, op, vars, var, body, init);
}

/* After "fma" or another function: "(a, b, c)" */
static const struct expr *parse_call(struct parser *parser, enum scalar_op op, int *height)
{
    const struct expr *in[3] = {NULL};
    int most = 0;
    expect(parser, '(');
    for (int i = 0; i < scalar_info[op].inputs; i++) {
        if (i)
            expect(parser, ',');
        in[i] = parse_expr(parser, height);
        most = higher(most, *height);
    }
    expect(parser, ')');
    *height = above(parser, most);
    return expr_op(parser->module, op, in[0], in[1], in[2]);
}

static bool is_function(enum scalar_op op)
{
    return scalar_info[op].inputs > 0 && !scalar_info[op].infix[0];
}

/* A load, a call, or a reduction: told apart by what follows the name. */
static const struct expr *parse_named(struct parser *parser, int *height)
{
    const struct affine *index[MAX_RANK];
    struct token name = expect_name(parser, "an expression: a number, a load, a function, sum, "
                                            "maximum, or '('");
    *height = 1;
    if (parser->token.kind == '[') {
        struct buffer *buffer = parse_buffer_use(parser, &name);
        parse_indices(parser, buffer, index);
        return expr_load(parser->module, buffer, index);
    }
    for (int op = 0; op < SCALAR_COUNT; op++) {
        if (!is_function((enum scalar_op)op) || !token_is(&name, scalar_info[op].name))
            continue;
        if (op == SCALAR_sum || op == SCALAR_maximum)
            return parse_reduction(parser, (enum scalar_op)op, height);
        return parse_call(parser, (enum scalar_op)op, height);
    }
    parse_expected(parser,
                   "'[' after the name of a buffer, or '(' after max, fma, exp, sqrt, tf32 "
                   "or bf16");
}

static const struct expr *parse_primary(struct parser *parser, int *height)
{
    const struct expr *expr;
    parse_enter(parser);
    if (accept(parser, '(')) {
        expr = parse_expr(parser, height);
        expect(parser, ')');
    } else if (parser->token.kind == TOKEN_NUMBER || parser->token.kind == '-' ||
               token_is(&parser->token, "inf")) {
        expr = expr_constant(parser->module, expect_real(parser));
        *height = 1;
    } else {
        expr = parse_named(parser, height);
    }
    parse_leave(parser);
    return expr;
}

static bool is_infix(const struct token *token, const char *infix)
{
    return infix[0] && token->kind == (unsigned char)infix[0];
}

/* Operators of one precedence, `tight` for * and /; equals group to the left. */
static const struct expr *parse_chain(struct parser *parser, bool tight, int *height)
{
    const struct expr *left =
        tight ? parse_primary(parser, height) : parse_chain(parser, true, height);
    for (int op = 0; op < SCALAR_COUNT; op++) {
        bool same = (op == SCALAR_mul || op == SCALAR_div) == tight;
        if (!same || !is_infix(&parser->token, scalar_info[op].infix))
            continue;
        int other;
        lex(parser);
        const struct expr *right =
            tight ? parse_primary(parser, &other) : parse_chain(parser, true, &other);
        *height = above(parser, higher(*height, other));
        left = expr_op(parser->module, (enum scalar_op)op, left, right, NULL);
        op = -1; /* look for any operator again */
    }
    return left;
}

const struct expr *parse_expr(struct parser *parser, int *height)
{
    return parse_chain(parser, false, height);
}
