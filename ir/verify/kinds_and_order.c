/* A person's changes to a kernel: whether a nest may have another order, and whether the kernel is
 * still right after the kind of a loop or the place of a buffer has changed. These checks are
 * stricter than those of modules that passes made: loops of a GPU must be seen to have no race, and
 * threads must meet at a barrier where one reads what another wrote. */
#include "verify_loops.h"
#include "verify_races.h"
#include <string.h>

/* The loop around an access, or NULL. */
static const struct scope *scope_of(const struct access *access, const struct stmt *loop)
{
    const struct scope *scope = access->in;
    while (scope->up && scope->loop != loop)
        scope = scope->up;
    return scope->up ? scope : NULL;
}

/* ---- order ----------------------------------------------------------------------------------- */

static bool same_element(const struct access *access, const struct expr *load)
{
    if (load->op != SCALAR_load || load->buffer != access->of->buffer)
        return false;
    for (int i = 0; i < load->buffer->shape.rank; i++)
        if (!affine_equal(access->index[i], load->index[i]))
            return false;
    return true;
}

/* Whether the loop only accumulates into the elements of a buffer, a sum or a maximum: x[i] =
 * fma(.., .., x[i]). Such terms may come in any order; they round differently then, as other
 * schedules do. */
static bool only_accumulates(const struct usage *usage, const struct stmt *loop)
{
    const struct access *store = NULL, *load = NULL;
    for (const struct access *access = usage->first; access; access = access->next) {
        const struct access **one = access->store ? &store : &load;
        if (!scope_of(access, loop))
            continue;
        if (*one)
            return false;
        *one = access;
    }
    if (!store || !load || load->of != store->of)
        return false;
    const struct expr *value = store->of->value;
    if (value->op == SCALAR_fma)
        return same_element(store, value->in[2]);
    return (value->op == SCALAR_add || value->op == SCALAR_max) &&
           (same_element(store, value->in[0]) || same_element(store, value->in[1]));
}

/* Whether a buffer begins anew in each iteration of the nest's innermost loop, so that nothing in
 * it goes from one iteration to another. */
static bool begins_anew(const struct usage *usage, const struct stmt *innermost)
{
    if (usage->buffer->place < PLACE_STACK)
        return false;
    for (const struct access *access = usage->first; access; access = access->next)
        if (!scope_of(access, innermost))
            return false;
    return true;
}

/* Whether an iteration of the loop over var may touch an element that another one writes, whatever
 * the iterations of the nest's other loops. */
static enum answer carries(struct verifier *verifier, const struct usage *usage,
                           const struct stmt *outermost, struct var *var)
{
    enum answer carried = ANSWER_NO;
    for (const struct access *store = usage->first; store; store = store->next) {
        const struct scope *nest = scope_of(store, outermost);
        if (!store->store || !nest)
            continue;
        for (const struct access *other = usage->first; other; other = other->next) {
            if ((other->store && other->at < store->at) || !scope_of(other, outermost))
                continue;
            enum answer meet =
                accesses_meet(&verifier->effort, usage->buffer, nest->up, var, store, other);
            if (meet == ANSWER_YES)
                return ANSWER_YES;
            carried = meet == ANSWER_NO ? carried : meet;
        }
    }
    return carried;
}

/* Iterations that depend on each other differ only in loops that carry the dependence: as long as
 * these loops keep their order among each other, what came first still does. */
static bool verify_usage_order(struct verifier *verifier, const struct usage *usage, int loops,
                               const struct stmt *const *loop, const int *order)
{
    enum answer carried[MAX_RANK];
    if (begins_anew(usage, loop[loops - 1]) || only_accumulates(usage, loop[0]))
        return true;
    for (int i = 0; i < loops; i++)
        carried[i] =
            loop[i]->var->extent > 1 ? carries(verifier, usage, loop[0], loop[i]->var) : ANSWER_NO;
    for (int i = 0; i < loops; i++)
        for (int j = 0; j < i; j++) {
            enum answer a = carried[order[i]], b = carried[order[j]];
            if (order[j] < order[i] || a == ANSWER_NO || b == ANSWER_NO)
                continue;
            bool seen = a == ANSWER_YES && b == ANSWER_YES;
            return wrong(verifier,
                         "loops %s and %s must keep their order: %siterations of both depend on "
                         "others by what they write to %s",
                         loop[order[i]]->var->name, loop[order[j]]->var->name,
                         seen ? "" : "too large to see whether ", usage->buffer->name);
        }
    return true;
}

/* ---- threads --------------------------------------------------------------------------------- */

static const struct scope *thread_of(const struct access *access)
{
    const struct scope *scope = access->in;
    while (scope->up && scope->loop->loop != LOOP_THREAD && scope->loop->loop != LOOP_WARP)
        scope = scope->up;
    return scope->up ? scope : NULL;
}

/* Whether the first index is the thread; that of a single one is 0. */
static bool is_own(const struct access *access, const struct scope *thread)
{
    const struct affine *index = access->index[0];
    if (!thread || index->constant)
        return false;
    if (!index->count)
        return thread->loop->var->extent == 1;
    const struct term *term = index->term;
    return index->count == 1 && term->kind == TERM_VAR && term->factor == 1 &&
           term->var == thread->loop->var;
}

/* Registers that threads write are private to each thread; other registers hold the same in all
 * threads. */
static bool verify_registers(struct verifier *verifier, const struct usage *usage)
{
    bool by_threads = false, common = false;
    for (const struct access *access = usage->first; access; access = access->next) {
        const struct scope *thread = thread_of(access);
        by_threads |= access->store && thread;
        common |= !is_own(access, thread);
    }
    return !by_threads || !common ||
           wrong(verifier,
                 "%s: registers that threads write, which others do not see: the first index of "
                 "each access must be the thread",
                 usage->buffer->name);
}

static bool has_barrier(const struct flow *flow, int from, int to)
{
    for (const struct barrier *barrier = flow->barriers; barrier; barrier = barrier->next)
        if (barrier->at >= from && barrier->at <= to)
            return true;
    return false;
}

static const struct scope *common_scope(const struct scope *a, const struct scope *b)
{
    while (a != b) {
        const struct scope **deeper = a->depth > b->depth ? &a : &b;
        *deeper = (*deeper)->up;
    }
    return a;
}

/* Outside of thread loops one thread stores to memory, and all threads store to registers. */
static bool by_one_thread(const struct access *access)
{
    return !thread_of(access) && access->of->buffer && access->of->buffer->place != PLACE_REGISTERS;
}

/* In memory; the threads of a warp are not told apart. */
static bool by_same_thread(const struct access *a, const struct access *b)
{
    const struct scope *thread = thread_of(a);
    if (thread && thread->loop->loop == LOOP_WARP)
        return false;
    return (by_one_thread(a) && by_one_thread(b)) ||
           (is_own(a, thread_of(a)) && is_own(b, thread_of(b)));
}

/* Two accesses, one of them a store, b not before a in the text. */
static bool verify_meeting(struct verifier *verifier, const struct flow *flow,
                           const struct usage *usage, const struct access *a,
                           const struct access *b)
{
    const struct scope *thread = thread_of(a), *common = common_scope(a->in, b->in);
    bool same_loop = thread && thread == thread_of(b);
    if (same_loop)
        common = thread->up;
    bool again = common->up && common->loop->loop != LOOP_BLOCK &&
                 !has_barrier(flow, b->at, common->end) && !has_barrier(flow, common->begin, a->at);
    bool at_once = !same_loop && !has_barrier(flow, a->at, b->at);
    if ((!again && !at_once) || by_same_thread(a, b))
        return true;
    while (again && common->up && common->loop->loop != LOOP_BLOCK)
        common = common->up;
    struct var any = {.name = "any", .extent = 2}; /* no index uses it: they meet if they ever do */
    enum answer meet =
        accesses_meet(&verifier->effort, usage->buffer, common,
                      same_loop ? thread->loop->var : &any, a->store ? a : b, a->store ? b : a);
    return meet == ANSWER_NO ||
           wrong(verifier,
                 "%s: %sone thread writes an element that another one %s without a barrier between",
                 usage->buffer->name, meet == ANSWER_YES ? "" : "too large to see whether ",
                 a->store && b->store ? "writes" : "reads");
}

/* Whether an access may be made by other threads than before. */
static bool is_changed(const struct access *access, const struct edit *edit)
{
    return (edit->loop && scope_of(access, edit->loop)) ||
           (edit->buffer && access->of->buffer == edit->buffer);
}

static bool verify_barriers(struct verifier *verifier, const struct flow *flow,
                            const struct usage *usage, const struct edit *edit)
{
    bool all = usage->buffer == edit->buffer;
    for (const struct access *a = usage->first; a; a = a->next)
        for (const struct access *b = a; b; b = b->next)
            if ((a->store || b->store) && (all || is_changed(a, edit) || is_changed(b, edit)) &&
                !verify_meeting(verifier, flow, usage, a, b))
                return false;
    return true;
}

static bool verify_threads(struct verifier *verifier, const struct flow *flow,
                           const struct edit *edit)
{
    const struct edit inside = {edit->loop && edit->loop->loop == LOOP_BLOCK ? NULL : edit->loop,
                                edit->buffer};
    for (const struct usage *usage = flow->locals; usage; usage = usage->next)
        if (usage->buffer->place == PLACE_REGISTERS
                ? !verify_registers(verifier, usage)
                : !verify_barriers(verifier, flow, usage, &inside))
            return false;
    for (const struct usage *usage = flow->globals; usage; usage = usage->next)
        if (!verify_barriers(verifier, flow, usage, &inside))
            return false;
    return true;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static struct verifier verifier_of(const struct module *module, const struct kernel *kernel,
                                   struct error *error)
{
    struct arena *scratch = arena_new();
    return (struct verifier){.module = module,
                             .scratch = scratch,
                             .buffers = {.arena = scratch},
                             .error = error,
                             .kernel = kernel,
                             .effort = {MOST_EFFORT}};
}

bool kernel_verify_kinds(const struct module *module, const struct kernel *kernel,
                         const struct edit *edit, struct error *error)
{
    struct verifier verifier = verifier_of(module, kernel, error);
    verifier.changed = edit->loop;
    for (struct buffer *buffer = module->buffers; buffer; buffer = buffer->next)
        names_add(&verifier.buffers, buffer->name, strlen(buffer->name), buffer);
    bool right = verify_kernel(&verifier, kernel);
    if (right) {
        const struct flow *flow = flow_of(verifier.scratch, kernel);
        right = verify_kernel_flow(&verifier, flow) && verify_threads(&verifier, flow, edit);
    }
    arena_free(verifier.scratch);
    return right;
}

bool kernel_verify_order(const struct module *module, const struct kernel *kernel, int loops,
                         const struct stmt *const *loop, const int *order, struct error *error)
{
    struct verifier verifier = verifier_of(module, kernel, error);
    const struct flow *flow = flow_of(verifier.scratch, kernel);
    bool right = true;
    for (const struct usage *usage = flow->globals; usage && right; usage = usage->next)
        right = verify_usage_order(&verifier, usage, loops, loop, order);
    for (const struct usage *usage = flow->locals; usage && right; usage = usage->next)
        right = verify_usage_order(&verifier, usage, loops, loop, order);
    arena_free(verifier.scratch);
    return right;
}
