#include "check.h"
#include "emit.h"
#include "matrix.h"
#include "target.h"

struct checking {
    const struct kernel *kernel;
    const struct target *target;
    struct error *error;
    struct location at; /* of the innermost loop or statement that was read from a text */
    int depth;
};

static bool refuse(const struct checking *c, struct location at, const char *text)
{
    return error_set_at(c->error, at.line ? at : c->kernel->at, "kernel %s: %s", c->kernel->name,
                        text);
}

/* ---- buffers --------------------------------------------------------------------------------- */

static bool has_place(const struct checking *c, const struct buffer *buffer)
{
    switch (buffer->place) {
    case PLACE_WORKSPACE:
    case PLACE_STACK:
    case PLACE_SHARED:
        return buffer->offset >= 0;
    case PLACE_WEIGHTS:
        return !c->target->gpu || buffer->offset >= 0;
    default:
        return true;
    }
}

static bool check_buffer(const struct checking *c, const struct buffer *buffer)
{
    char text[256];
    bool absent = buffer->place == (c->target->gpu ? PLACE_STACK : PLACE_SHARED);
    if (absent)
        snprintf(text, sizeof text, "buffer %s is in %s, which %s does not have", buffer->name,
                 place_name[buffer->place], c->target->name);
    else if (!has_place(c, buffer))
        snprintf(text, sizeof text, "buffer %s must have a place ('at' and its bytes)",
                 buffer->name);
    else
        return true;
    return refuse(c, buffer->at, text);
}

static bool check_locals(const struct checking *c)
{
    for (const struct buffer *buffer = c->kernel->locals; buffer; buffer = buffer->next)
        if (!check_buffer(c, buffer))
            return false;
    return true;
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool check_expr(const struct checking *c, const struct expr *expr)
{
    if (expr->op == SCALAR_sum || expr->op == SCALAR_maximum)
        return refuse(c, c->at, "a sum or maximum that no pass has turned into loops");
    if (expr->op == SCALAR_load && !check_buffer(c, expr->buffer))
        return false;
    for (int i = 0; i < 3; i++)
        if (expr->in[i] && !check_expr(c, expr->in[i]))
            return false;
    return true;
}

static bool check_loop(const struct checking *c, const struct stmt *loop)
{
    char text[256];
    bool pairs = matrix_is_pairs(loop);
    bool absent =
        loop->loop == LOOP_MATRIX
            ? !(pairs ? c->target->pairs : c->target->amx)
            : loop->loop == LOOP_BLOCK || loop->loop == LOOP_THREAD || loop->loop == LOOP_WARP;
    if (loop->loop == LOOP_VECTOR && loop->var->extent > MAX_LANES)
        snprintf(text, sizeof text, "loop %s: vector, of %lld lanes, must be of at most %d",
                 loop->var->name, (long long)loop->var->extent, MAX_LANES);
    else if (c->depth >= MAX_DEPTH)
        snprintf(text, sizeof text, "loop %s: loops nested more than %d deep", loop->var->name,
                 MAX_DEPTH);
    else if (absent && !c->target->gpu)
        snprintf(text, sizeof text, "loop %s: %s, which %s does not have", loop->var->name,
                 loop_kind_name[loop->loop], c->target->name);
    else if (pairs && loop->body->var->extent > c->target->lanes)
        snprintf(text, sizeof text, "loop %s: matrix, around %lld lanes, %s has %d",
                 loop->var->name, (long long)loop->body->var->extent, c->target->name,
                 c->target->lanes);
    else if (loop->loop == LOOP_PARALLEL && c->target->gpu)
        snprintf(text, sizeof text, "loop %s: parallel, which %s does not have", loop->var->name,
                 c->target->name);
    else if (loop->loop == LOOP_UNROLL && written_out(loop) > MOST_WRITTEN_OUT)
        snprintf(text, sizeof text, "loop %s: unroll would write out more than %d statements",
                 loop->var->name, MOST_WRITTEN_OUT);
    else
        return true;
    return refuse(c, loop->at, text);
}

static bool check_stmts(struct checking *c, const struct stmt *stmt)
{
    struct location outer = c->at;
    for (; stmt; stmt = stmt->next) {
        bool good = true;
        c->at = stmt->at.line ? stmt->at : outer;
        if (stmt->kind == STMT_FOR) {
            good = check_loop(c, stmt);
            c->depth++;
            good = good && check_stmts(c, stmt->body);
            c->depth--;
        } else if (stmt->kind == STMT_BARRIER) {
            good = c->target->gpu || refuse(c, c->at, "a barrier, which processors do not have");
        } else {
            good = (!stmt->buffer || check_buffer(c, stmt->buffer)) && check_expr(c, stmt->value);
        }
        if (!good)
            return false;
    }
    c->at = outer;
    return true;
}

int64_t written_out(const struct stmt *stmt)
{
    int64_t count = 0;
    for (; stmt && count <= MOST_WRITTEN_OUT; stmt = stmt->next) {
        int64_t times = stmt->kind == STMT_FOR && stmt->loop == LOOP_UNROLL ? stmt->var->extent : 1;
        int64_t inside = stmt->kind == STMT_FOR ? written_out(stmt->body) : 1;
        bool many = times > MOST_WRITTEN_OUT || inside > MOST_WRITTEN_OUT;
        count += many ? MOST_WRITTEN_OUT + 1 : times * inside;
    }
    return count;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static bool check_kernel(struct checking *c, const struct kernel *kernel)
{
    c->kernel = kernel;
    c->at = kernel->at;
    return check_locals(c) && check_stmts(c, kernel->body);
}

bool backend_check(const struct module *module, struct error *error)
{
    for (int i = 0; i < module->targets; i++) {
        struct checking c = {.target = target_find(module->target[i], error), .error = error};
        if (!c.target)
            return false;
        for (const struct kernel *kernel = module->kernels; kernel; kernel = kernel->next)
            if (kernel_is_for(kernel, c.target) && !check_kernel(&c, kernel))
                return false;
    }
    return true;
}
