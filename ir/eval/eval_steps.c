/* Steps and expressions, lane by lane. Every operation is plain C on doubles; for float its result
 * is rounded, which for +, -, *, / and sqrt is the same as computing in float. */
#include "eval_loops.h"
#include "rounding.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const double *node_run(const struct node *node, struct frame *frame);

static void round_lanes(const struct frame *frame, double *out)
{
    if (frame->single)
        for (int64_t i = 0; i < frame->count; i++)
            out[i] = single_of(out[i]);
}

/* Inlined for a processor that has the instruction, and where a call per lane does the same. */
__attribute__((always_inline)) static inline void fma_each(const struct frame *frame,
                                                           const double *a, const double *b,
                                                           const double *c, double *restrict out)
{
    if (frame->single)
        for (int64_t i = 0; i < frame->count; i++)
            out[i] = single_of((double)fmaf((float)a[i], (float)b[i], (float)c[i]));
    else
        for (int64_t i = 0; i < frame->count; i++)
            out[i] = fma(a[i], b[i], c[i]);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void fma_lanes_x86(const struct frame *frame,
                                                              const double *a, const double *b,
                                                              const double *c, double *out)
{
    fma_each(frame, a, b, c, out);
}
#endif

static void fma_lanes(const struct frame *frame, const double *a, const double *b, const double *c,
                      double *out)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        fma_lanes_x86(frame, a, b, c, out);
        return;
    }
#endif
    fma_each(frame, a, b, c, out);
}

static void operate(enum scalar_op op, const struct frame *frame, const double *const in[3],
                    double *restrict out)
{
    const double *a = in[0], *b = in[1];
    int64_t count = frame->count;
    switch (op) {
    case SCALAR_add:
        for (int64_t i = 0; i < count; i++)
            out[i] = a[i] + b[i];
        break;
    case SCALAR_sub:
        for (int64_t i = 0; i < count; i++)
            out[i] = a[i] - b[i];
        break;
    case SCALAR_mul:
        for (int64_t i = 0; i < count; i++)
            out[i] = a[i] * b[i];
        break;
    case SCALAR_div:
        for (int64_t i = 0; i < count; i++)
            out[i] = a[i] / b[i];
        break;
    case SCALAR_max:
        for (int64_t i = 0; i < count; i++)
            out[i] = scalar_max(a[i], b[i]);
        return;
    case SCALAR_fma:
        fma_lanes(frame, a, b, in[2], out);
        return;
    case SCALAR_exp:
        for (int64_t i = 0; i < count; i++)
            out[i] = exp(a[i]);
        break;
    case SCALAR_tf32:
    case SCALAR_bf16:
        for (int64_t i = 0; i < count; i++)
            out[i] = round_to(op == SCALAR_tf32 ? precision_kind_tf32 : precision_kind_bf16, a[i]);
        return;
    default:
        assert(op == SCALAR_sqrt);
        for (int64_t i = 0; i < count; i++)
            out[i] = sqrt(a[i]);
    }
    round_lanes(frame, out);
}

/* ---- reductions ------------------------------------------------------------------------------ */

/* Starts at the first iteration of a reduction. */
static void first_iteration(const struct node *node, struct frame *frame)
{
    for (int i = 0; i < node->vars; i++)
        frame->value[node->slot[i]] = 0;
}

static bool next_iteration(const struct node *node, struct frame *frame)
{
    for (int i = node->vars - 1; i >= 0; i--) {
        if (++frame->value[node->slot[i]] < node->extent[i])
            return true;
        frame->value[node->slot[i]] = 0;
    }
    return false;
}

static void sum_step(const struct node *body, struct frame *frame, double *restrict out)
{
    if (body->op != SCALAR_mul) {
        const double *value = node_run(body, frame);
        for (int64_t i = 0; i < frame->count; i++)
            out[i] += value[i];
        round_lanes(frame, out);
        return;
    }
    /* Nearly all of a network's work, so the products are added without being stored first. */
    const double *a = node_run(body->in[0], frame), *b = node_run(body->in[1], frame);
    if (frame->single)
        for (int64_t i = 0; i < frame->count; i++)
            out[i] = single_of(out[i] + single_of(a[i] * b[i]));
    else
        for (int64_t i = 0; i < frame->count; i++)
            out[i] += a[i] * b[i];
}

static void maximum_step(const struct node *body, struct frame *frame, double *restrict out)
{
    const double *value = node_run(body, frame);
    for (int64_t i = 0; i < frame->count; i++)
        out[i] = scalar_max(out[i], value[i]);
}

static void reduce(const struct node *node, struct frame *frame)
{
    bool sums = node->op == SCALAR_sum;
    if (node->in[1])
        memcpy(node->out, node_run(node->in[1], frame), (size_t)frame->count * sizeof *node->out);
    else
        for (int64_t i = 0; i < frame->count; i++)
            node->out[i] = sums ? 0 : -HUGE_VAL;
    first_iteration(node, frame);
    do {
        if (sums)
            sum_step(node->in[0], frame, node->out);
        else
            maximum_step(node->in[0], frame, node->out);
    } while (next_iteration(node, frame));
}

/* ---- expressions, steps ---------------------------------------------------------------------- */

static const double *node_run(const struct node *node, struct frame *frame)
{
    switch (node->op) {
    case SCALAR_constant:
        break;
    case SCALAR_load:
        return access_load(&node->load, frame, node->out);
    case SCALAR_sum:
    case SCALAR_maximum:
        reduce(node, frame);
        break;
    default: {
        const double *in[3] = {NULL, NULL, NULL};
        for (int i = 0; i < 3 && node->in[i]; i++)
            in[i] = node_run(node->in[i], frame);
        operate(node->op, frame, in, node->out);
    }
    }
    return node->out;
}

static void lanes_run(const struct lanes *lanes, struct frame *frame)
{
    int64_t total = lanes->loops ? lanes->extent[0] : 1, inner = 1;
    for (int i = 1; i < lanes->loops; i++) {
        frame->value[lanes->slot[i]] = 0;
        inner *= lanes->extent[i];
    }
    frame->lanes = lanes;
    for (int64_t begin = 0; begin < total; begin += lanes->chunk) {
        frame->head = total - begin < lanes->chunk ? total - begin : lanes->chunk;
        frame->count = frame->head * inner;
        if (lanes->loops)
            frame->value[lanes->slot[0]] = begin;
        for (int i = 0; i < lanes->stores; i++)
            access_store(&lanes->store[i].to, frame, node_run(lanes->store[i].value, frame));
    }
}

static void steps_run(const struct step *step, struct frame *frame)
{
    for (; step; step = step->next) {
        if (step->lanes) {
            lanes_run(step->lanes, frame);
            continue;
        }
        for (int64_t i = 0; i < step->extent; i++) {
            frame->value[step->slot] = i;
            steps_run(step->body, frame);
        }
    }
}

void program_run(const struct program *program)
{
    struct frame frame = {.single = program->single};
    frame.value = arena_alloc(program->arena, (size_t)program->slots * sizeof *frame.value);
    steps_run(program->steps, &frame);
}
