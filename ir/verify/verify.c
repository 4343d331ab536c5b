/* What every module has to keep. Here: the head, the graph and the buffers; verify_loops.c: how
 * kernels are made; verify_flow.c, verify_races.c, verify_lives.c: what data does in them. */
#include "op.h"
#include "rounding.h"
#include "verify_flow.h"
#include "verify_loops.h"
#include <stdarg.h>
#include <string.h>

bool wrong(struct verifier *verifier, const char *format, ...)
{
    struct error *error = verifier->error;
    error->file = verifier->module->file;
    char text[sizeof error->text];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (verifier->kernel && !verifier->at.line)
        verifier->at =
            verifier->kernel->at; /* a pass made the loop, but the kernel was read from a text */
    if (!verifier->at.line && verifier->module->file)
        verifier->at = (struct location){1, 1}; /* the text as a whole */
    if (verifier->kernel)
        return error_set(error, "kernel %s: %s", verifier->kernel->name, text);
    return error_set(error, "%s", text);
}

/* ---- graph form ------------------------------------------------------------------------------ */

static struct inst *find_value(const struct names *names, const struct inst *inst)
{
    struct name_entry *entry = names_find(names, (const char *)&inst->id, sizeof inst->id);
    return entry ? entry->value : NULL;
}

static bool verify_operands(struct verifier *verifier, const struct inst *inst)
{
    for (int i = 0; i < inst->inputs; i++) {
        const struct inst *in = inst->in[i];
        if (!in || find_value(&verifier->values, in) != in)
            return wrong(verifier, "%%%d = %s: input %d is not defined above it", inst->id,
                         op_info[inst->op].name, i);
        if (in->op == OP_output)
            return wrong(verifier, "%%%d = %s: input %d is the output", inst->id,
                         op_info[inst->op].name, i);
    }
    return true;
}

/* What the input and the output of the graph have to be. */
static bool verify_ends(struct verifier *verifier, const struct inst *inst)
{
    const struct module *module = verifier->module;
    struct shape input = module_input_shape(module);
    struct shape output = {2, {module->batch, module->classes}};
    char found[SHAPE_TEXT], allowed[SHAPE_TEXT];
    const struct shape *want = inst->op == OP_input ? &input : &output;
    if ((inst->op != OP_input && inst->op != OP_output) || shape_equal(&inst->shape, want))
        return true;
    return wrong(verifier, "%%%d = %s: the shape is %s, the module's head says %s", inst->id,
                 op_info[inst->op].name, shape_text(&inst->shape, found),
                 shape_text(want, allowed));
}

static bool verify_inst(struct verifier *verifier, struct inst *inst)
{
    struct error why;
    char found[SHAPE_TEXT], allowed[SHAPE_TEXT];
    if ((int)inst->op < 0 || inst->op >= OP_COUNT)
        return wrong(verifier, "%%%d: no op has the number %d", inst->id, (int)inst->op);
    const char *name = op_info[inst->op].name;
    if (inst->id < 0 || inst->id > MOST_ID || inst->id >= verifier->module->next_id)
        return wrong(verifier, "%%%d = %s: the id must be from 0 to %d and below next_id", inst->id,
                     name, MOST_ID);
    if (!inst_check_rows(inst, &why))
        return wrong(verifier, "%%%d = %s: %s", inst->id, name, why.text);
    if (!verify_operands(verifier, inst))
        return false;
    struct inst copy = *inst;
    if (!inst_finish(&copy, &why))
        return wrong(verifier, "%%%d = %s: %s", inst->id, name, why.text);
    if (!shape_equal(&copy.shape, &inst->shape))
        return wrong(verifier, "%%%d = %s: the shape is %s, must be %s", inst->id, name,
                     shape_text(&inst->shape, found), shape_text(&copy.shape, allowed));
    const char *key = (const char *)&inst->id;
    if (!names_add(&verifier->values, key, sizeof inst->id, inst))
        return wrong(verifier, "%%%d = %s: another value has this id", inst->id, name);
    if (copy.constant != inst->constant)
        return wrong(verifier, "%%%d = %s: said to be %s, which is wrong", inst->id, name,
                     inst->constant ? "constant" : "variable");
    if (inst->label && strlen(inst->label) > MOST_STRING)
        return wrong(verifier, "%%%d = %s: a label of more than %d bytes", inst->id, name,
                     MOST_STRING);
    return verify_ends(verifier, inst);
}

/* Once there are kernels, the graph may have shrunk to the recipes of the weights. */
static bool verify_graph(struct verifier *verifier)
{
    const struct module *module = verifier->module;
    int inputs = 0, outputs = 0;
    for (struct inst *inst = module->first; inst; inst = inst->next) {
        verifier->at = inst->at;
        if (!verify_inst(verifier, inst))
            return false;
        inputs += inst->op == OP_input;
        outputs += inst->op == OP_output;
    }
    int least = module->kernels ? 0 : 1;
    if (inputs < least || inputs > 1 || outputs < least || outputs > 1)
        return wrong(verifier, "the graph has %d inputs and %d outputs, must have one of each",
                     inputs, outputs); /* at its last instruction */
    verifier->at = (struct location){0};
    return true;
}

/* ---- buffers --------------------------------------------------------------------------------- */

static bool verify_recipe(struct verifier *verifier, const struct buffer *buffer)
{
    const struct inst *value = buffer->value;
    char found[SHAPE_TEXT], allowed[SHAPE_TEXT];
    if (buffer->place != PLACE_WEIGHTS)
        return !value || wrong(verifier, "buffer %s: in %s, must have no value", buffer->name,
                               place_name[buffer->place]);
    if (!value || find_value(&verifier->values, value) != value)
        return wrong(verifier, "buffer %s: its value is not in the graph", buffer->name);
    if (!value->constant)
        return wrong(verifier, "buffer %s: its value %%%d is not constant", buffer->name,
                     value->id);
    if (shape_elements(&value->shape) != shape_elements(&buffer->shape))
        return wrong(verifier, "buffer %s: %s, its value %%%d is %s of another number of elements",
                     buffer->name, shape_text(&buffer->shape, found), value->id,
                     shape_text(&value->shape, allowed));
    if (buffer->dtype == DTYPE_BF16 && !recipe_is_rounded(value, precision_kind_bf16))
        return wrong(verifier, "buffer %s: of type bf16, its value %%%d is not rounded to that",
                     buffer->name, value->id);
    return true;
}

/* Planned buffers lie within the workspace, or within a worker's scratch. */
static bool verify_offset(struct verifier *verifier, const struct buffer *buffer)
{
    const struct module *module = verifier->module;
    int64_t bytes = buffer_bytes(buffer);
    int64_t most =
        buffer->place == PLACE_WORKSPACE ? module->workspace_bytes : module->scratch_bytes;
    if (buffer->offset == -1)
        return true;
    if (buffer->offset < 0 || buffer->offset > 4 * MOST_ELEMENTS || buffer->offset % 4)
        return wrong(verifier, "buffer %s: the offset %lld, must be a multiple of 4 up to 2^42",
                     buffer->name, (long long)buffer->offset);
    if (buffer->place == PLACE_SHARED)
        return buffer->offset + bytes <= MOST_SHARED ||
               wrong(verifier, "buffer %s: bytes %lld to %lld, a block shares at most %d",
                     buffer->name, (long long)buffer->offset, (long long)(buffer->offset + bytes),
                     MOST_SHARED);
    if (buffer->place != PLACE_WORKSPACE && buffer->place != PLACE_STACK)
        return buffer->place == PLACE_WEIGHTS ||
               wrong(verifier, "buffer %s: in %s, must have no offset", buffer->name,
                     place_name[buffer->place]);
    if (buffer->offset + bytes > most)
        return wrong(verifier, "buffer %s: bytes %lld to %lld of a %s of %lld", buffer->name,
                     (long long)buffer->offset, (long long)(buffer->offset + bytes),
                     buffer->place == PLACE_WORKSPACE ? "workspace" : "scratch", (long long)most);
    return true;
}

/* The caller's memory is as large as the head says. */
static bool verify_caller(struct verifier *verifier, const struct buffer *buffer)
{
    const struct module *module = verifier->module;
    int64_t elements = shape_elements(&buffer->shape);
    int64_t input = module->batch * module->channels * module->height * module->width;
    int64_t output = module->batch * module->classes;
    if (buffer->place == PLACE_INPUT && buffer->dtype != module->input_type)
        return wrong(verifier, "buffer %s: of type %s, the module's input is %s", buffer->name,
                     dtype_name[buffer->dtype], dtype_name[module->input_type]);
    if (buffer->place == PLACE_INPUT && elements != input)
        return wrong(verifier, "buffer %s: %lld elements, the module's input has %lld",
                     buffer->name, (long long)elements, (long long)input);
    if (buffer->place == PLACE_OUTPUT && elements != output)
        return wrong(verifier, "buffer %s: %lld elements, the module's output has %lld",
                     buffer->name, (long long)elements, (long long)output);
    return true;
}

static bool verify_buffer(struct verifier *verifier, const struct buffer *buffer, bool local)
{
    const char *name = buffer->name;
    if (!name || !name_is_identifier(name, strlen(name)) || name_is_reserved(name, strlen(name)))
        return wrong(verifier, "buffer %.40s: the name is no identifier, or a word of the language",
                     name ? name : "without a name");
    if ((int)buffer->place < 0 || buffer->place >= PLACE_COUNT ||
        (buffer->place >= PLACE_STACK) != local)
        return wrong(verifier,
                     "buffer %s: stack, registers and shared belong into a kernel, the other "
                     "places into the module",
                     name);
    if (!shape_valid(&buffer->shape))
        return wrong(verifier,
                     "buffer %s: its dimensions must be at least 1 and its elements "
                     "fewer than 2^40",
                     name);
    if ((int)buffer->dtype < 0 || buffer->dtype >= DTYPE_COUNT ||
        (buffer->dtype == DTYPE_I32 && buffer->place != PLACE_WEIGHTS) ||
        (buffer->dtype == DTYPE_BF16 && buffer->place != PLACE_WEIGHTS &&
         buffer->place != PLACE_WORKSPACE && buffer->place != PLACE_STACK &&
         buffer->place != PLACE_SHARED) ||
        (buffer->dtype == DTYPE_U8 && buffer->place != PLACE_INPUT))
        return wrong(verifier,
                     "buffer %s: must be f32; only weights may be i32, only the input u8, and only "
                     "weights, workspace, stack and shared bf16",
                     name);
    return verify_recipe(verifier, buffer) && verify_offset(verifier, buffer) &&
           verify_caller(verifier, buffer);
}

bool verify_buffers(struct verifier *verifier, const struct buffer *list, bool local)
{
    struct names *names = local ? &verifier->locals : &verifier->buffers;
    for (const struct buffer *buffer = list; buffer; buffer = buffer->next) {
        verifier->at = buffer->at;
        if (!verify_buffer(verifier, buffer, local))
            return false;
        size_t length = strlen(buffer->name);
        if (names_find(&verifier->buffers, buffer->name, length) ||
            !names_add(names, buffer->name, length, (void *)(uintptr_t)buffer))
            return wrong(verifier, "buffer %s: another buffer has this name", buffer->name);
    }
    return true;
}

/* ---- use lists ------------------------------------------------------------------------------- */

/* How many users the list of an instruction has; -1: one that does not use it. */
static int64_t count_listed(const struct inst *inst)
{
    int64_t count = 0;
    for (const struct use *use = inst->users; use; use = use->next, count++)
        if (use->of != inst)
            return -1;
    return count;
}

static bool verify_uses(struct verifier *verifier)
{
    int64_t listed = 0, uses = 0;
    for (const struct inst *inst = verifier->module->first; inst; inst = inst->next) {
        for (int i = 0; i < inst->inputs; i++, uses++)
            if (inst->use[i].of != inst->in[i] || inst->use[i].user != inst)
                return wrong(verifier, "%%%d = %s: not among the users of its input %d", inst->id,
                             op_info[inst->op].name, i);
        if (count_listed(inst) != inst->uses)
            return wrong(verifier, "%%%d = %s: the list of its users is wrong", inst->id,
                         op_info[inst->op].name);
        listed += inst->uses;
    }
    for (const struct buffer *b = verifier->module->buffers; b; b = b->next) {
        if (b->use.of != b->value)
            return wrong(verifier, "buffer %s: not among the users of its value", b->name);
        uses += b->value != NULL;
    }
    return uses == listed || wrong(verifier, "%lld uses are listed, there are %lld",
                                   (long long)listed, (long long)uses);
}

/* ---- module ---------------------------------------------------------------------------------- */

bool verify_target(struct verifier *verifier, const char *target)
{
    const struct module *module = verifier->module;
    for (int i = 0; i < module->targets; i++)
        if (strcmp(module->target[i], target) == 0)
            return true;
    return wrong(verifier, "\"%.40s\" is none of the module's targets", target);
}

static bool verify_head(struct verifier *verifier)
{
    const struct module *module = verifier->module;
    struct shape input = {
        5, {module->turns, module->batch, module->channels, module->height, module->width}};
    struct shape output = {3, {module->turns, module->batch, module->classes}};
    if (!module->name || !name_is_identifier(module->name, strlen(module->name)))
        return wrong(verifier, "the module's name is no identifier");
    if (!shape_valid(&input) || !shape_valid(&output))
        return wrong(verifier,
                     "turns, batch, channels, height, width and classes must be at least 1, "
                     "input and output have fewer than 2^40 elements");
    const int64_t *map = module->map;
    if (map[0] && module->classes != map[0] * map[1] * map[2])
        return wrong(verifier, "classes is %lld, must be that of the map, %lld x %lld x %lld",
                     (long long)module->classes, (long long)map[0], (long long)map[1],
                     (long long)map[2]);
    if (module->input_type != DTYPE_F32 && module->input_type != DTYPE_U8)
        return wrong(verifier, "the input is neither f32 nor u8");
    if ((int)module->layout < 0 || module->layout >= LAYOUT_COUNT)
        return wrong(verifier, "the input's layout is neither nchw nor nhwc");
    if (module->threads < 1 || module->threads > 1 << 16)
        return wrong(verifier, "threads is %lld, must be from 1 to 65536",
                     (long long)module->threads);
    if (module->targets < 0 || module->targets > MAX_TARGETS)
        return wrong(verifier, "%d targets, at most %d are allowed", module->targets, MAX_TARGETS);
    for (int i = 0; i < module->targets; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(module->target[i], module->target[j]) == 0)
                return wrong(verifier, "the target \"%.40s\" is given twice", module->target[i]);
    if (!attr_enum_name(ATTR_TYPE_precision_kind, module->precision))
        return wrong(verifier, "the precision is none of f32, tf32 and bf16");
    if (module->workspace_bytes < 0 || module->scratch_bytes < 0)
        return wrong(verifier, "workspace and scratch must have at least 0 bytes");
    return true;
}

static bool verify_places(struct verifier *verifier)
{
    int count[PLACE_COUNT] = {0};
    verifier->at = (struct location){0};
    for (const struct buffer *buffer = verifier->module->buffers; buffer; buffer = buffer->next)
        count[buffer->place]++;
    int least = verifier->module->kernels ? 1 : 0;
    for (int place = PLACE_INPUT; place <= PLACE_OUTPUT; place++)
        if (count[place] < least || count[place] > 1)
            return wrong(verifier, "%d buffers in %s, kernels need one", count[place],
                         place_name[place]);
    return true;
}

bool module_verify(const struct module *module, struct error *error)
{
    struct verifier verifier = {.module = module, .error = error};
    struct arena *scratch = arena_new();
    verifier.scratch = scratch;
    verifier.values.arena = scratch;
    verifier.buffers.arena = verifier.kernels.arena = scratch;
    bool right = verify_head(&verifier) && verify_graph(&verifier) &&
                 verify_buffers(&verifier, module->buffers, false) && verify_places(&verifier) &&
                 verify_uses(&verifier) && verify_kernels(&verifier) && verify_flow(&verifier);
    arena_free(scratch);
    if (!right)
        error->at = verifier.at;
    return right;
}
