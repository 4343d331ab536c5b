/* Warp and matrix loops of a GPU. A thread with lane = tid.x mod 32 is in group lane / 4 of its
 * warp, at place lane mod 4. Of 16 x 8 elements (m, n) it has four,
 *
 *   m = group + 8 r, n = 2 place + c          r and c from 0 to 1
 *
 * Loops over elements are written out for these. A product takes, of its factors,
 *
 *   a: m = group + 8 r, k = place + 4 u       u from 0 to 1
 *   b: n = group, k = place + 4 u
 *
 * in tf32: threads of a warp read from 32 different banks where rows are an odd number of 16 bytes
 * apart. In bf16 a register has two terms. Where these are neighbours in a buffer of type bf16, they
 * are k = 4 place + 2 u and the next, so that one load brings both, and one of 64 bits both
 * registers, without a conflict from rows an odd number of 32 bytes apart. Pairs of floats are rounded
 * together, in the order of tf32. The instruction's own order of terms is another. Since both factors
 * use the same order and a sum has none, the result is right. */
#include "index.h"
#include <string.h>

enum { GROUPS = 8, PLACES = 4, REGISTERS = 2 /* of a row or column of a factor */ };

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

/* The terms of a thread: number u is step * place + apart * u. */
struct terms {
    const struct stmt *loop;
    int64_t step, apart;
};

static void enter_term(struct emitter *e, const struct terms *terms, int64_t u)
{
    set_part(e, 1, terms->loop, e->place, terms->step, u, terms->apart);
}

/* ---- products -------------------------------------------------------------------------------- */

static LLVMValueRef bits_of(struct emitter *e, LLVMValueRef value)
{
    return LLVMBuildBitCast(e->builder, value, e->i32, "");
}

/* Whether terms u and u + 1 are neighbours in a buffer of type bf16, in a word of their own. */
static bool are_neighbours(struct emitter *e, const struct terms *terms, const struct expr *load,
                           int64_t u)
{
    if (load->op != SCALAR_load || load->buffer->dtype != DTYPE_BF16)
        return false;
    const struct base *base = base_find(e, load->buffer);
    enter_term(e, terms, u + 1);
    const struct affine *second = index_linear(e, load->buffer, load->index);
    enter_term(e, terms, u);
    const struct affine *first = index_linear(e, load->buffer, load->index);
    const struct affine *apart = affine_add(e->arena, second, affine_scale(e->arena, first, -1));
    return base && affine_is_constant(apart) && apart->constant == 1 &&
           index_alignment(e, base, first, 0) >= PAIR * (unsigned)dtype_bytes[DTYPE_BF16];
}

static bool has_pairs(const struct terms *terms)
{
    return terms->loop->var->extent / PLACES > REGISTERS;
}

/* A register of a factor: one term (tf32) or two (bf16). */
static LLVMValueRef factor_register(struct emitter *e, const struct terms *terms,
                                    const struct expr *factor, int64_t number)
{
    LLVMValueRef term[PAIR];
    if (!has_pairs(terms)) {
        enter_term(e, terms, number);
        return bits_of(e, emit_expr(e, factor).llvm);
    }
    if (are_neighbours(e, terms, factor, PAIR * number)) {
        e->pairs = true;
        LLVMValueRef both = emit_load(e, factor->buffer, factor->index).llvm;
        e->pairs = false;
        return bits_of(e, both);
    }
    factor = factor->op == SCALAR_bf16 ? factor->in[0] : factor; /* joining rounds */
    for (int i = 0; i < PAIR; i++) {
        enter_term(e, terms, PAIR * number + i);
        term[i] = emit_expr(e, factor).llvm;
    }
    return halves_join(e, term[0], term[1]);
}

static void enter_factors_column(struct emitter *e, const struct stmt *columns)
{
    set_part(e, 0, columns, e->group, 1, 0, 0);
}

/* The order of terms that suits how the factors lie in memory. */
static struct terms choose_terms(struct emitter *e, const struct stmt *rows,
                                 const struct stmt *columns, const struct stmt *loop)
{
    const struct expr *const *in = loop->body->value->in;
    struct terms spread = {loop, 1, PLACES}, together = {loop, loop->var->extent / PLACES, 1};
    if (!has_pairs(&spread))
        return spread;
    enter_row(e, 0, rows, 0);
    bool pairs = are_neighbours(e, &together, in[0], 0);
    enter_factors_column(e, columns);
    pairs |= are_neighbours(e, &together, in[1], 0);
    return pairs ? together : spread;
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
                         const struct stmt *loop)
{
    const struct stmt *store = loop->body;
    const struct expr *const *in = store->value->in;
    LLVMValueRef operand[10];
    unsigned count = 3 * REGISTERS;
    const struct terms terms = choose_terms(e, rows, columns, loop);
    for (int u = 0; u < REGISTERS; u++) {
        for (int r = 0; r < 2; r++) {
            enter_row(e, 0, rows, r);
            operand[2 * u + r] = factor_register(e, &terms, in[0], u);
        }
        enter_factors_column(e, columns);
        operand[2 * REGISTERS + u] = factor_register(e, &terms, in[1], u);
    }
    for (int i = 0; i < 4; i++) {
        enter_sum(e, rows, columns, i);
        operand[count++] = emit_expr(e, in[2]).llvm;
    }
    const char *const names[] = {mma_name[has_pairs(&terms)], NULL};
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
