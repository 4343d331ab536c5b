/* Writes a module as text that parse.c reads back to the same module, and to the same bytes. */
#include "text.h"
#include <string.h>

static void print_shape(const struct shape *shape, FILE *file)
{
    char text[SHAPE_TEXT];
    fputs(shape_text(shape, text), file);
}

/* ---- graph form ------------------------------------------------------------------------------ */

static void print_attr(const struct attr_info *info, const union attr *attr, FILE *file)
{
    char number[NUMBER_TEXT];
    const char *value;
    fprintf(file, "%s = ", info->name);
    switch (info->type) {
    case ATTR_TYPE_int:
        fprintf(file, "%lld", (long long)attr->integer);
        break;
    case ATTR_TYPE_real:
        fputs(number_text(attr->real, number), file);
        break;
    case ATTR_TYPE_string:
        print_string(attr->string ? attr->string : "", file);
        break;
    case ATTR_TYPE_shape:
        print_shape(&attr->shape, file);
        break;
    default:
        value = attr_enum_name(info->type, attr->integer);
        fputs(value ? value : "?", file);
    }
}

static void print_inst(const struct inst *inst, FILE *file)
{
    const struct op_info *info = &op_info[inst->op];
    fprintf(file, "  %%%d = %s", inst->id, info->name);
    for (int i = 0; i < inst->inputs; i++)
        fprintf(file, "%s %%%d", i ? "," : "", inst->in[i]->id);
    for (int i = 0; i < info->attrs; i++) {
        fputs(i ? ", " : " { ", file);
        print_attr(&info->attr[i], &inst->attr[i], file);
    }
    fputs(info->attrs ? " } : f32" : " : f32", file);
    print_shape(&inst->shape, file);
    if (inst->label) {
        fputc(' ', file);
        print_string(inst->label, file);
    }
    fputc('\n', file);
}

/* ---- loop form ------------------------------------------------------------------------------- */

static void print_buffers(const struct buffer *buffers, const char *indent, FILE *file)
{
    int width = 0;
    for (const struct buffer *buffer = buffers; buffer; buffer = buffer->next) {
        int length = (int)strlen(buffer->name);
        width = length > width ? length : width;
    }
    for (const struct buffer *buffer = buffers; buffer; buffer = buffer->next) {
        fprintf(file, "%s%-*s : %s %s", indent, width, buffer->name, place_name[buffer->place],
                dtype_name[buffer->dtype]);
        print_shape(&buffer->shape, file);
        if (buffer->value)
            fprintf(file, " = %%%d", buffer->value->id);
        if (buffer->offset >= 0)
            fprintf(file, " at %lld", (long long)buffer->offset);
        fputc('\n', file);
    }
}

/* Loops with nothing between them stand on one line; a store alone needs no braces. */
static void print_stmts(const struct stmt *stmt, int indent, FILE *file)
{
    for (; stmt; stmt = stmt->next) {
        fprintf(file, "%*s", indent, "");
        if (stmt->kind == STMT_BARRIER) {
            fputs("barrier\n", file);
            continue;
        }
        if (stmt->kind == STMT_STORE) {
            fputs(stmt->async ? "async " : "", file);
            print_indices(stmt->buffer, stmt->index, file);
            fputs(" = ", file);
            print_expr(stmt->value, file);
            fputc('\n', file);
            continue;
        }
        if (stmt->kind == STMT_PREFETCH) {
            fputs("prefetch ", file);
            print_expr(stmt->value, file);
            fputc('\n', file);
            continue;
        }
        const struct stmt *loop = stmt;
        for (fputs("for", file);; loop = loop->body) {
            fprintf(file, " %s in %lld", loop->var->name, (long long)loop->var->extent);
            if (loop->loop != LOOP_SERIAL)
                fprintf(file, " %s", loop_kind_name[loop->loop]);
            if (!loop->body || loop->body->next || loop->body->kind != STMT_FOR)
                break;
            fputc(',', file);
        }
        bool alone = loop->body && !loop->body->next;
        fputs(alone ? "\n" : " {\n", file);
        print_stmts(loop->body, indent + 2, file);
        if (!alone)
            fprintf(file, "%*s}\n", indent, "");
    }
}

void print_schedule(const struct schedule *schedule, FILE *file)
{
    fputs("  schedule ", file);
    print_string(schedule->target, file);
    fputs(" {\n", file);
    for (const struct command *command = schedule->commands; command; command = command->next) {
        fprintf(file, "    %s", command->word);
        for (int i = 0; i < command->operands; i++)
            fprintf(file, " %s", command->operand[i]);
        fputc('\n', file);
    }
    fputs("  }\n", file);
}

static void print_cost(const struct cost *cost, FILE *file)
{
    fprintf(file, "  cost { flops = %lld, exps = %lld, bytes = %lld", (long long)cost->flops,
            (long long)cost->exps, (long long)cost->bytes);
    if (cost->bytes)
        fprintf(file, ", intensity = %.3g", (double)cost->flops / (double)cost->bytes);
    if (cost->cycles)
        fprintf(file, ", l1 = %lld, l2 = %lld, memory = %lld, cycles = %lld, bound = %s",
                (long long)cost->l1_bytes, (long long)cost->l2_bytes, (long long)cost->memory_bytes,
                (long long)cost->cycles, bound_name[cost->bound]);
    fputs(" }\n", file);
}

void kernel_print(const struct kernel *kernel, FILE *file)
{
    fprintf(file, "kernel %s", kernel->name);
    if (kernel->label) {
        fputc(' ', file);
        print_string(kernel->label, file);
    }
    if (kernel->target) {
        fputs(" target ", file);
        print_string(kernel->target, file);
    }
    fputs(" {\n", file);
    if (kernel->cost)
        print_cost(kernel->cost, file);
    print_buffers(kernel->locals, "  ", file);
    print_stmts(kernel->body, 2, file);
    for (const struct schedule *schedule = kernel->schedules; schedule; schedule = schedule->next)
        print_schedule(schedule, file);
    fputs("}\n", file);
}

/* ---- module ---------------------------------------------------------------------------------- */

static void print_head(const struct module *module, FILE *file)
{
    fprintf(file, "sanir %d\nmodel ", IR_VERSION);
    print_string(module->name, file);
    struct shape input = module_input_shape(module);
    fprintf(file, "\ninput %s", dtype_name[module->input_type]);
    print_shape(&input, file);
    fputs(module->layout == LAYOUT_NHWC ? " nhwc\n" : "\n", file);
    fprintf(file, "classes %lld\n", (long long)module->classes);
    if (module->map[0])
        fprintf(file, "map %lld %lld %lld\n", (long long)module->map[0], (long long)module->map[1],
                (long long)module->map[2]);
    fputs("targets", file);
    for (int i = 0; i < module->targets; i++) {
        fputc(' ', file);
        print_string(module->target[i], file);
    }
    fprintf(file, "\nthreads %lld\n", (long long)module->threads);
    if (module->turns > 1)
        fprintf(file, "turns %lld\n", (long long)module->turns);
    if (module->precision != precision_kind_f32)
        fprintf(file, "precision %s\n",
                attr_enum_name(ATTR_TYPE_precision_kind, module->precision));
    if (module->after)
        fprintf(file, "after %s\n", module->after);
    if (module->workspace_bytes || module->scratch_bytes)
        fprintf(file, "workspace %lld scratch %lld\n", (long long)module->workspace_bytes,
                (long long)module->scratch_bytes);
}

void module_print(const struct module *module, FILE *file)
{
    print_head(module, file);
    fputs("\ngraph {\n", file);
    for (const struct inst *inst = module->first; inst; inst = inst->next)
        print_inst(inst, file);
    fputs("}\n", file);
    fputs(module->buffers ? "\n" : "", file);
    print_buffers(module->buffers, "", file);
    for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next) {
        fputc('\n', file);
        kernel_print(kernel, file);
    }
}
