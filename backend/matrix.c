/* Warp and matrix loops of a GPU. A thread with lane = tid.x mod 32 is in group lane / 4 of its
 * warp, at place lane mod 4. Of 16 x 8 elements (m, n) it has four,
 *
 *   m = group + 8 r, n = 2 place + c          r and c from 0 to 1
 *
 * Loops over elements are written out for these. A product takes, of its factors,
 *
 *   a: m = group + 8 r, k = place + 4 u       u from 0 to 1 (tf32), to 3 (bf16)
 *   b: n = group, k = place + 4 u
 *
 * For bf16 the instruction's own order of terms is another: 2 place, 2 place + 1, 2 place + 8, 2
 * place + 9. Since both factors use the same order and a sum has none, the result is right. In this
 * order the threads of a warp read from 32 different banks where rows are an odd number of 16 bytes
 * apart. */
#include "emit.h"
#include <string.h>

enum { GROUPS = 8, PLACES = 4, MOST_STEPS = 4 /* of u */ };

static const char *const mma_name[] = {"llvm.nvvm.mma.m16n8k8.row.col.tf32",
                                       "llvm.nvvm.mma.m16n8k16.row.col.bf16"};

/* ---- what variables are in a thread ---------------------------------------------------------- */

/* The variable of a matrix loop is `step` times the group or place, plus number * apart. */
static void set_part(struct emitter *e, int i, const struct stmt *loop, struct var *lane,
                     int64_t step, int64_t number, int64_t apart)
{
    const struct affine *as = affine_scale(e->arena, affine_var(e->arena, lane), step);
    e->part[i] = (struct part){loop->var, affine_offset(e->arena, as, number * apart), number};
}

static void enter_row(struct emitter *e, int i, const struct stmt *rows, int64_t r)
{
    set_part(e, i, rows, e->group, 1, r, GROUPS);
}

static void enter_column(struct emitter *e, int i, const struct stmt *columns, int64_t c)
{
    set_part(e, i, columns, e->place, 2, c, 1);
}

static void enter_term(struct emitter *e, int i, const struct stmt *terms, int64_t u)
{
    set_part(e, i, terms, e->place, 1, u, PLACES);
}

/* ---- products -------------------------------------------------------------------------------- */

/* Two floats that are bf16 already, the first in the lower half. */
static LLVMValueRef pack(struct emitter *e, LLVMValueRef low, LLVMValueRef high)
{
    low = LLVMBuildLShr(e->builder, low, LLVMConstInt(e->i32, 16, 0), "");
    high = LLVMBuildAnd(e->builder, high, LLVMConstInt(e->i32, 0xffff0000, 0), "");
    return LLVMBuildOr(e->builder, low, high, "");
}

/* The registers of a factor, of `rows` rows of `steps` floats: rows change fastest. */
static unsigned operands(struct emitter *e, int rows, int steps, LLVMValueRef factor[2][MOST_STEPS],
                         LLVMValueRef *operand)
{
    unsigned count = 0;
    int each = steps / 2; /* floats of a register */
    for (int u = 0; u < steps; u += each)
        for (int r = 0; r < rows; r++)
            operand[count++] = each == 1 ? factor[r][u] : pack(e, factor[r][u], factor[r][u + 1]);
    return count;
}

static LLVMValueRef bits_of(struct emitter *e, const struct expr *expr)
{
    return LLVMBuildBitCast(e->builder, emit_expr(e, expr).llvm, e->i32, "");
}

/* A warp's threads reach a product together; LLVM may not move it to where some of them are alone.
 * Without the others it assumes that a product may not return, and shares no loads across it. */
static void mark_product(struct emitter *e, LLVMValueRef product)
{
    const char *const names[] = {"convergent", "willreturn", "nounwind"};
    for (int i = 0; i < 3 && !e->failed; i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(names[i], strlen(names[i]));
        LLVMAddCallSiteAttribute(product, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                 LLVMCreateEnumAttribute(e->context, kind, 0));
    }
}

/* The thread's element number i of the sums. */
static void enter_sum(struct emitter *e, const struct stmt *rows, const struct stmt *columns, int i)
{
    enter_row(e, 0, rows, i / 2);
    enter_column(e, 1, columns, i % 2);
}

static void emit_product(struct emitter *e, const struct stmt *rows, const struct stmt *columns,
                         const struct stmt *terms)
{
    const struct stmt *store = terms->body;
    const struct expr *const *in = store->value->in;
    int steps = (int)terms->var->extent / PLACES;
    LLVMValueRef a[2][MOST_STEPS], b[2][MOST_STEPS], operand[10];
    for (int u = 0; u < steps; u++) {
        for (int r = 0; r < 2; r++) {
            enter_row(e, 0, rows, r);
            enter_term(e, 1, terms, u);
            a[r][u] = bits_of(e, in[0]);
        }
        set_part(e, 0, columns, e->group, 1, 0, 0);
        b[0][u] = bits_of(e, in[1]);
    }
    unsigned count = operands(e, 2, steps, a, operand);
    count += operands(e, 1, steps, b, operand + count);
    for (int i = 0; i < 4; i++) {
        enter_sum(e, rows, columns, i);
        operand[count++] = emit_expr(e, in[2]).llvm;
    }
    const char *const names[] = {mma_name[steps > 2], NULL};
    LLVMValueRef sums = device_call(e, names, operand);
    mark_product(e, sums);
    for (int i = 0; i < 4 && !e->failed; i++) {
        enter_sum(e, rows, columns, i);
        LLVMValueRef sum = LLVMBuildExtractValue(e->builder, sums, (unsigned)i, "");
        emit_store(e, store->buffer, store->index, (struct value){.llvm = sum});
    }
}

/* ---- loops ----------------------------------------------------------------------------------- */

void matrix_loops(struct emitter *e, const struct stmt *rows)
{
    const struct stmt *columns = rows->body, *inner = columns->body;
    e->parts = 2;
    if (inner && inner->kind == STMT_FOR && inner->loop == LOOP_MATRIX)
        emit_product(e, rows, columns, inner);
    else
        for (int i = 0; i < 4 && !e->failed; i++) {
            enter_sum(e, rows, columns, i);
            emit_body(e, inner);
        }
    e->parts = 0;
}

void matrix_warp(struct emitter *e, const struct stmt *loop, LLVMValueRef thread)
{
    LLVMValueRef warp_bits = LLVMConstInt(e->index, 5, 0), two = LLVMConstInt(e->index, 2, 0);
    LLVMValueRef lane =
        LLVMBuildAnd(e->builder, thread, LLVMConstInt(e->index, WARP_THREADS - 1, 0), "");
    e->group = &e->lane_var[0];
    e->place = &e->lane_var[1];
    *e->group = (struct var){.name = "group", .extent = GROUPS};
    *e->place = (struct var){.name = "place", .extent = PLACES};
    emit_enter(e, loop->var, LLVMBuildLShr(e->builder, thread, warp_bits, "warp"));
    emit_enter(e, e->group, LLVMBuildLShr(e->builder, lane, two, "group"));
    emit_enter(e, e->place,
               LLVMBuildAnd(e->builder, lane, LLVMConstInt(e->index, PLACES - 1, 0), "place"));
    emit_body(e, loop->body);
    emit_leave(e);
    emit_leave(e);
    emit_leave(e);
}
