/* Copies that a barrier completes: `async tile[r, t] = x[16*b + r, t]`. They bring elements of
 * memory to shared memory, and must be read only after a later barrier. This is checked for whole
 * buffers, by the order of statements, whatever the elements. */
#include "verify_async.h"
#include "verify_loops.h"

bool verify_copy(struct verifier *verifier, const struct stmt *stmt)
{
    if (!stmt->async)
        return true;
    const struct expr *value = stmt->value;
    bool from_memory = value->op == SCALAR_load && value->buffer->place < PLACE_STACK;
    if (stmt->buffer->place != PLACE_SHARED || !from_memory)
        return wrong(verifier, "%s: async, must bring an element of memory to a shared buffer",
                     stmt->buffer->name);
    bool same = value->buffer->dtype == stmt->buffer->dtype;
    if (!same || (value->buffer->dtype != DTYPE_F32 && value->buffer->dtype != DTYPE_BF16))
        return wrong(verifier, "%s: async, must bring f32 or bf16 to the same type, found %s of %s",
                     stmt->buffer->name, dtype_name[value->buffer->dtype], value->buffer->name);
    return loop_around(verifier, verifier->scope, 1u << LOOP_THREAD) == LOOP_THREAD ||
           wrong(verifier, "%s: async, must be in a thread loop", stmt->buffer->name);
}

static bool barrier_between(const struct flow *flow, int after, int before)
{
    for (const struct barrier *b = flow->barriers; b; b = b->next)
        if (b->at > after && b->at < before)
            return true;
    return false;
}

/* The innermost loop of one block around both; NULL: none. */
static const struct scope *loop_of_both(const struct scope *a, const struct scope *b)
{
    while (a != b) {
        const struct scope **deeper = a->depth > b->depth ? &a : &b;
        *deeper = (*deeper)->up;
    }
    return a->up && a->loop->loop != LOOP_BLOCK ? a : NULL;
}

/* Whether a barrier comes between the copy and each later read, in the same or a later iteration.
 */
static bool is_there(const struct flow *flow, const struct access *copy, const struct access *read)
{
    const struct scope *loop = loop_of_both(copy->in, read->in);
    if (read->at > copy->at && !barrier_between(flow, copy->at, read->at))
        return false;
    return !loop || barrier_between(flow, copy->at, loop->end + 1) ||
           barrier_between(flow, loop->begin, read->at);
}

bool verify_async(struct verifier *verifier, const struct flow *flow)
{
    for (const struct usage *usage = flow->locals; usage; usage = usage->next)
        for (const struct access *copy = usage->first; copy; copy = copy->next)
            for (const struct access *read = usage->first; read; read = read->next) {
                if (!copy->store || !copy->of->async || read->store || is_there(flow, copy, read))
                    continue;
                verifier->at = read->of->at;
                return wrong(verifier, "%s: read without a barrier after the async that copies it",
                             usage->buffer->name);
            }
    for (const struct usage *usage = flow->globals; usage; usage = usage->next)
        for (const struct access *load = usage->first; load; load = load->next)
            if (!load->store && load->of->async && usage->stores) {
                verifier->at = load->of->at;
                return wrong(verifier, "%s: async copies what the same kernel writes",
                             usage->buffer->name);
            }
    return true;
}
