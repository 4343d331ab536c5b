/* A kernel as a text without names: variables and buffers are numbered in the order in which they
 * appear. Equal texts are the same computation. */
#include "signature.h"
#include "memory.h"
#include "sha256.h"
#include <inttypes.h>
#include <stdlib.h>

enum { DIGEST_SHOWN = 8 /* bytes */ };

/* Things that have a number: the first to appear is 0. */
struct numbers {
    int count, room;
    const void **thing;
};

struct signing {
    FILE *to;
    struct numbers vars, buffers;
};

/* True: it is a new one. */
static bool number_of(struct numbers *numbers, const void *thing, int *number)
{
    for (*number = 0; *number < numbers->count; ++*number)
        if (numbers->thing[*number] == thing)
            return false;
    if (numbers->count == numbers->room) {
        numbers->room = numbers->room ? 2 * numbers->room : 32;
        numbers->thing = allocate_again(numbers->thing, numbers->room, sizeof(const void *));
    }
    numbers->thing[numbers->count++] = thing;
    return true;
}

static void sign_var(struct signing *s, const struct var *var)
{
    int number;
    if (number_of(&s->vars, var, &number))
        fprintf(s->to, " new %" PRId64, var->extent);
    fprintf(s->to, " i%d", number);
}

static void sign_buffer(struct signing *s, const struct buffer *buffer)
{
    int number;
    if (number_of(&s->buffers, buffer, &number)) {
        fprintf(s->to, " new %d %d", buffer->place, buffer->dtype);
        for (int i = 0; i < buffer->shape.rank; i++)
            fprintf(s->to, " %" PRId64, buffer->shape.dim[i]);
    }
    fprintf(s->to, " b%d", number);
}

static void sign_affine(struct signing *s, const struct affine *a)
{
    fprintf(s->to, " (%" PRId64, a->constant);
    for (int i = 0; i < a->count; i++) {
        const struct term *term = &a->term[i];
        fprintf(s->to, " + %" PRId64 " %d %" PRId64, term->factor, term->kind, term->divisor);
        if (term->kind == TERM_VAR)
            sign_var(s, term->var);
        else
            sign_affine(s, term->inner);
        if (term->kind == TERM_LOOKUP)
            sign_buffer(s, term->table);
    }
    fputc(')', s->to);
}

static void sign_access(struct signing *s, const struct buffer *buffer,
                        const struct affine *const *index)
{
    sign_buffer(s, buffer);
    for (int i = 0; i < buffer->shape.rank; i++)
        sign_affine(s, index[i]);
}

static void sign_expr(struct signing *s, const struct expr *expr)
{
    fprintf(s->to, " [%s", scalar_info[expr->op].name);
    if (expr->op == SCALAR_constant)
        fprintf(s->to, " %.17g", expr->value);
    if (expr->op == SCALAR_load)
        sign_access(s, expr->buffer, expr->index);
    for (int i = 0; i < expr->vars; i++)
        sign_var(s, expr->var[i]);
    for (int i = 0; i < 3; i++)
        if (expr->in[i])
            sign_expr(s, expr->in[i]);
    fputc(']', s->to);
}

static void sign_stmts(struct signing *s, const struct stmt *stmt)
{
    for (; stmt; stmt = stmt->next) {
        fprintf(s->to, "\n%d", stmt->kind);
        if (stmt->kind == STMT_FOR) {
            fprintf(s->to, " %d", stmt->loop);
            sign_var(s, stmt->var);
            sign_stmts(s, stmt->body);
            fputs(" end", s->to);
        } else if (stmt->kind == STMT_STORE) {
            sign_access(s, stmt->buffer, stmt->index);
            sign_expr(s, stmt->value);
        }
    }
}

static void digest(const struct module *m, const struct kernel *kernel,
                   uint8_t result[SHA256_BYTES])
{
    char *text;
    size_t size;
    struct signing s = {.to = memory_stream(&text, &size)};
    fprintf(s.to, "threads %" PRId64 " precision %d", m->threads, m->precision);
    for (const struct buffer *local = kernel->locals; local; local = local->next)
        sign_buffer(&s, local);
    sign_stmts(&s, kernel->body);
    memory_stream_end(s.to);
    san_sha256(text, size, result);
    free(text);
    free(s.vars.thing);
    free(s.buffers.thing);
}

/* ---- for people ------------------------------------------------------------------------------ */

static void print_extents(struct var *const *var, int count, FILE *to)
{
    for (int i = 0; i < count; i++)
        fprintf(to, "%s%" PRId64, i ? "x" : "", var[i]->extent);
    fputs(count ? "" : "1", to);
}

static void print_nest(const struct kernel_nest *nest, FILE *to)
{
    const struct expr *reduce = nest->reduce;
    if (nest->group)
        fprintf(to, "%" PRId64 " of ", nest->group->extent);
    print_extents(nest->loops.var, nest->loops.vars, to);
    if (!reduce)
        return;
    fprintf(to, " %s ", scalar_info[reduce->op].name);
    print_extents(reduce->var, reduce->vars, to);
}

const char *kernel_signature(struct module *m, const struct nests *nests)
{
    char *text;
    size_t size;
    uint8_t result[SHA256_BYTES];
    FILE *to = memory_stream(&text, &size);
    if (nests->pixels) {
        print_extents(nests->pixel, nests->pixels, to);
        fputs(" pixels: ", to);
    }
    for (int i = 0; i < nests->count; i++) {
        fputs(i ? ", " : "", to);
        print_nest(&nests->nest[i], to);
    }
    fputs(" #", to);
    digest(m, nests->kernel, result);
    for (int i = 0; i < DIGEST_SHOWN; i++)
        fprintf(to, "%02x", result[i]);
    memory_stream_end(to);
    const char *signature = arena_copy(m->arena, text, size + 1);
    free(text);
    return signature;
}
