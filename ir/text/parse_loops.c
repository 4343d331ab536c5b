/* Reads kernels: local buffers, loops, stores and schedules. */
#include "text.h"

/* ---- variables ------------------------------------------------------------------------------- */

/* "i in 14": in scope until parse_var_end; its name stays taken to the kernel's end. */
struct var *parse_var(struct parser *parser, struct token *name)
{
    *name = expect_name(parser, "the name of a loop variable");
    expect_word(parser, "in");
    int64_t extent = expect_integer(parser, "the extent of a loop", 1, MOST_INDEX - 1);
    struct var *var = ARENA_NEW(parser->module->arena, struct var);
    var->name = token_copy(parser, name);
    var->extent = extent;
    if (!names_add(&parser->vars, name->text, name->length, var))
        parse_fail(parser, name, "a second loop variable of the name %s in this kernel", var->name);
    return var;
}

void parse_var_end(struct parser *parser, const struct token *name)
{
    names_find(&parser->vars, name->text, name->length)->value = NULL;
}

/* ---- statements ------------------------------------------------------------------------------ */

static struct stmt *parse_stmt(struct parser *parser);

static enum loop_kind parse_loop_kind(struct parser *parser)
{
    for (int kind = 0; kind < LOOP_KIND_COUNT; kind++)
        if (accept_word(parser, loop_kind_name[kind]))
            return (enum loop_kind)kind;
    return LOOP_SERIAL;
}

static struct stmt *parse_block(struct parser *parser)
{
    if (!accept(parser, '{'))
        return parse_stmt(parser);
    struct stmt *body = NULL, **last = &body;
    while (!accept(parser, '}')) {
        *last = parse_stmt(parser);
        last = &(*last)->next;
    }
    return body;
}

/* "m in 224 parallel, i in 14 ..." and the body */
static struct stmt *parse_for(struct parser *parser)
{
    struct token name;
    parse_enter(parser);
    struct stmt *stmt = stmt_for(parser->module, parse_var(parser, &name), LOOP_SERIAL, NULL);
    stmt->at = token_location(&name);
    stmt->loop = parse_loop_kind(parser);
    stmt->body = accept(parser, ',') ? parse_for(parser) : parse_block(parser);
    parse_var_end(parser, &name);
    parse_leave(parser);
    return stmt;
}

/* After the name: "[i, v] = ..." */
static struct stmt *parse_store(struct parser *parser, const struct token *name)
{
    int height;
    const struct affine *index[MAX_RANK];
    struct buffer *buffer = parse_buffer_use(parser, name);
    parse_indices(parser, buffer, index);
    expect(parser, '=');
    struct stmt *stmt = stmt_store(parser->module, buffer, index, parse_expr(parser, &height));
    stmt->at = token_location(name);
    return stmt;
}

/* After the word prefetch. */
static struct stmt *parse_prefetch(struct parser *parser)
{
    const struct affine *index[MAX_RANK];
    struct token name = expect_name(parser, "a buffer");
    struct buffer *buffer = parse_buffer_use(parser, &name);
    parse_indices(parser, buffer, index);
    return stmt_prefetch(parser->module, expr_load(parser->module, buffer, index));
}

static struct stmt *parse_stmt(struct parser *parser)
{
    struct location at = token_location(&parser->token);
    struct stmt *stmt;
    if (accept_word(parser, "for"))
        return parse_for(parser);
    if (accept_word(parser, "barrier")) {
        stmt = stmt_barrier(parser->module);
    } else if (accept_word(parser, "prefetch")) {
        stmt = parse_prefetch(parser);
    } else if (accept_word(parser, "async")) {
        struct token name = expect_name(parser, "a buffer");
        stmt = parse_store(parser, &name);
        stmt->async = true;
    } else {
        struct token name =
            expect_name(parser, "a statement: a store, for, prefetch, async, or barrier");
        return parse_store(parser, &name);
    }
    stmt->at = at;
    return stmt;
}

/* ---- schedules ------------------------------------------------------------------------------- */

/* "tile m 2", alone on its line */
static struct command *parse_command(struct parser *parser, struct token word)
{
    struct command *command = ARENA_NEW(parser->module->arena, struct command);
    command->word = token_copy(parser, &word);
    command->at = token_location(&word);
    for (word = lex_word(parser); word.length; word = lex_word(parser)) {
        if (command->operands == MAX_RANK)
            parse_fail(parser, &word, "more than %d operands", MAX_RANK);
        command->operand_column[command->operands] = word.column;
        command->operand[command->operands++] = token_copy(parser, &word);
    }
    return command;
}

/* "x86-64-v4" { lines } */
struct schedule *parse_schedule(struct parser *parser)
{
    struct schedule *schedule = ARENA_NEW(parser->module->arena, struct schedule);
    struct command **last = &schedule->commands;
    schedule->at = token_location(&parser->token);
    schedule->target = expect_string(parser, MOST_NAME);
    if (parser->token.kind != '{')
        parse_expected(parser, "'{'");
    for (;;) { /* the current token is '{': what follows is read by words, not by tokens */
        lex_skip_lines(parser);
        struct token word = lex_word(parser);
        if (!word.length)
            break;
        *last = parse_command(parser, word);
        last = &(*last)->next;
    }
    lex(parser);
    if (!accept(parser, '}'))
        parse_expected(parser, "a command of words from letters, digits and _ . - + * =, or '}'");
    return schedule;
}

/* ---- costs ----------------------------------------------------------------------------------- */

static int64_t parse_number(struct parser *parser, const char *name)
{
    expect_word(parser, name);
    expect(parser, '=');
    return expect_integer(parser, name, 0, INT64_MAX);
}

static enum bound parse_bound(struct parser *parser)
{
    expect_word(parser, "bound");
    expect(parser, '=');
    for (int bound = 0; bound < BOUND_COUNT; bound++)
        if (accept_word(parser, bound_name[bound]))
            return (enum bound)bound;
    parse_expected(parser, "fma, vector, latency, l1, l2 or memory");
}

/* { flops = 12, ... }: numbers that print.c computes from others are read and not kept. */
static struct cost *parse_cost(struct parser *parser)
{
    struct cost *cost = ARENA_NEW(parser->module->arena, struct cost);
    expect(parser, '{');
    cost->flops = parse_number(parser, "flops");
    expect(parser, ',');
    cost->exps = parse_number(parser, "exps");
    expect(parser, ',');
    cost->bytes = parse_number(parser, "bytes");
    bool more = accept(parser, ',');
    if (more && accept_word(parser, "intensity")) {
        expect(parser, '=');
        expect_real(parser);
        more = accept(parser, ',');
    }
    if (more) {
        cost->l1_bytes = parse_number(parser, "l1");
        expect(parser, ',');
        cost->l2_bytes = parse_number(parser, "l2");
        expect(parser, ',');
        cost->memory_bytes = parse_number(parser, "memory");
        expect(parser, ',');
        cost->cycles = parse_number(parser, "cycles");
        expect(parser, ',');
        cost->bound = parse_bound(parser);
    }
    expect(parser, '}');
    return cost;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static void parse_kernel_body(struct parser *parser, struct kernel *kernel)
{
    struct buffer **last_local = &kernel->locals;
    struct stmt **last = &kernel->body;
    while (parser->token.kind != '}' && !token_is(&parser->token, "schedule")) {
        if (token_is(&parser->token, "for") || token_is(&parser->token, "prefetch") ||
            token_is(&parser->token, "barrier") || token_is(&parser->token, "async")) {
            *last = parse_stmt(parser);
            last = &(*last)->next;
            continue;
        }
        struct token name = expect_name(
            parser, "a buffer, a store, for, prefetch, async, barrier, schedule, or '}'");
        if (parser->token.kind != ':') {
            *last = parse_store(parser, &name);
            last = &(*last)->next;
            continue;
        }
        if (kernel->body)
            parse_fail(parser, &name, "a buffer after the first statement of its kernel");
        *last_local = parse_buffer(parser, &name, true);
        last_local = &(*last_local)->next;
    }
    struct schedule **last_schedule = &kernel->schedules;
    while (accept_word(parser, "schedule")) {
        *last_schedule = parse_schedule(parser);
        last_schedule = &(*last_schedule)->next;
    }
    if (!accept(parser, '}'))
        parse_expected(parser, "a schedule, or '}'");
}

/* After the word kernel. */
void parse_kernel(struct parser *parser)
{
    struct arena *arena = parser->module->arena;
    parser->locals = parser->vars = (struct names){.arena = arena};
    struct token name = expect_name(parser, "the name of a kernel");
    struct kernel *kernel = ARENA_NEW(arena, struct kernel);
    kernel->name = token_copy(parser, &name);
    kernel->at = token_location(&name);
    if (parser->token.kind == TOKEN_STRING)
        kernel->label = expect_string(parser, MOST_STRING);
    if (accept_word(parser, "target"))
        kernel->target = expect_string(parser, MOST_NAME);
    expect(parser, '{');
    if (accept_word(parser, "cost"))
        kernel->cost = parse_cost(parser);
    parse_kernel_body(parser, kernel);
    *parser->last_kernel = kernel;
    parser->last_kernel = &kernel->next;
}
