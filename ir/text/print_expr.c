/* Writes expressions on scalars and indices, with no more parentheses than it takes to read back
 * the same tree. */
#include "text.h"
#include <stdlib.h>

const char *number_text(double value, char text[NUMBER_TEXT])
{
    snprintf(text, NUMBER_TEXT, "%.9g", value);
    if (!isnan(value) && strtod(text, NULL) != value)
        snprintf(text, NUMBER_TEXT, "%.17g", value);
    return text;
}

void print_string(const char *string, FILE *file)
{
    fputc('"', file);
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        if (c < 0x20 || c == 0x7f)
            fprintf(file, "\\x%02x", c);
        else
            fprintf(file, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    fputc('"', file);
}

/* ---- indices --------------------------------------------------------------------------------- */

static void print_index(const struct affine *index, FILE *file);

/* What div and mod take without parentheses. */
static bool is_plain(const struct affine *index)
{
    return !index->constant && index->count == 1 && index->term[0].factor == 1 &&
           (index->term[0].kind == TERM_VAR || index->term[0].kind == TERM_LOOKUP);
}

static void print_term(const struct term *term, FILE *file)
{
    bool plain;
    switch (term->kind) {
    case TERM_VAR:
        fputs(term->var->name, file);
        break;
    case TERM_LOOKUP:
        fprintf(file, "%s{%lld}[", term->table->name, (long long)term->divisor);
        print_index(term->inner, file);
        fputc(']', file);
        break;
    case TERM_DIV:
    case TERM_MOD:
        plain = is_plain(term->inner);
        fputs(plain ? "" : "(", file);
        print_index(term->inner, file);
        fprintf(file, "%s %s %lld", plain ? "" : ")", term->kind == TERM_DIV ? "div" : "mod",
                (long long)term->divisor);
        break;
    }
}

/* The sign of what comes next in a sum, and its magnitude. */
static long long print_sign(int64_t value, bool first, FILE *file)
{
    if (value < 0)
        fputs(first ? "-" : " - ", file);
    else
        fputs(first ? "" : " + ", file);
    return value < 0 ? -(long long)value : (long long)value;
}

static void print_index(const struct affine *index, FILE *file)
{
    for (int i = 0; i < index->count; i++) {
        const struct term *term = &index->term[i];
        long long factor = print_sign(term->factor, i == 0, file);
        bool group = factor != 1 && (term->kind == TERM_DIV || term->kind == TERM_MOD);
        if (factor != 1)
            fprintf(file, "%lld*", factor);
        fputs(group ? "(" : "", file);
        print_term(term, file);
        fputs(group ? ")" : "", file);
    }
    if (index->constant || !index->count)
        fprintf(file, "%lld", print_sign(index->constant, index->count == 0, file));
}

void print_indices(const struct buffer *buffer, const struct affine *const *index, FILE *file)
{
    fprintf(file, "%s[", buffer->name);
    for (int i = 0; i < buffer->shape.rank; i++) {
        fputs(i ? ", " : "", file);
        print_index(index[i], file);
    }
    fputc(']', file);
}

/* ---- expressions ----------------------------------------------------------------------------- */

enum { LOOSE, TIGHT, PRIMARY };

static int precedence(const struct expr *expr)
{
    switch (expr->op) {
    case SCALAR_add:
    case SCALAR_sub:
        return LOOSE;
    case SCALAR_mul:
    case SCALAR_div:
        return TIGHT;
    default:
        return PRIMARY;
    }
}

static void print_within(const struct expr *expr, int least, FILE *file)
{
    bool group = precedence(expr) < least;
    fputs(group ? "(" : "", file);
    print_expr(expr, file);
    fputs(group ? ")" : "", file);
}

static void print_reduction(const struct expr *expr, FILE *file)
{
    fprintf(file, "%s ", scalar_info[expr->op].name);
    for (int i = 0; i < expr->vars; i++)
        fprintf(file, "%s%s in %lld", i ? ", " : "", expr->var[i]->name,
                (long long)expr->var[i]->extent);
    fputs(" (", file);
    print_expr(expr->in[0], file);
    fputc(')', file);
    if (!expr->in[1])
        return;
    fputs(" from ", file);
    print_within(expr->in[1], PRIMARY, file);
}

static void print_call(const struct expr *expr, FILE *file)
{
    fprintf(file, "%s(", scalar_info[expr->op].name);
    for (int i = 0; i < scalar_info[expr->op].inputs; i++) {
        fputs(i ? ", " : "", file);
        print_expr(expr->in[i], file);
    }
    fputc(')', file);
}

void print_expr(const struct expr *expr, FILE *file)
{
    char number[NUMBER_TEXT];
    int level = precedence(expr);
    if (expr->op == SCALAR_constant) {
        fputs(number_text(expr->value, number), file);
    } else if (expr->op == SCALAR_load) {
        print_indices(expr->buffer, expr->index, file);
    } else if (expr->op == SCALAR_sum || expr->op == SCALAR_maximum) {
        print_reduction(expr, file);
    } else if (level == PRIMARY) {
        print_call(expr, file);
    } else {
        print_within(expr->in[0], level, file);
        fprintf(file, " %s ", scalar_info[expr->op].infix);
        print_within(expr->in[1], level + 1, file);
    }
}
