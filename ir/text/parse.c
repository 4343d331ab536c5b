/* Reads the text form: the head, the graph and the buffers here, kernels in parse_loops.c.
 * The text may be anything; what comes back obeys the limits of text.h but not yet the verifier. */
#include "text.h"
#include <string.h>

static const char *const op_names = "the name of a graph op";

/* ---- shapes ---------------------------------------------------------------------------------- */

/* "[1, 28, 28, 16]" */
struct shape parse_shape(struct parser *parser, int64_t least)
{
    struct shape shape = {0};
    struct token token = parser->token;
    expect(parser, '[');
    while (parser->token.kind != ']') {
        if (shape.rank == MAX_RANK)
            parse_fail(parser, &parser->token, "more than %d dimensions", MAX_RANK);
        if (shape.rank)
            expect(parser, ',');
        shape.dim[shape.rank++] = expect_integer(parser, "a dimension", least, MOST_ELEMENTS - 1);
    }
    lex(parser);
    if (least > 0 && !shape_valid(&shape))
        parse_fail(parser, &token, "a shape of 2^40 elements or more");
    return shape;
}

static struct shape parse_tensor_type(struct parser *parser)
{
    if (!accept_word(parser, "f32"))
        parse_expected(parser, "the type f32");
    return parse_shape(parser, 1);
}

static int parse_enum(struct parser *parser, enum attr_type type)
{
    char allowed[200] = "";
    for (int i = 0; i < ENUM_COUNT; i++) {
        const char *name = attr_enum_name(type, i);
        if (name && accept_word(parser, name))
            return i;
        size_t used = strlen(allowed);
        if (name)
            snprintf(allowed + used, sizeof allowed - used, "%s%s", used ? ", " : "one of ", name);
    }
    parse_expected(parser, allowed);
}

/* ---- the head -------------------------------------------------------------------------------- */

static const char *parse_identifier(struct parser *parser)
{
    struct token token = parser->token;
    const char *name = expect_string(parser, MOST_NAME);
    if (!name_is_identifier(name, strlen(name)))
        parse_fail(parser, &token,
                   "the name \"%.40s\" is no identifier: must have letters, digits "
                   "and _, a letter or _ first",
                   name);
    return name;
}

/* The name of a pass. The compiler checks that it has such a pass. */
static void parse_after(struct parser *parser)
{
    struct token token = parser->token;
    if (token.kind != TOKEN_NAME || token.length > MOST_NAME)
        parse_expected(parser, "the name of the last pass done");
    parser->module->after = token_copy(parser, &token);
    parser->module->after_at = token_location(&token);
    lex(parser);
}

/* "u8[1, 224, 224, 3] nhwc": the images as they lie in memory; nchw is not written. */
static void parse_input(struct parser *parser)
{
    struct module *module = parser->module;
    struct token token = parser->token;
    if (accept_word(parser, "u8"))
        module->input_type = DTYPE_U8;
    else if (!accept_word(parser, "f32"))
        parse_expected(parser, "the type f32 or u8");
    struct shape input = parse_shape(parser, 1);
    bool pixels = accept_word(parser, layout_name[LAYOUT_NHWC]);
    if (input.rank != 4)
        parse_fail(parser, &token, "an input of %d dimensions, must have 4: batch, %s", input.rank,
                   pixels ? "height, width, channels" : "channels, height, width");
    module->layout = pixels ? LAYOUT_NHWC : LAYOUT_NCHW;
    module->batch = input.dim[0];
    module->channels = input.dim[pixels ? 3 : 1];
    module->height = input.dim[pixels ? 1 : 2];
    module->width = input.dim[pixels ? 2 : 3];
}

static void parse_targets(struct parser *parser)
{
    struct module *module = parser->module;
    module->targets_at = token_location(&parser->token);
    expect_word(parser, "targets");
    while (parser->token.kind == TOKEN_STRING) {
        if (module->targets == MAX_TARGETS)
            parse_fail(parser, &parser->token, "more than %d targets", MAX_TARGETS);
        module->target_at[module->targets] = token_location(&parser->token);
        module->target[module->targets++] = expect_string(parser, MOST_NAME);
    }
}

static void parse_head(struct parser *parser)
{
    struct module *module = parser->module;
    expect_word(parser, "sanir");
    expect_integer(parser, "the version of the language", IR_VERSION, IR_VERSION);
    expect_word(parser, "model");
    module->name_at = token_location(&parser->token);
    module->name = parse_identifier(parser);
    expect_word(parser, "input");
    parse_input(parser);
    expect_word(parser, "classes");
    module->classes = expect_integer(parser, "classes", 1, INT32_MAX);
    if (accept_word(parser, "map"))
        for (int i = 0; i < 3; i++)
            module->map[i] = expect_integer(parser, "extent", 1, 1 << 16);
    parse_targets(parser);
    expect_word(parser, "threads");
    module->threads = expect_integer(parser, "threads", 1, 1 << 16);
    module->turns_at = token_location(&parser->token);
    if (accept_word(parser, "turns"))
        module->turns = expect_integer(parser, "turns", 1, 1 << 16);
    if (accept_word(parser, "precision"))
        module->precision = parse_enum(parser, ATTR_TYPE_precision_kind);
    if (accept_word(parser, "after"))
        parse_after(parser);
    if (!accept_word(parser, "workspace"))
        return;
    module->workspace_bytes = expect_integer(parser, "bytes", 0, 4 * MOST_ELEMENTS);
    expect_word(parser, "scratch");
    module->scratch_bytes = expect_integer(parser, "bytes", 0, 4 * MOST_ELEMENTS);
}

/* ---- the graph ------------------------------------------------------------------------------- */

static int value_key(int64_t id, char key[16])
{
    return snprintf(key, 16, "%lld", (long long)id);
}

/* %12, the definition or a use. */
static int parse_id(struct parser *parser)
{
    if (parser->token.kind != TOKEN_VALUE || !parser->token.length)
        parse_expected(parser, "a value as %1");
    parser->token.kind = TOKEN_NUMBER;
    return (int)expect_integer(parser, "the number of a value", 0, MOST_ID);
}

static struct inst *parse_value_use(struct parser *parser)
{
    char key[16];
    struct token token = parser->token;
    int id = parse_id(parser);
    struct name_entry *entry = names_find(&parser->values, key, (size_t)value_key(id, key));
    if (!entry)
        parse_fail(parser, &token, "%%%d is not defined above", id);
    return entry->value;
}

static union attr parse_attr_value(struct parser *parser, const struct attr_info *info)
{
    union attr attr = {0};
    int64_t sign;
    switch (info->type) {
    case ATTR_TYPE_int:
        sign = accept(parser, '-') ? -1 : 1;
        attr.integer = sign * expect_integer(parser, info->name, 0, MOST_ELEMENTS);
        break;
    case ATTR_TYPE_real:
        attr.real = expect_real(parser);
        break;
    case ATTR_TYPE_string:
        attr.string = expect_string(parser, MOST_NAME);
        break;
    case ATTR_TYPE_shape: /* of a transposition: an order, which counts from 0 */
        attr.shape = parse_shape(parser, info->least < 1 ? 0 : 1);
        break;
    default:
        attr.integer = parse_enum(parser, info->type);
    }
    return attr;
}

/* "{ kind = dot, footprint = 3 }" after the operands. */
static void parse_attrs(struct parser *parser, struct inst *inst)
{
    const struct op_info *info = &op_info[inst->op];
    unsigned seen = 0;
    if (!accept(parser, '{'))
        return;
    do {
        int i = 0;
        char allowed[160] = "an attribute:";
        while (i < info->attrs && !token_is(&parser->token, info->attr[i].name)) {
            size_t used = strlen(allowed);
            snprintf(allowed + used, sizeof allowed - used, " %s", info->attr[i++].name);
        }
        if (i == info->attrs)
            parse_expected(parser, info->attrs ? allowed : "an op without attributes");
        if (seen & 1u << i)
            parse_expected(parser, "an attribute that was not given yet");
        seen |= 1u << i;
        lex(parser);
        expect(parser, '=');
        inst->attr[i] = parse_attr_value(parser, &info->attr[i]);
    } while (accept(parser, ','));
    expect(parser, '}');
}

static enum op parse_op(struct parser *parser)
{
    for (int op = 0; op < OP_COUNT; op++)
        if (accept_word(parser, op_info[op].name))
            return (enum op)op;
    parse_expected(parser, op_names);
}

/* %5 = linear %1, %4 { ... } : f32[1, 28, 28, 16] "conv_in" */
static void parse_inst(struct parser *parser)
{
    char key[16];
    struct token token = parser->token;
    struct inst *in[MAX_INPUTS];
    int inputs = 0, id = parse_id(parser);
    expect(parser, '=');
    enum op op = parse_op(parser);
    while (inputs ? accept(parser, ',') : parser->token.kind == TOKEN_VALUE) {
        if (inputs == MAX_INPUTS)
            parse_fail(parser, &parser->token, "more than %d inputs", MAX_INPUTS);
        in[inputs++] = parse_value_use(parser);
    }
    struct inst *inst = inst_new(parser->module, NULL, op, inputs, in);
    inst->id = id;
    inst->at = token_location(&token);
    inst->constant = inst_infer_constant(inst);
    parse_attrs(parser, inst);
    expect(parser, ':');
    inst->shape = parse_tensor_type(parser);
    if (parser->token.kind == TOKEN_STRING)
        inst->label = expect_string(parser, MOST_STRING);
    size_t length = (size_t)value_key(id, key);
    if (!names_add(&parser->values, arena_copy(parser->module->arena, key, length), length, inst))
        parse_fail(parser, &token, "%%%d is defined twice", id);
}

static void parse_graph(struct parser *parser)
{
    expect_word(parser, "graph");
    expect(parser, '{');
    int next_id = 0;
    while (!accept(parser, '}')) {
        parse_inst(parser);
        int id = parser->module->last->id;
        next_id = id >= next_id ? id + 1 : next_id;
    }
    parser->module->next_id = next_id;
}

/* ---- buffers --------------------------------------------------------------------------------- */

static enum place parse_place(struct parser *parser, bool local)
{
    int least = local ? PLACE_STACK : 0, most = local ? PLACE_COUNT : PLACE_STACK;
    for (int place = least; place < most; place++)
        if (accept_word(parser, place_name[place]))
            return (enum place)place;
    parse_expected(parser, local ? "a place in a kernel: stack, registers, shared"
                                 : "a place: input, output, weights, workspace");
}

/* After the name: ": weights f32[3, 64] = %4" or ": stack f32[49, 32] at 0". */
struct buffer *parse_buffer(struct parser *parser, const struct token *name, bool local)
{
    struct module *module = parser->module;
    struct names *names = local ? &parser->locals : &parser->buffers;
    expect(parser, ':');
    struct buffer *buffer = ARENA_NEW(module->arena, struct buffer);
    buffer->name = token_copy(parser, name);
    buffer->at = token_location(name);
    buffer->place = parse_place(parser, local);
    while (buffer->dtype < DTYPE_COUNT && !accept_word(parser, dtype_name[buffer->dtype]))
        buffer->dtype++;
    if (buffer->dtype == DTYPE_COUNT)
        parse_expected(parser, "a type: f32, i32, u8, bf16");
    buffer->shape = parse_shape(parser, 1);
    if (buffer->place == PLACE_WEIGHTS) {
        expect(parser, '=');
        buffer_set_value(buffer, parse_value_use(parser));
    }
    buffer->offset = -1;
    if (accept_word(parser, "at"))
        buffer->offset = expect_integer(parser, "an offset in bytes", 0, 4 * MOST_ELEMENTS);
    if (names_find(&parser->buffers, name->text, name->length) ||
        !names_add(names, name->text, name->length, buffer))
        parse_fail(parser, name, "a second buffer of the name %s", buffer->name);
    return buffer;
}

/* ---- the whole text -------------------------------------------------------------------------- */

static void parse_module(struct parser *parser)
{
    struct module *module = parser->module;
    struct buffer **last = &module->buffers;
    lex(parser);
    parse_head(parser);
    parse_graph(parser);
    while (parser->token.kind == TOKEN_NAME && !token_is(&parser->token, "kernel")) {
        struct token name = expect_name(parser, "the name of a buffer, or kernel");
        *last = parse_buffer(parser, &name, false);
        last = &(*last)->next;
    }
    while (accept_word(parser, "kernel"))
        parse_kernel(parser);
    if (parser->token.kind != TOKEN_END)
        parse_expected(parser, module->kernels ? "a kernel, or the end of the text"
                                               : "a buffer, a kernel, or the end of the text");
}

struct module *module_parse(const char *text, size_t size, struct error *error)
{
    struct parser parser = {.at = text, .end = text + size, .line_start = text, .line = 1};
    if (size > MOST_TEXT) {
        error_set_at(error, (struct location){1, 1}, "a text of %zu bytes, at most %d are allowed",
                     size, MOST_TEXT);
        return NULL;
    }
    struct module *volatile module = module_new(); /* lives across the jump */
    parser.module = module;
    parser.error = error;
    parser.last_kernel = &parser.module->kernels;
    parser.values.arena = parser.buffers.arena = module->arena;
    if (setjmp(parser.failed)) {
        module_free(module);
        return NULL;
    }
    parse_module(&parser);
    return module;
}
