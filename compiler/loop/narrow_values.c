/* v : workspace f32[..]                         =>    v : workspace bf16[..]
 * .. v[..] = bf16(..) ..
 *
 * Gives the type bf16 to every buffer that holds only values of that type. They take half of the
 * memory, and a unit that adds products of bf16 loads two factors with one instruction. Nothing is
 * done for modules without such a target. On a GPU, tiles whose rows have fewer terms than its unit
 * takes stay floats, since FMAs read them.
 *
 * Right because a value that is rounded to bf16 is stored as it is. */
#include "loops.h"
#include "units.h"
#include "rounding.h"

pass_function narrow_values;

static int narrow_all(struct buffer *buffer, int64_t least_terms)
{
    int changed = 0;
    for (; buffer; buffer = buffer->next) {
        const struct shape *shape = &buffer->shape;
        bool takes =
            buffer->place == PLACE_WORKSPACE || (buffer->place == PLACE_STACK && shape->rank &&
                                                 shape->dim[shape->rank - 1] >= least_terms);
        if (buffer->dtype != DTYPE_F32 || !takes)
            continue;
        buffer->dtype = DTYPE_BF16;
        changed++;
    }
    return changed;
}

/* Takes the type from buffers to which other values are stored; returns how many had it. */
static int widen_stored(const struct stmt *stmt)
{
    int changed = 0;
    for (; stmt; stmt = stmt->next) {
        if (stmt->kind == STMT_FOR)
            changed += widen_stored(stmt->body);
        if (stmt->kind != STMT_STORE || stmt->buffer->dtype != DTYPE_BF16 ||
            expr_is_bf16(stmt->value))
            continue;
        stmt->buffer->dtype = DTYPE_F32;
        changed++;
    }
    return changed;
}

int narrow_values(struct module *m)
{
    if (!module_takes_pairs(m))
        return 0;
    int64_t least_terms = units_least_terms(m);
    int changes = narrow_all(m->buffers, least_terms), widened;
    for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
        changes += narrow_all(kernel->locals, least_terms);
    do { /* what is stored may come from a buffer that has just lost the type */
        widened = 0;
        for (struct kernel *kernel = m->kernels; kernel; kernel = kernel->next)
            widened += widen_stored(kernel->body);
        changes -= widened;
    } while (widened);
    return changes;
}
